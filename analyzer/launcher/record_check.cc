#include "analyzer/launcher/record_check.h"

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

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "preload/program_file.h"

namespace mallogram {
namespace {

absl::Status CannotRecord(absl::string_view path, absl::string_view why) {
  return absl::FailedPreconditionError(absl::StrCat(path, " ", why));
}

std::string UserName(uid_t uid) {
  const passwd* user = getpwuid(uid);
  return user != nullptr ? user->pw_name : absl::StrCat("user ", uid);
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
    return CannotRecord(
        path, absl::StrCat("is setuid ", user, ": the system lets nothing be ",
                           "preloaded into it; run mallogram as ", user));
  }
  if (setgid && info.st_gid != getgid()) {
    return CannotRecord(
        path,
        absl::StrCat("is setgid (group ", info.st_gid, "): the system lets ",
                     "nothing be preloaded into it; run mallogram as that group"));
  }
  if ((!setuid && geteuid() != getuid()) || (!setgid && getegid() != getgid())) {
    return CannotRecord(path,
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
      return CannotRecord(path,
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

absl::Status CheckMachine(const std::string& path, const FileLook& look) {
  if (look.machine != EM_X86_64) {
    return CannotRecord(path,
                        absl::StrCat("is built for ", MachineName(look.machine),
                                     "; only 64-bit x86 programs can be "
                                     "recorded on this machine"));
  }
  if (!look.is_64_bit) {
    return CannotRecord(path,
                        "is a 32-bit (x32) program; only 64-bit x86 programs can "
                        "be recorded");
  }
  return absl::OkStatus();
}

// How to build a program without a sanitizer that has a malloc of its own.
struct Sanitizer {
  const char *name, *flag;
};
Sanitizer SanitizerOf(Unrecordable why) {
  switch (why) {
    case Unrecordable::kAddressSanitizer:
      return {"AddressSanitizer", "-fsanitize=address"};
    case Unrecordable::kThreadSanitizer:
      return {"ThreadSanitizer", "-fsanitize=thread"};
    case Unrecordable::kMemorySanitizer:
      return {"MemorySanitizer", "-fsanitize=memory"};
    case Unrecordable::kHwAddressSanitizer:
      return {"HWAddressSanitizer", "-fsanitize=hwaddress"};
    case Unrecordable::kLeakSanitizer:
      return {"LeakSanitizer", "-fsanitize=leak"};
    default:
      return {"a sanitizer", "it"};
  }
}
// A dynamic executable names its loader; LD_PRELOAD is a word to the loader.
absl::Status CheckLoader(const std::string& path, const FileLook& look) {
  if (look.has_odd_headers) {
    return CannotRecord(path,
                        "is not an executable this program understands: odd "
                        "program headers");
  }
  if (look.loader[0] != 0 && access(look.loader, F_OK) != 0) {
    return absl::NotFoundError(absl::StrCat(path, " cannot be started: its loader ",
                                            look.loader, " is missing"));
  }
  switch (JudgeFile(look, path.c_str())) {
    case Unrecordable::kStatic:
      return CannotRecord(
          path,
          "is statically linked: nothing can be preloaded into it, so "
          "it cannot be recorded");
    case Unrecordable::kMusl:
      return CannotRecord(
          path,
          "is linked with musl; only programs of the GNU C library can "
          "be recorded");
    case Unrecordable::kOtherLibc:
      return CannotRecord(
          path, absl::StrCat("is started by ", look.loader,
                             ", which is not the loader of the GNU C library 2.35 "
                             "or later: it cannot be recorded"));
    default:
      return absl::OkStatus();
  }
}

absl::Status CheckProgram(const std::string& path, int depth);

absl::Status CheckScript(const std::string& path, const FileLook& look, int depth) {
  if (depth >= kMaxInterpreters) {
    return absl::PermissionDeniedError(
        absl::StrCat(path, " cannot be executed: too many interpreters in a row"));
  }
  if (look.loader[0] == 0) return CheckProgram("/bin/sh", depth + 1);
  if (access(look.loader, F_OK) != 0) {
    return absl::NotFoundError(absl::StrCat(path, " is a script for ", look.loader,
                                            ", which does not exist"));
  }
  const absl::Status status = CheckProgram(look.loader, depth + 1);
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
  const FileLook look = LookAtFile(file.fd());
  if (look.format == FileLook::kScript) return CheckScript(path, look, depth);
  // Text for /bin/sh, or for a binfmt_misc handler.
  if (look.format != FileLook::kElf) return absl::OkStatus();
  absl::Status status = CheckMachine(path, look);
  if (status.ok()) status = CheckLoader(path, look);
  if (status.ok()) status = CheckPrivileges(path, info);
  return status;
}

// One line on a program that a sanitizer keeps from being recorded; empty: none
// does.
std::string WhyPlain(const std::string& path) {
  const char* preloads = getenv("LD_PRELOAD");
  for (const absl::string_view entry :
       absl::StrSplit(preloads != nullptr ? preloads : "", absl::ByAnyChar(": "))) {
    if (SanitizerLibrary({entry.data(), entry.size()}) == Unrecordable::kNot)
      continue;
    return absl::StrCat(
        "LD_PRELOAD names ", entry,
        ", a sanitizer whose malloc is its own: nothing to record; ", path,
        " runs as it would without mallogram");
  }
  const File file(path);
  const char* search = getenv("PATH");
  const Unrecordable why =
      JudgeProgram(file.fd(), path.c_str(),
                   search != nullptr ? search : "/bin:/usr/bin", /*shell=*/true);
  if (!IsSanitizer(why)) return "";
  const Sanitizer sanitizer = SanitizerOf(why);
  return absl::StrCat(
      path, " is built with ", sanitizer.name,
      ", whose malloc is its own: nothing to record, so it runs as ",
      "it would without mallogram; rebuild it without ", sanitizer.flag,
      ", or use what ", sanitizer.name, " itself reports");
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

absl::StatusOr<std::string> FindProgram(const std::string& name,
                                        std::string* plain) {
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
  const std::string why = WhyPlain(*path);
  if (plain != nullptr) {
    *plain = why;
  } else if (!why.empty()) {
    return absl::FailedPreconditionError(why);
  }
  return path;
}

absl::Status CheckLibrary(const std::string& path) {
  const File file(path);
  if (file.fd() < 0) {
    return absl::NotFoundError(absl::StrCat(path, ": ", strerror(errno)));
  }
  const FileLook look = LookAtFile(file.fd());
  if (look.format != FileLook::kElf || look.type != ET_DYN) {
    return CannotRecord(path, "is not a shared library");
  }
  return CheckMachine(path, look);
}

}  // namespace mallogram
