#include "analyzer/record_check.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace mallogram {
namespace {

// The kernel follows that many "#!" lines.
constexpr int kMaxInterpreters = 4;
constexpr size_t kMaxHeaders = 64 << 10;

absl::Status Unrecordable(absl::string_view path, absl::string_view why) {
  return absl::FailedPreconditionError(absl::StrCat(path, " ", why));
}

std::string BaseName(const std::string& path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 == 0
}

std::string UserName(uid_t uid) {
  const passwd* user = getpwuid(uid);
  return user != nullptr ? user->pw_name : absl::StrCat("user ", uid);
}

// An open file's bytes [offset, offset + size), or less at its end.
std::string ReadAt(int fd, uint64_t offset, size_t size) {
  std::string bytes(size, '\0');
  const ssize_t got = pread(fd, bytes.data(), size, static_cast<off_t>(offset));
  bytes.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return bytes;
}

class File {
 public:
  explicit File(const std::string& path)
      : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

// The loader ignores LD_PRELOAD if the kernel calls the exec secure (AT_SECURE):
// exactly if it leaves the process with another effective than real user or group,
// or (unless the real user is root) with capabilities from the file.
absl::Status CheckPrivileges(const std::string& path, const struct stat& info) {
  struct statvfs volume;
  const bool nosuid =
      statvfs(path.c_str(), &volume) == 0 && (volume.f_flag & ST_NOSUID) != 0;
  const bool honoured = !nosuid && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1;
  const bool setuid = honoured && (info.st_mode & S_ISUID) != 0;
  // Without the execute bit for the group, S_ISGID means mandatory locking.
  const bool setgid =
      honoured && (info.st_mode & S_ISGID) != 0 && (info.st_mode & S_IXGRP) != 0;
  if (setuid && info.st_uid != getuid()) {
    const std::string user = UserName(info.st_uid);
    return Unrecordable(
        path, absl::StrCat("is setuid ", user, ": the system lets nothing be ",
                           "preloaded into it; run mallogram as ", user));
  }
  if (setgid && info.st_gid != getgid()) {
    return Unrecordable(
        path,
        absl::StrCat("is setgid (group ", info.st_gid, "): the system lets ",
                     "nothing be preloaded into it; run mallogram as that group"));
  }
  if ((!setuid && geteuid() != getuid()) || (!setgid && getegid() != getgid())) {
    return Unrecordable(path,
                        "cannot be recorded: mallogram itself runs with another "
                        "effective than real user or group, so the system lets "
                        "nothing be preloaded");
  }
  vfs_ns_cap_data caps{};
  const ssize_t size =
      getxattr(path.c_str(), "security.capability", &caps, sizeof(caps));
  if (getuid() != 0 && !nosuid &&
      size >= static_cast<ssize_t>(sizeof(caps.magic_etc) + sizeof(caps.data[0]))) {
    const bool effective = (le32toh(caps.magic_etc) & VFS_CAP_FLAGS_EFFECTIVE) != 0;
    if (effective || caps.data[0].permitted != 0 || caps.data[1].permitted != 0) {
      return Unrecordable(path,
                          "has file capabilities: the system lets nothing be "
                          "preloaded into it; run mallogram as root");
    }
  }
  return absl::OkStatus();
}

std::string MachineName(uint16_t machine) {
  switch (machine) {
    case EM_386:
      return "32-bit x86";
    case EM_ARM:
      return "32-bit ARM";
    case EM_AARCH64:
      return "64-bit ARM";
    case EM_RISCV:
      return "RISC-V";
    case EM_PPC64:
      return "POWER";
    case EM_S390:
      return "s390";
    default:
      return absl::StrCat("another machine (ELF number ", machine, ")");
  }
}

absl::Status CheckMachine(const std::string& path, const Elf64_Ehdr& header) {
  if (header.e_machine != EM_X86_64) {
    return Unrecordable(path,
                        absl::StrCat("is built for ", MachineName(header.e_machine),
                                     "; only 64-bit x86 programs can be "
                                     "recorded on this machine"));
  }
  if (header.e_ident[EI_CLASS] != ELFCLASS64) {
    return Unrecordable(path,
                        "is a 32-bit (x32) program; only 64-bit x86 programs can "
                        "be recorded");
  }
  return absl::OkStatus();
}

// The header of an ELF file; false if it is none. e_machine lies at the same place
// in both classes.
bool ReadHeader(int fd, Elf64_Ehdr* header) {
  const std::string bytes = ReadAt(fd, 0, sizeof(*header));
  if (!absl::StartsWith(bytes, ELFMAG)) return false;
  *header = {};
  memcpy(header, bytes.data(), bytes.size());
  return true;
}

// A dynamic executable names its loader; LD_PRELOAD is a word to the loader.
absl::Status CheckLoader(const std::string& path, int fd,
                         const Elf64_Ehdr& header) {
  const size_t bytes = size_t{header.e_phentsize} * header.e_phnum;
  if (header.e_phentsize != sizeof(Elf64_Phdr) || bytes > kMaxHeaders) {
    return Unrecordable(path,
                        "is not an executable this program understands: odd "
                        "program headers");
  }
  const std::string table = ReadAt(fd, header.e_phoff, bytes);
  std::string loader;
  for (size_t at = 0; at + sizeof(Elf64_Phdr) <= table.size();
       at += sizeof(Elf64_Phdr)) {
    Elf64_Phdr segment;
    memcpy(&segment, table.data() + at, sizeof(segment));
    if (segment.p_type != PT_INTERP) continue;
    loader = ReadAt(fd, segment.p_offset, std::min<size_t>(segment.p_filesz, 4096));
    loader.resize(strnlen(loader.data(), loader.size()));
  }
  const std::string name = BaseName(path);
  if (loader.empty()) {
    // The loader itself, started as a command, takes LD_PRELOAD.
    if (absl::StartsWith(name, "ld-linux") || absl::StartsWith(name, "ld-2.") ||
        name == "ld.so") {
      return absl::OkStatus();
    }
    return Unrecordable(
        path,
        "is statically linked: nothing can be preloaded into it, so "
        "it cannot be recorded");
  }
  if (absl::StartsWith(BaseName(loader), "ld-musl")) {
    return Unrecordable(
        path,
        "is linked with musl; only programs of the GNU C library can "
        "be recorded");
  }
  if (access(loader.c_str(), F_OK) != 0) {
    return absl::NotFoundError(absl::StrCat(path, " cannot be started: its loader ",
                                            loader, " is missing"));
  }
  return absl::OkStatus();
}

absl::Status CheckProgram(const std::string& path, int depth);

// "#!/path/of/interpreter one-argument"
absl::Status CheckScript(const std::string& path, absl::string_view first_line,
                         int depth) {
  if (depth >= kMaxInterpreters) {
    return absl::PermissionDeniedError(
        absl::StrCat(path, " cannot be executed: too many interpreters in a row"));
  }
  const size_t begin = first_line.find_first_not_of(" \t", 2);
  if (begin == absl::string_view::npos) return CheckProgram("/bin/sh", depth + 1);
  const size_t end = first_line.find_first_of(" \t", begin);
  const std::string interpreter(first_line.substr(begin, end - begin));
  if (access(interpreter.c_str(), F_OK) != 0) {
    return absl::NotFoundError(absl::StrCat(path, " is a script for ", interpreter,
                                            ", which does not exist"));
  }
  const absl::Status status = CheckProgram(interpreter, depth + 1);
  if (status.ok()) return status;
  return absl::Status(status.code(),
                      absl::StrCat(path, " is a script, and ", status.message()));
}

// REQUIRES: an executable regular file.
absl::Status CheckProgram(const std::string& path, int depth) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return absl::OkStatus();  // exec will say
  const File file(path);
  // Executable but not readable: cannot be looked into, and need not be.
  if (file.fd() < 0) return CheckPrivileges(path, info);
  Elf64_Ehdr header;
  if (ReadHeader(file.fd(), &header)) {
    absl::Status status = CheckMachine(path, header);
    if (status.ok()) status = CheckLoader(path, file.fd(), header);
    if (status.ok()) status = CheckPrivileges(path, info);
    return status;
  }
  const std::string start = ReadAt(file.fd(), 0, 256);
  if (absl::StartsWith(start, "#!")) {
    const absl::string_view line(start.data(),
                                 std::min(start.find('\n'), start.size()));
    return CheckScript(path, line, depth);
  }
  return absl::OkStatus();  // text for /bin/sh, or for a binfmt_misc handler
}

// What execvp would run; errors for what it would refuse.
absl::StatusOr<std::string> Resolve(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* path = getenv("PATH");
  std::string refused;
  for (absl::string_view directory :
       absl::StrSplit(path != nullptr ? path : "/bin:/usr/bin", ':')) {
    std::string candidate = directory.empty() ? absl::StrCat("./", name)
                                              : absl::StrCat(directory, "/", name);
    struct stat info;
    if (stat(candidate.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
    if (refused.empty()) refused = candidate;
  }
  if (!refused.empty()) return refused;
  return absl::NotFoundError(absl::StrCat(name, ": command not found"));
}

}  // namespace

absl::StatusOr<std::string> FindProgram(const std::string& name) {
  if (name.empty()) return absl::NotFoundError("the program's name is empty");
  absl::StatusOr<std::string> path = Resolve(name);
  if (!path.ok()) return path.status();
  struct stat info;
  if (stat(path->c_str(), &info) != 0) {
    if (errno == EACCES) {
      return absl::PermissionDeniedError(absl::StrCat(name, ": ", strerror(errno)));
    }
    return absl::NotFoundError(absl::StrCat(name, ": ", strerror(errno)));
  }
  if (S_ISDIR(info.st_mode)) {
    return absl::PermissionDeniedError(
        absl::StrCat(name, " is a directory, not a program"));
  }
  if (access(path->c_str(), X_OK) != 0 || !S_ISREG(info.st_mode)) {
    return absl::PermissionDeniedError(absl::StrCat(name, " is not executable"));
  }
  const absl::Status status = CheckProgram(*path, 0);
  if (!status.ok()) return status;
  return path;
}

absl::Status CheckLibrary(const std::string& path) {
  const File file(path);
  if (file.fd() < 0) {
    return absl::NotFoundError(absl::StrCat(path, ": ", strerror(errno)));
  }
  Elf64_Ehdr header;
  if (!ReadHeader(file.fd(), &header) || header.e_type != ET_DYN) {
    return Unrecordable(path, "is not a shared library");
  }
  return CheckMachine(path, header);
}

}  // namespace mallogram
