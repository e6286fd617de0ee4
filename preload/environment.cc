#include "preload/environment.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>

#include "preload/image.h"
#include "preload/loaded.h"
#include "preload/may_call.h"
#include "preload/program_file.h"
#include "preload/sys.h"
#include "preload/text.h"

// ld.so's: the stack pointer that the kernel started the process with, where argc,
// argv, NULL and the environment lie.
extern "C" void* __libc_stack_end;

namespace mallogram {
namespace {

constexpr char kLdPreload[] = "LD_PRELOAD";
constexpr const char* kLaunchVariables[] = {
    kEnvSocket,     kEnvOut,        kEnvMaxDepth, kEnvOnFull,
    kEnvSample,     kEnvSampleSeed, kEnvVerify,   kEnvRingKib,
    kEnvMismatches, kEnvLeakCheck,  kEnvKey,      kEnvFilters};
constexpr size_t kVariables =
    sizeof(kLaunchVariables) / sizeof(kLaunchVariables[0]);
static_assert(kVariables + 1 <= kLaunchEntries);

constexpr size_t kTextBytes = 8192;
char g_text[kTextBytes];  // NAME=value strings, one after the other
size_t g_used;
char* g_entries[kVariables];      // into g_text; nullptr: was not set
char g_library[4096];             // as LD_PRELOAD names it
char g_preload_entry[4096 + 16];  // LD_PRELOAD=<library>

// The value if `entry` is NAME=value of that name, else nullptr.
char* ValueOf(char* entry, const char* name) {
  while (*name != 0 && *entry == *name) ++entry, ++name;
  return *name == 0 && *entry == '=' ? entry + 1 : nullptr;
}

char* const* Find(char* const* environment, const char* name) {
  for (; *environment != nullptr; ++environment) {
    if (ValueOf(*environment, name) != nullptr) return environment;
  }
  return nullptr;
}

// f(entry) for each of an LD_PRELOAD list, which colons or spaces separate,
// until it returns true.
template <typename F>
bool AnyOfList(const char* list, F&& f) {
  for (const char* p = list; *p != 0;) {
    const char* end = p;
    while (*end != 0 && *end != ':' && *end != ' ') ++end;
    if (end != p && f(TextPiece{p, static_cast<size_t>(end - p)})) return true;
    p = *end == 0 ? end : end + 1;
  }
  return false;
}

bool ListHas(const char* list, const char* item) {
  return AnyOfList(list, [item](TextPiece entry) { return entry.Is(item); });
}

// By file name: where LD_PRELOAD is relative, or the library was found by a search,
// the loader knows another path of it.
bool IsOurs(TextPiece entry) {
  const TextPiece name = entry.BaseName();
  return name.Is("libmallogram.so") || name.Is("libmallogram_new.so");
}

// LD_PRELOAD=<library>:<list> into `out`.
void PutBefore(const char* list, char* out) {
  const size_t head = Length(g_preload_entry);
  __builtin_memcpy(out, g_preload_entry, head);
  out[head] = ':';
  __builtin_memcpy(out + head + 1, list, Length(list) + 1);
}

// LD_PRELOAD=<list without ours> into `out`. False: nothing is left of it.
bool PutWithoutOurs(const char* list, char* out) {
  __builtin_memcpy(out, kLdPreload, sizeof(kLdPreload) - 1);
  char* const first = out + sizeof(kLdPreload) - 1;
  char* end = first;
  AnyOfList(list, [&end, first](TextPiece entry) {
    if (IsOurs(entry)) return false;
    *end = end == first ? '=' : ':';
    __builtin_memcpy(end + 1, entry.text, entry.bytes);
    end += entry.bytes + 1;
    return false;
  });
  *end = 0;
  return end != first;
}

// Text for a shell in a buffer that may be too small.
class ShellText {
 public:
  ShellText(char* out, size_t room) : out_(out), room_(room) {}
  void Put(const char* text) {
    for (; *text != 0; ++text) PutByte(*text);
  }
  // A quote would end the quotes around it.
  void PutQuoted(const char* text) {
    for (; *text != 0; ++text) {
      good_ = good_ && *text != '\'';
      PutByte(*text);
    }
  }
  // 0: it cannot be said.
  size_t length() const { return good_ ? length_ : 0; }

 private:
  void PutByte(char c) {
    good_ = good_ && length_ < room_;
    if (good_) out_[length_++] = c;
  }

  char* const out_;
  const size_t room_;
  size_t length_ = 0;
  bool good_ = true;
};

}  // namespace

char** ProgramEnvironment() {
  if (environ != nullptr) return environ;
  const auto* start = static_cast<const uint64_t*>(__libc_stack_end);
  if (start == nullptr) return nullptr;
  return reinterpret_cast<char**>(const_cast<uint64_t*>(start + 1 + start[0] + 1));
}

void RememberLaunch() {
  char** const environment = ProgramEnvironment();
  if (g_library[0] != 0 || environment == nullptr) return;
  const link_map* const self = LibraryModule();
  if (self == nullptr) return;
  const char* name = self->l_name;
  const size_t bytes = Length(name);
  // A relative name would mean another file after chdir; the launcher sets an
  // absolute one, and so does the README for bare use.
  if (name[0] != '/' || bytes >= sizeof(g_library)) return;
  __builtin_memcpy(g_preload_entry, kLdPreload, sizeof(kLdPreload) - 1);
  g_preload_entry[sizeof(kLdPreload) - 1] = '=';
  __builtin_memcpy(g_preload_entry + sizeof(kLdPreload), name, bytes + 1);
  for (size_t i = 0; i < kVariables; ++i) {
    char* const* entry = Find(environment, kLaunchVariables[i]);
    if (entry == nullptr) continue;
    const size_t length = Length(*entry) + 1;
    if (g_used + length > kTextBytes) continue;
    __builtin_memcpy(g_text + g_used, *entry, length);
    g_entries[i] = g_text + g_used;
    g_used += length;
  }
  __builtin_memcpy(g_library, name, bytes + 1);
}

size_t CountEntries(char* const* environment) {
  size_t n = 0;
  while (environment != nullptr && environment[n] != nullptr) ++n;
  return n;
}

const char* FindVariable(char* const* environment, const char* name) {
  if (environment == nullptr) return nullptr;
  char* const* entry = Find(environment, name);
  return entry == nullptr ? nullptr : ValueOf(*entry, name);
}

size_t PreloadBytes(char* const* environment) {
  const char* list = FindVariable(environment, kLdPreload);
  return Length(g_preload_entry) + sizeof(kLdPreload) +
         (list != nullptr ? Length(list) : 0) + 2;
}

char* const* WithLaunch(char* const* in, char** out, char* preload,
                        bool with_library) {
  if (g_library[0] == 0 && with_library) return in;
  char* none[] = {nullptr};
  char* const* from = in != nullptr ? in : none;
  size_t n = 0;
  bool changed = false;
  bool has_preload = false;
  for (char* const* entry = from; *entry != nullptr; ++entry) {
    out[n++] = *entry;
    const char* list = ValueOf(*entry, kLdPreload);
    if (list == nullptr || has_preload) continue;  // the first one counts
    has_preload = true;
    if (with_library && !ListHas(list, g_library)) {
      PutBefore(list, preload);
      out[n - 1] = preload;
      changed = true;
    } else if (!with_library && AnyOfList(list, IsOurs)) {
      if (PutWithoutOurs(list, preload)) {
        out[n - 1] = preload;
      } else {
        --n;
      }
      changed = true;
    }
  }
  if (!has_preload && with_library) {
    out[n++] = g_preload_entry;
    changed = true;
  }
  for (size_t i = 0; i < kVariables; ++i) {
    if (g_entries[i] == nullptr || Find(from, kLaunchVariables[i]) != nullptr)
      continue;
    out[n++] = g_entries[i];
    changed = true;
  }
  out[n] = nullptr;
  return changed ? out : in;
}

Unrecordable PreloadedSanitizer(char* const* environment) {
  const char* list = FindVariable(environment, kLdPreload);
  Unrecordable found = Unrecordable::kNot;
  if (list == nullptr) return found;
  AnyOfList(list, [&found](TextPiece entry) {
    found = SanitizerLibrary(entry);
    return found != Unrecordable::kNot;
  });
  return found;
}

bool IsUnderValgrind(char* const* environment) {
  const char* list = FindVariable(environment, kLdPreload);
  return list != nullptr && AnyOfList(list, [](TextPiece entry) {
           const TextPiece name = entry.BaseName();
           return name.StartsWith("vgpreload_") &&
                  !name.StartsWith("vgpreload_core");
         });
}

bool LibraryIsThere() {
  if (g_library[0] == 0) return true;
  const long fd =
      sys::Call(SYS_openat, AT_FDCWD, sys::Arg(g_library), O_RDONLY | O_CLOEXEC);
  if (fd >= 0) sys::Call(SYS_close, fd);
  return fd != -ENOENT && fd != -EACCES && fd != -ENOTDIR;
}

bool LacksLaunch(char* const* environment) {
  if (g_library[0] == 0) return false;
  char* none[] = {nullptr};
  char* const* from = environment != nullptr ? environment : none;
  char* const* preload = Find(from, kLdPreload);
  bool lacks =
      preload == nullptr || !ListHas(ValueOf(*preload, kLdPreload), g_library);
  for (size_t i = 0; i < kVariables && !lacks; ++i) {
    lacks = g_entries[i] != nullptr && Find(from, kLaunchVariables[i]) == nullptr;
  }
  return lacks && MayCall() &&
         sys::Call(SYS_faccessat, AT_FDCWD, sys::Arg(g_library), R_OK) == 0;
}

size_t ExportLaunch(char* const* environment, char* out) {
  char* none[] = {nullptr};
  char* const* from = environment != nullptr ? environment : none;
  ShellText text(out, kExportBytes);
  text.Put("export");
  char* const* preload = Find(from, kLdPreload);
  const char* const list = preload != nullptr ? ValueOf(*preload, kLdPreload) : "";
  if (!ListHas(list, g_library)) {
    text.Put(" LD_PRELOAD='");
    text.PutQuoted(g_library);
    text.Put(*list != 0 ? ":" : "");
    text.PutQuoted(list);
    text.Put("'");
  }
  for (size_t i = 0; i < kVariables; ++i) {
    if (g_entries[i] == nullptr || Find(from, kLaunchVariables[i]) != nullptr)
      continue;
    text.Put(" ");
    text.Put(kLaunchVariables[i]);
    text.Put("='");
    text.PutQuoted(ValueOf(g_entries[i], kLaunchVariables[i]));
    text.Put("'");
  }
  text.Put("; ");
  return text.length();
}

}  // namespace mallogram
