// Looks at a file that is about to be executed: which loader and which malloc will
// be at work in it.
//
// Raw system calls and bounded reads alone: no allocation, no lock, errno kept,
// under 3 KiB of stack (and the longest entry of PATH); may be called in a vfork
// child, and the file may be damaged or change meanwhile.
#pragma once

#include <cstddef>
#include <cstdint>

#include "preload/text.h"
#include "preload/unrecordable.h"

namespace mallogram {

// The kernel follows that many "#!" lines.
inline constexpr int kMaxInterpreters = 4;

// One file. Strings end with a NUL.
struct FileLook {
  enum Format : uint8_t { kUnreadable, kElf, kScript, kOther };
  static constexpr size_t kNameBytes = 256;

  Format format = kUnreadable;
  bool is_64_bit = false;
  bool has_odd_headers = false;  // kElf: its program headers make no sense
  uint16_t machine = 0;          // kElf: e_machine
  uint16_t type = 0;             // kElf: e_type
  // kElf: PT_INTERP, empty if there is none. kScript: the interpreter, empty if it
  // is not named.
  char loader[kNameBytes] = {};
  char argument[kNameBytes] = {};  // kScript: all behind the interpreter
  // kElf: kNot or a sanitizer.
  Unrecordable sanitizer = Unrecordable::kNot;
  // kElf: liblsan is among what it needs. Its malloc can be recorded.
  bool needs_leak_sanitizer = false;
};

// What a sanitizer's runtime with a malloc of its own defines.
struct RuntimeSymbol {
  const char* symbol;
  Unrecordable sanitizer;
};
inline constexpr char kLeakSanitizerSymbol[] = "__lsan_init";
inline constexpr RuntimeSymbol kRuntimeSymbols[] = {
    {"__asan_init", Unrecordable::kAddressSanitizer},
    {"__hwasan_init", Unrecordable::kHwAddressSanitizer},
    {"__tsan_init", Unrecordable::kThreadSanitizer},
    {"__msan_init", Unrecordable::kMemorySanitizer},
    {"__memprof_init", Unrecordable::kOtherSanitizer},
    {"__dfsan_set_label", Unrecordable::kOtherSanitizer},
    {"__rtsan_init", Unrecordable::kOtherSanitizer},
    {"__nsan_init", Unrecordable::kOtherSanitizer},
    {"__tysan_init", Unrecordable::kOtherSanitizer},
    {kLeakSanitizerSymbol, Unrecordable::kLeakSanitizer},
};
// In an executable, gcc's (-static-libasan) and rustc's export only what they take
// from libc. Nobody else takes this.
inline constexpr char kTakenByRuntimes[] = "__tls_get_addr";

// `fd` is readable; its position stays.
FileLook LookAtFile(int fd);

// What this file alone says of recording it; kNot for a script.
Unrecordable JudgeFile(const FileLook& look, const char* path);

// The shared library of a sanitizer that brings a malloc, by file name (a path is
// fine). kNot: none.
Unrecordable SanitizerLibrary(TextPiece path);

// True if the dynamic loader in this file is one that the library can live with.
bool LoaderFits(const char* path);

// Opens a regular file to look at it; < 0: -errno. Never blocks, closed by exec.
long OpenProgram(int directory, const char* path);
// The same for the program that execvp(3) would find in `path` (nullptr: the
// system's own search path).
long OpenInPath(int directory, const char* file, const char* path);

// All of a program: follows scripts, and `#!/usr/bin/env X` by `search_path` if
// that is not nullptr. `fd` is read, not closed. `shell`: a text without "#!" goes
// to /bin/sh, as by execvp. `path` may be nullptr.
Unrecordable JudgeProgram(int fd, const char* path, const char* search_path,
                          bool shell);

}  // namespace mallogram
