#include "preload/handover.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <initializer_list>

#include "preload/environment.h"
#include "preload/loaded.h"
#include "preload/sys.h"
#include "preload/text.h"

namespace mallogram {
namespace {

// Paths of the command, seen from the library's directory: installed and built.
constexpr const char* kCommandPlaces[] = {
    "/mallogram", "/../analyzer/mallogram", "/../bin/mallogram",
    "/../../bin/mallogram", "/../../../bin/mallogram"};

// Path of this library; its directory's length in *directory. 0: unknown.
size_t LibraryPath(char* out, size_t room, size_t* directory) {
  const link_map* const self = LibraryModule();
  if (self == nullptr) return 0;
  const char* name = self->l_name;
  size_t n = 0;
  *directory = 0;
  for (; name[n] != 0; ++n) {
    if (n + 1 >= room) return 0;
    out[n] = name[n];
    if (name[n] == '/') *directory = n;
  }
  out[n] = 0;
  return n;
}

bool FindCommand(char* path, size_t room) {
  size_t directory = 0;
  if (LibraryPath(path, room, &directory) == 0) return false;
  for (const char* place : kCommandPlaces) {
    size_t n = directory;
    for (const char* p = place; *p != 0 && n + 1 < room; ++p) path[n++] = *p;
    path[n] = 0;
    if (sys::Call(SYS_faccessat, AT_FDCWD, sys::Arg(path), X_OK) == 0) return true;
  }
  return false;
}

// Where only ancestors may trace a process (Yama), it has to name who else may:
// this process or one below it. Nothing follows from an error.
void AllowTracer(const SharedImage& image, long pid) {
  if (image.header->leak_check == LeakCheckMode::kNone || pid <= 0) return;
  constexpr int kSetTracer = 0x59616d61;  // PR_SET_PTRACER
  sys::Call(SYS_prctl, kSetTracer, pid);
}

bool SendHello(int socket, uint64_t key, const SharedImage& image) {
  HelloMessage hello{kImageMagic, kImageVersion, image.header->pid,
                     image.header->file_bytes, key};
  const int file = image.file();
  iovec part{&hello, sizeof(hello)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* c = CMSG_FIRSTHDR(&message);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(sizeof(int));
  __builtin_memcpy(CMSG_DATA(c), &file, sizeof(int));
  return sys::Call(SYS_sendmsg, socket, sys::Arg(&message), MSG_NOSIGNAL) ==
         static_cast<long>(sizeof(hello));
}

// The program's limits are not for its collector, which must get as far as to raise
// the others itself (collector/resource_limits.h): loaded, and with a descriptor or
// two.
void RaiseLimits() {
  for (const int resource : {RLIMIT_AS, RLIMIT_DATA, RLIMIT_NOFILE}) {
    rlimit64 limit{};
    if (sys::Call(SYS_prlimit64, 0, resource, 0, sys::Arg(&limit)) != 0) continue;
    limit.rlim_cur = limit.rlim_max;
    sys::Call(SYS_prlimit64, 0, resource, sys::Arg(&limit), 0);
  }
}

// The collector's side of the double fork: never returns.
[[noreturn]] void BecomeCollector(const char* command, int socket) {
  sys::Call(SYS_setsid);
  RaiseLimits();
  uint64_t no_signals = 0;
  sys::Call(SYS_rt_sigprocmask, SIG_SETMASK, sys::Arg(&no_signals), 0,
            sizeof(no_signals));
  // None of the program's descriptors may live on in the collector: a reader of
  // the program's output would wait for its end.
  const long null = sys::Call(SYS_openat, AT_FDCWD, sys::Arg("/dev/null"), O_RDWR);
  for (int fd = 0; fd < 3; ++fd) {
    if (fd != socket) sys::Call(SYS_dup3, null, fd, 0);
  }
  constexpr int kSocket = 3;
  if (socket != kSocket) {
    sys::Call(SYS_dup3, socket, kSocket, 0);
  } else {
    sys::Call(SYS_fcntl, kSocket, F_SETFD, 0);
  }
  sys::Call(SYS_close_range, kSocket + 1, ~0u, 0);
  // The environment without what would make the collector record itself.
  char* kept[4096];
  size_t n = 0;
  for (char** entry = ProgramEnvironment(); entry != nullptr && *entry != nullptr;
       ++entry) {
    if (StartsWith(*entry, "LD_PRELOAD=")) continue;
    if (n + 1 < sizeof(kept) / sizeof(kept[0])) kept[n++] = *entry;
  }
  kept[n] = nullptr;
  char fd_text[] = "3";
  char verb[sizeof(kCollectVerb)];
  __builtin_memcpy(verb, kCollectVerb, sizeof(kCollectVerb));
  char name[] = "mallogram", flag[] = "--fd";
  char* argv[] = {name, verb, flag, fd_text, nullptr};
  sys::Call(SYS_execve, sys::Arg(command), sys::Arg(argv), sys::Arg(kept));
  sys::Call(SYS_exit_group, 127);
  __builtin_unreachable();
}

// A collector of our own, by double fork so that it is no child of the program.
// Raw clone with exit signal 0: no SIGCHLD, no pthread_atfork handlers.
bool StartCollector(const Options& options, const SharedImage& image) {
  char command[PATH_MAX];
  if (!FindCommand(command, sizeof(command))) return false;
  int pair[2];
  if (sys::Call(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
                sys::Arg(pair)) != 0) {
    return false;
  }
  bool ok = SendHello(pair[0], options.key, image);
  if (ok) {
    const long child = sys::Call(SYS_clone, CLONE_VFORK);
    if (child == 0) {
      const long grandchild = sys::Call(SYS_clone, 0);
      if (grandchild == 0) BecomeCollector(command, pair[1]);
      sys::Call(SYS_write, pair[1], sys::Arg(&grandchild), sizeof(grandchild));
      sys::Call(SYS_exit_group, sys::IsError(grandchild) ? 1 : 0);
    }
    ok = !sys::IsError(child);
    int status = 0;
    if (ok) {
      sys::Call(SYS_wait4, child, sys::Arg(&status), __WALL);
      ok = status == 0;
      long collector = 0;
      if (ok && sys::Call(SYS_recvfrom, pair[0], sys::Arg(&collector),
                          sizeof(collector), MSG_DONTWAIT) == sizeof(collector)) {
        AllowTracer(image, collector);
      }
    }
  }
  sys::Call(SYS_close, pair[0]);
  sys::Call(SYS_close, pair[1]);
  return ok;
}

// Connects to `name` as a path, or as the abstract socket of that name.
bool Connect(long socket, const char* name, bool abstract) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  size_t n = abstract ? 1 : 0;
  if (Length(name) + n >= sizeof(address.sun_path)) return false;
  for (; *name != 0; ++name) address.sun_path[n++] = *name;
  // An abstract name ends with the address, a path with a NUL.
  const size_t bytes = offsetof(sockaddr_un, sun_path) + n + (abstract ? 0 : 1);
  return sys::Call(SYS_connect, socket, sys::Arg(&address),
                   static_cast<long>(bytes)) == 0;
}

// The path may be hidden (another user, root or mount namespace), the abstract name
// may be another network namespace's: whichever is there.
bool SendToSocket(const Options& options, const SharedImage& image) {
  const long socket =
      sys::Call(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (sys::IsError(socket)) return false;
  bool ok = Connect(socket, options.socket_path, /*abstract=*/false) ||
            Connect(socket, options.socket_path, /*abstract=*/true);
  // The launcher listens, and the collector is its child.
  ucred listener{};
  socklen_t room = sizeof(listener);
  if (ok && sys::Call(SYS_getsockopt, socket, SOL_SOCKET, SO_PEERCRED,
                      sys::Arg(&listener), sys::Arg(&room)) == 0) {
    AllowTracer(image, listener.pid);
  }
  ok = ok && SendHello(static_cast<int>(socket), options.key, image);
  sys::Call(SYS_close, socket);
  return ok;
}

}  // namespace

bool HandOver(const Options& options, const SharedImage& image) {
  return options.socket_path[0] != 0 ? SendToSocket(options, image)
                                     : StartCollector(options, image);
}

}  // namespace mallogram
