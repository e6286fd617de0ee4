#include "preload/program_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "preload/elf_look.h"
#include "preload/sys.h"

namespace mallogram {
namespace {

// Only glibc's loader has it, and from 2.35 on, which our library needs.
constexpr char kLoaderSymbol[] = "__rseq_offset";
constexpr char kShell[] = "/bin/sh";
constexpr char kSystemPath[] = "/bin:/usr/bin";  // confstr(_CS_PATH)

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

// Copies the bytes up to `end`, cut to the room.
void CopyName(const char* begin, const char* end, char* out) {
  size_t n = static_cast<size_t>(end - begin);
  if (n > FileLook::kNameBytes - 1) n = FileLook::kNameBytes - 1;
  __builtin_memcpy(out, begin, n);
  out[n] = 0;
}

// "#!/path/of/interpreter one-argument"
void LookAtScript(const char* text, size_t bytes, FileLook* look) {
  look->format = FileLook::kScript;
  const char* p = text + 2;
  const char* end = text + bytes;
  for (const char* q = p; q != end; ++q) {
    if (*q == '\n' || *q == 0) end = q;
    if (q == end) break;
  }
  while (p != end && IsBlank(*p)) ++p;
  while (end != p && IsBlank(end[-1])) --end;
  const char* name = p;
  while (p != end && !IsBlank(*p)) ++p;
  CopyName(name, p, look->loader);
  while (p != end && IsBlank(*p)) ++p;
  CopyName(p, end, look->argument);
}

// A runtime in the executable itself, whose malloc all calls reach.
Unrecordable RuntimeInside(ElfLook* elf) {
  if (!elf->Defines("malloc")) return Unrecordable::kNot;
  for (const RuntimeSymbol& runtime : kRuntimeSymbols) {
    if (elf->Defines(runtime.symbol)) return runtime.sanitizer;
  }
  if (elf->Defines(kTakenByRuntimes)) {
    return elf->Defines("__res_iclose")    ? Unrecordable::kThreadSanitizer
           : elf->Defines("__longjmp_chk") ? Unrecordable::kAddressSanitizer
                                           : Unrecordable::kOtherSanitizer;
  }
  return elf->Defines("mcheck_pedantic") && elf->Defines("mprobe")
             ? Unrecordable::kLeakSanitizer
             : Unrecordable::kNot;
}

void LookAtDynamic(ElfLook* elf, FileLook* look) {
  elf->AnyNeeded([look](TextPiece name) {
    look->sanitizer = SanitizerLibrary(name);
    if (name.StartsWith("liblsan.so")) look->needs_leak_sanitizer = true;
    return look->sanitizer != Unrecordable::kNot;
  });
  if (look->sanitizer == Unrecordable::kNot) look->sanitizer = RuntimeInside(elf);
}

// The tools of Valgrind are static, and load a library into the program if they put
// functions of their own in the place of the program's.
Unrecordable JudgeStatic(const char* path) {
  if (path == nullptr) return Unrecordable::kStatic;
  const char* const base = BaseName(path);
  // The loader itself, started as a command, takes LD_PRELOAD.
  if (StartsWith(base, "ld-linux") || StartsWith(base, "ld-2.") ||
      StartsWith(base, "ld.so")) {
    return Unrecordable::kNot;
  }
  const size_t head = static_cast<size_t>(base - path);
  constexpr char kPrefix[] = "vgpreload_", kSuffix[] = ".so";
  char library[FileLook::kNameBytes];
  if (!(EndsWith(base, "-amd64-linux") || EndsWith(base, "-x86-linux")) ||
      head + sizeof(kPrefix) + sizeof(kSuffix) + Length(base) > sizeof(library)) {
    return Unrecordable::kStatic;
  }
  char* out = library;
  const auto add = [&out](const char* text, size_t bytes) {
    __builtin_memcpy(out, text, bytes);
    out += bytes;
  };
  add(path, head);
  add(kPrefix, sizeof(kPrefix) - 1);
  char* const core = out;
  add(base, Length(base));
  add(kSuffix, sizeof(kSuffix));
  if (sys::Call(SYS_faccessat, AT_FDCWD, sys::Arg(library), 0) == 0) {
    return Unrecordable::kValgrind;
  }
  // Another tool of Valgrind's: the program in it is recorded.
  out = core;
  const char* const machine =
      EndsWith(base, "-amd64-linux") ? "core-amd64-linux" : "core-x86-linux";
  add(machine, Length(machine));
  add(kSuffix, sizeof(kSuffix));
  return sys::Call(SYS_faccessat, AT_FDCWD, sys::Arg(library), 0) == 0
             ? Unrecordable::kNot
             : Unrecordable::kStatic;
}

bool IsExecutable(int directory, const char* path) {
#ifndef SYS_faccessat2
#define SYS_faccessat2 439
#endif
  const long result = sys::Call(SYS_faccessat2, directory, sys::Arg(path),
                                1 /* X_OK */, AT_EACCESS);
  if (result != -ENOSYS) return result == 0;
  return sys::Call(SYS_faccessat, directory, sys::Arg(path), 1) == 0;
}

// What `env`, as a script's interpreter, is told to run; empty: not known.
void ProgramOfEnv(const char* argument, char* out) {
  const char* p = argument;
  for (;;) {
    while (IsBlank(*p)) ++p;
    const char* word = p;
    bool sets = false;
    while (*p != 0 && !IsBlank(*p)) sets |= *p++ == '=';
    if (word != p && (*word == '-' || sets)) continue;  // -S, -i, NAME=value
    CopyName(word, p, out);
    return;
  }
}

}  // namespace

FileLook LookAtFile(int fd) {
  FileLook look;
  FileWindow file(fd);
  size_t bytes = 0;
  const char* start = file.UpTo(0, &bytes);
  if (start == nullptr) return look;
  look.format = FileLook::kOther;
  if (bytes >= 2 && start[0] == '#' && start[1] == '!') {
    // The kernel looks at 256 bytes.
    LookAtScript(start, bytes < 256 ? bytes : 256, &look);
    return look;
  }
  if (bytes < SELFMAG || __builtin_memcmp(start, ELFMAG, SELFMAG) != 0) return look;
  look.format = FileLook::kElf;
  Elf64_Ehdr header{};  // class, type and machine lie there in 32-bit files, too
  __builtin_memcpy(&header, start, bytes < sizeof(header) ? bytes : sizeof(header));
  look.is_64_bit = header.e_ident[EI_CLASS] == ELFCLASS64;
  look.machine = header.e_machine;
  look.type = header.e_type;
  if (!look.is_64_bit || header.e_machine != EM_X86_64) return look;
  ElfLook elf(&file);
  look.has_odd_headers = !elf.Open(header);
  if (look.has_odd_headers) return look;
  elf.Loader(look.loader, sizeof(look.loader));
  if (look.loader[0] != 0) LookAtDynamic(&elf, &look);
  return look;
}

bool LoaderFits(const char* path) {
  const long fd = OpenProgram(AT_FDCWD, path);
  // Not there: the exec will fail. Not readable: it can't be known.
  if (fd < 0) return true;
  FileWindow file(static_cast<int>(fd));
  Elf64_Ehdr header;
  ElfLook elf(&file);
  const bool fits =
      file.Read(0, &header) && elf.Open(header) && elf.Defines(kLoaderSymbol);
  sys::Call(SYS_close, fd);
  return fits;
}

Unrecordable SanitizerLibrary(TextPiece path) {
  const TextPiece name = path.BaseName();
  struct Known {
    const char* prefix;
    Unrecordable sanitizer;
  };
  constexpr Known kKnown[] = {
      {"libasan.so", Unrecordable::kAddressSanitizer},
      {"libtsan.so", Unrecordable::kThreadSanitizer},
      {"libhwasan.so", Unrecordable::kHwAddressSanitizer},
      {"libclang_rt.asan", Unrecordable::kAddressSanitizer},
      {"libclang_rt.tsan", Unrecordable::kThreadSanitizer},
      {"libclang_rt.hwasan", Unrecordable::kHwAddressSanitizer},
      {"libclang_rt.msan", Unrecordable::kMemorySanitizer},
      {"libclang_rt.memprof", Unrecordable::kOtherSanitizer},
      {"libclang_rt.dfsan", Unrecordable::kOtherSanitizer},
  };
  for (const Known& known : kKnown) {
    if (name.StartsWith(known.prefix)) return known.sanitizer;
  }
  return Unrecordable::kNot;
}

Unrecordable JudgeFile(const FileLook& look, const char* path) {
  if (look.format != FileLook::kElf) return Unrecordable::kNot;
  if (!look.is_64_bit || look.machine != EM_X86_64) {
    return Unrecordable::kOtherMachine;
  }
  if (look.has_odd_headers) return Unrecordable::kNot;  // exec will say
  if (look.loader[0] == 0) return JudgeStatic(path);
  if (StartsWith(BaseName(look.loader), "ld-musl")) return Unrecordable::kMusl;
  if (!LoaderFits(look.loader)) return Unrecordable::kOtherLibc;
  return look.sanitizer;
}

long OpenProgram(int directory, const char* path) {
  const long fd = sys::Call(SYS_openat, directory, sys::Arg(path),
                            O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return fd;
  struct stat info;
  const long result = sys::Call(SYS_fstat, fd, sys::Arg(&info));
  if (result == 0 && S_ISREG(info.st_mode)) return fd;
  sys::Call(SYS_close, fd);
  return result < 0 ? result : -EACCES;
}

long OpenInPath(int directory, const char* file, const char* path) {
  if (BaseName(file) != file) return OpenProgram(directory, file);
  const size_t bytes = Length(file);
  if (bytes == 0 || bytes > 255) return -ENOENT;
  const char* place = path != nullptr ? path : kSystemPath;
  size_t longest = 0, length = 0;
  for (const char* p = place;; ++p) {
    length = *p == ':' || *p == 0 ? 0 : length + 1;
    if (length > longest) longest = length;
    if (*p == 0) break;
  }
  constexpr size_t kMaxPath = 4096;
  if (longest > kMaxPath) longest = kMaxPath;  // the kernel takes no longer ones
  auto* const candidate = static_cast<char*>(__builtin_alloca(longest + bytes + 2));
  for (;;) {
    const char* end = place;
    while (*end != 0 && *end != ':') ++end;
    const auto n = static_cast<size_t>(end - place);
    if (n <= longest) {
      __builtin_memcpy(candidate, place, n);
      char* out = candidate + n;
      if (n != 0) *out++ = '/';  // an empty place is the working directory
      __builtin_memcpy(out, file, bytes + 1);
      struct stat info;
      if (sys::Call(SYS_newfstatat, directory, sys::Arg(candidate), sys::Arg(&info),
                    0) == 0 &&
          S_ISREG(info.st_mode) && IsExecutable(directory, candidate)) {
        return OpenProgram(directory, candidate);
      }
    }
    if (*end == 0) return -ENOENT;
    place = end + 1;
  }
}

Unrecordable JudgeProgram(int fd, const char* path, const char* search_path,
                          bool shell) {
  long opened = -1;  // ours to close
  char name[FileLook::kNameBytes];
  char argument[FileLook::kNameBytes] = {};
  for (int depth = 0;; ++depth) {
    const int at = opened >= 0 ? static_cast<int>(opened) : fd;
    const FileLook look = LookAtFile(at);
    const Unrecordable why = JudgeFile(look, path);
    if (opened >= 0) sys::Call(SYS_close, opened);
    opened = -1;
    if (why != Unrecordable::kNot || depth > kMaxInterpreters) return why;
    if (look.format == FileLook::kScript) {
      __builtin_memcpy(name, look.loader, sizeof(name));
      __builtin_memcpy(argument, look.argument, sizeof(argument));
      shell = false;
      if (name[0] != 0) opened = OpenProgram(AT_FDCWD, name);
    } else if (look.format == FileLook::kOther && shell) {
      __builtin_memcpy(name, kShell, sizeof(kShell));
      shell = false;
      opened = OpenProgram(AT_FDCWD, name);
    } else if (look.format == FileLook::kElf && path == name &&
               search_path != nullptr && SameText(BaseName(name), "env")) {
      ProgramOfEnv(argument, name);
      argument[0] = 0;
      shell = true;
      if (name[0] != 0) opened = OpenInPath(AT_FDCWD, name, search_path);
    }
    if (opened < 0) return Unrecordable::kNot;
    path = name;
  }
}

}  // namespace mallogram
