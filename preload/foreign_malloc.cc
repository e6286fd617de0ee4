#include "preload/foreign_malloc.h"

#include <dlfcn.h>
#include <link.h>

#include <atomic>

#include "preload/environment.h"
#include "preload/program_file.h"

namespace mallogram {
namespace {

// A forked child must not ask again: the loader's lock may have been held by a
// thread that it has not got.
enum Known : int { kUnknown, kNo, kYes };
std::atomic<int> g_known;

bool IsInExecutable(const char* symbol) {
  void* const found = dlsym(RTLD_DEFAULT, symbol);
  dl_find_object object;
  return found != nullptr && _dl_find_object(found, &object) == 0 &&
         object.dlfo_link_map->l_name[0] == 0;
}

bool Look() {
  if (IsUnderValgrind(ProgramEnvironment())) return true;
  // Wherever such a runtime is, it is the only one to serve malloc. LeakSanitizer's
  // library alone is an allocator like others.
  for (const RuntimeSymbol& runtime : kRuntimeSymbols) {
    if (runtime.sanitizer != Unrecordable::kLeakSanitizer &&
        dlsym(RTLD_DEFAULT, runtime.symbol) != nullptr) {
      return true;
    }
  }
  return IsInExecutable("malloc") &&
         (IsInExecutable(kLeakSanitizerSymbol) || IsInExecutable(kTakenByRuntimes));
}

}  // namespace

bool HasForeignMalloc() {
  int known = g_known.load(std::memory_order_acquire);
  if (known == kUnknown) {
    known = Look() ? kYes : kNo;
    // What was not found left an error; the program must not see it.
    dlerror();
    dlerror();
    g_known.store(known, std::memory_order_release);
  }
  return known == kYes;
}

}  // namespace mallogram
