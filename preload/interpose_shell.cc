// system and popen: the C library starts their shell by itself, with the program's
// own environment. Where the program has cleared that, the commands that the shell
// starts are to be recorded all the same: it is told to export what is missing.
//
// Not by an environment of ours: `environ` is the program's, and other threads read
// it; nor by a system() of our own, which would have to be as careful with signals
// and cancellation as the C library's. So the shell itself stays unrecorded.
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "preload/caller_state.h"
#include "preload/environment.h"
#include "preload/real.h"
#include "preload/sys.h"

using mallogram::g_real;
using mallogram::Resolved;

namespace {

// With the exports it is to stay below what the kernel takes for one argument.
constexpr size_t kMaxCommand = 100 << 10;

// A command with the exports in front of it, in memory of its own: it may be long,
// and the caller's stack small.
class Command {
 public:
  explicit Command(const char* command) {
    size_t length = 0;
    while (command[length] != 0 && length < kMaxCommand) ++length;
    if (command[length] != 0) return;
    const long p = mallogram::sys::Call(SYS_mmap, 0, kBytes, PROT_READ | PROT_WRITE,
                                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mallogram::sys::IsError(p)) return;
    text_ = reinterpret_cast<char*>(p);
    const size_t exports = mallogram::ExportLaunch(environ, text_);
    __builtin_memcpy(text_ + exports, command, length + 1);
  }
  ~Command() {
    if (text_ != nullptr) {
      mallogram::sys::Call(SYS_munmap, mallogram::sys::Arg(text_), kBytes);
    }
  }
  const char* Or(const char* plain) const {
    return text_ != nullptr ? text_ : plain;
  }

 private:
  static constexpr long kBytes = mallogram::kExportBytes + kMaxCommand + 1;
  char* text_ = nullptr;
};

[[gnu::noinline]] int SystemWithLaunch(const char* command) {
  const Command changed(command);
  return g_real.system(changed.Or(command));
}

[[gnu::noinline]] void* PopenWithLaunch(const char* command, const char* mode) {
  const Command changed(command);
  return g_real.popen(changed.Or(command), mode);
}

}  // namespace

MALLOGRAM_EXPORT int system(const char* command) {
  if (!Resolved(g_real.system)) return -1;
  if (command != nullptr && mallogram::LacksLaunch(environ)) [[unlikely]]
    return SystemWithLaunch(command);
  return g_real.system(command);
}

// (FILE is stdio's.)
MALLOGRAM_EXPORT void* Popen(const char* command, const char* mode) asm("popen");
MALLOGRAM_EXPORT void* Popen(const char* command, const char* mode) {
  if (!Resolved(g_real.popen)) return nullptr;
  if (command != nullptr && mallogram::LacksLaunch(environ)) [[unlikely]]
    return PopenWithLaunch(command, mode);
  return g_real.popen(command, mode);
}
