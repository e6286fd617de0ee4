// Why a program cannot be recorded, in one word for the launcher, the library and
// the collector. Freestanding.
#pragma once

#include <cstdint>

namespace mallogram {

enum class Unrecordable : uint8_t {
  kNot = 0,  // it can be, as far as was seen
  kStatic,
  kMusl,
  kOtherLibc,  // or a glibc older than the library needs
  kOtherMachine,
  kPrivileged,  // the loader ignores LD_PRELOAD
  kNoLibrary,   // our library cannot be read from there
  kAddressSanitizer,
  kThreadSanitizer,
  kMemorySanitizer,
  kHwAddressSanitizer,
  kLeakSanitizer,   // in the executable; its shared library can be recorded
  kOtherSanitizer,  // memprof, dfsan, …
  kValgrind,        // a tool that puts its own malloc in the program's place
  kSandboxed,       // forked or executed in its parent's sandbox
  kUnreached,       // forked to where the collector can't be reached
};
inline constexpr int kUnrecordables = 16;

// As in "2 processes were not recorded: 1 WORDS, 1 WORDS".
inline constexpr const char* kUnrecordableWords[kUnrecordables] = {
    "",
    "statically linked",
    "linked with musl",
    "linked with another C library",
    "built for another machine",
    "privileged (setuid, setgid or file capabilities)",
    "out of the library's reach",
    "built with AddressSanitizer",
    "built with ThreadSanitizer",
    "built with MemorySanitizer",
    "built with HWAddressSanitizer",
    "built with LeakSanitizer",
    "built with a sanitizer",
    "under Valgrind, whose malloc takes the place of the program's",
    "started in a sandbox",
    "forked to where the collector cannot be reached",
};

// A sanitizer whose malloc is the program's.
constexpr bool IsSanitizer(Unrecordable why) {
  return why >= Unrecordable::kAddressSanitizer &&
         why <= Unrecordable::kOtherSanitizer;
}

// True if the library does no harm there: it is ignored, and what such a program
// starts is recorded again.
constexpr bool IgnoresPreload(Unrecordable why) {
  return why == Unrecordable::kNot || why == Unrecordable::kStatic ||
         why == Unrecordable::kPrivileged;
}

}  // namespace mallogram
