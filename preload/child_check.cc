#include "preload/child_check.h"

#include <linux/capability.h>
#include <linux/xattr.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "preload/environment.h"
#include "preload/image.h"
#include "preload/may_call.h"
#include "preload/program_file.h"
#include "preload/shared_image.h"
#include "preload/sys.h"

namespace mallogram {
namespace {

// What the kernel calls a secure exec: the loader ignores LD_PRELOAD. Meant for the
// count alone, so it need not know all of the kernel's reasons.
bool IsPrivileged(int fd) {
  struct stat info;
  if (sys::Call(SYS_fstat, fd, sys::Arg(&info)) != 0) return false;
  const auto uid = static_cast<uid_t>(sys::Call(SYS_getuid));
  const auto gid = static_cast<gid_t>(sys::Call(SYS_getgid));
  const bool setuid = (info.st_mode & S_ISUID) != 0 && info.st_uid != uid;
  // Without the execute bit for the group, S_ISGID means mandatory locking.
  const bool setgid = (info.st_mode & S_ISGID) != 0 &&
                      (info.st_mode & S_IXGRP) != 0 && info.st_gid != gid;
  bool capable = false;
  if (uid != 0 && !setuid && !setgid) {
    char capabilities[64];
    capable = sys::Call(SYS_fgetxattr, fd, sys::Arg(XATTR_NAME_CAPS),
                        sys::Arg(capabilities), sizeof(capabilities)) > 0;
  }
  if (!setuid && !setgid && !capable) return false;
  constexpr long kNoSuid = 2;  // ST_NOSUID
  struct statfs volume {};
  if (sys::Call(SYS_fstatfs, fd, sys::Arg(&volume)) == 0 &&
      (volume.f_flags & kNoSuid) != 0) {
    return false;
  }
  return sys::Call(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1;
}

// The descriptor of the program, to be closed if it is not `name.descriptor`.
long Open(const ChildName& name) {
  if (name.path == nullptr || (name.may_be_empty && *name.path == 0)) {
    char byte;
    if (sys::Call(SYS_pread64, name.descriptor, sys::Arg(&byte), 1, 0) >= 0) {
      return name.descriptor;
    }
    // Opened with O_PATH, or for writing.
    char link[40] = "/proc/self/fd/";
    char* out = link + sizeof("/proc/self/fd/") - 1;
    char digits[12];
    int n = 0;
    for (int fd = name.descriptor; n == 0 || fd > 0; fd /= 10) {
      digits[n++] = static_cast<char>('0' + fd % 10);
    }
    while (n > 0) *out++ = digits[--n];
    *out = 0;
    return name.descriptor < 0 ? -1 : OpenProgram(AT_FDCWD, link);
  }
  return name.search ? OpenInPath(name.directory, name.path,
                                  FindVariable(ProgramEnvironment(), "PATH"))
                     : OpenProgram(name.directory, name.path);
}

Unrecordable Judge(const ChildName& name, char* const* environment) {
  const long fd = Open(name);
  if (fd < 0) return Unrecordable::kNot;
  // What `env` runs is looked at when it does.
  Unrecordable why =
      JudgeProgram(static_cast<int>(fd), name.path, nullptr, name.shell);
  if (why == Unrecordable::kNot && IsPrivileged(static_cast<int>(fd))) {
    why = Unrecordable::kPrivileged;
  }
  if (fd != name.descriptor) sys::Call(SYS_close, fd);
  if (why != Unrecordable::kNot) return why;
  why = PreloadedSanitizer(environment);
  if (why == Unrecordable::kNot && !LibraryIsThere())
    why = Unrecordable::kNoLibrary;
  return why;
}

void Count(Unrecordable why, uint32_t change) {
  ImageHeader* const header = g_image.family();
  if (why == Unrecordable::kNot || header == nullptr) return;
  header->unrecorded_children[static_cast<int>(why)].fetch_add(
      change, std::memory_order_relaxed);
}

// glibc's own, as it has been since posix_spawn can change directories (2.29).
struct SpawnAction {
  static constexpr int kChdir = 3, kFchdir = 4;
  int tag;
  union {
    const char* path;  // kChdir
    int fd;            // kFchdir
  };
  uint64_t more[2];
};
static_assert(sizeof(SpawnAction) == 32);

}  // namespace

Unrecordable CheckChild(const ChildName& name, char* const* environment) {
  // The program that is executed in a sandbox does not set up (sandbox.h).
  const Unrecordable why =
      MayCall() ? Judge(name, environment) : Unrecordable::kSandboxed;
  Count(why, 1);
  return why;
}

Unrecordable CheckSpawn(ChildName name, const posix_spawn_file_actions_t* actions,
                        char* const* environment) {
  long opened = -1;
  if (actions != nullptr && name.path != nullptr && MayCall()) {
    const auto* action = reinterpret_cast<const SpawnAction*>(actions->__actions);
    for (int i = 0; i < actions->__used; ++i) {
      if (action[i].tag == SpawnAction::kFchdir) name.directory = action[i].fd;
      if (action[i].tag != SpawnAction::kChdir) continue;
      const long fd =
          sys::Call(SYS_openat, name.directory, sys::Arg(action[i].path),
                    O_PATH | O_DIRECTORY | O_CLOEXEC);
      if (opened >= 0) sys::Call(SYS_close, opened);
      opened = fd;
      if (fd < 0) return Unrecordable::kNot;  // nor will the spawn work
      name.directory = static_cast<int>(fd);
    }
  }
  const Unrecordable why = CheckChild(name, environment);
  if (opened >= 0) sys::Call(SYS_close, opened);
  return why;
}

void CountChild(Unrecordable why) { Count(why, 1); }

void ForgetChild(Unrecordable why) { Count(why, ~0u); }

}  // namespace mallogram
