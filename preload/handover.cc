#include "preload/handover.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <linux/close_range.h>
#include <linux/memfd.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "preload/clock.h"
#include "preload/command_line.h"
#include "preload/environment.h"
#include "preload/sampler.h"
#include "preload/sys.h"

// Where this library begins and ends, by the linker.
extern "C" {
[[gnu::visibility("hidden")]] extern const char __ehdr_start, _end;
}

namespace mallogram {
namespace {

// Sparse sizes: only what is touched takes memory. The smaller geometries are for
// processes under RLIMIT_AS or RLIMIT_FSIZE, whose allowance is not ours to spend.
struct Geometry {
  uint32_t rings;
  RingGeometry ring_words;
  uint32_t modules, strings, nodes;
};
constexpr Geometry kGeometries[] = {
    {4096, {1 << 17, 1 << 14}, 16384, 4 << 20, 1 << 26},
    {512, {1 << 17, 1 << 14}, 4096, 1 << 20, 1 << 22},
    {64, {1 << 13, 1 << 12}, 1024, 256 << 10, 1 << 18},
    {16, {1 << 11, 1 << 11}, 512, 64 << 10, 1 << 15},
};
// Of the address space that RLIMIT_AS grants, the image takes at most 1/16.
constexpr uint64_t kAddressSpaceShare = 16;

Options g_options;
bool g_options_read;

const char* Environment(const char* name) {
  char** entry = ProgramEnvironment();
  for (; entry != nullptr && *entry != nullptr; ++entry) {
    const char* e = *entry;
    const char* n = name;
    while (*n != 0 && *e == *n) ++e, ++n;
    if (*n == 0 && *e == '=') return e + 1;
  }
  return nullptr;
}

uint64_t ParseNumber(const char* text, uint64_t otherwise, uint64_t most) {
  if (text == nullptr || *text == 0) return otherwise;
  uint64_t value = 0;
  for (; *text != 0; ++text) {
    if (*text < '0' || *text > '9' || value > most) return otherwise;
    value = value * 10 + static_cast<uint64_t>(*text - '0');
  }
  return value > most ? otherwise : value;
}

uint64_t Limit(int resource) {
  rlimit64 limit{};
  if (sys::Call(SYS_prlimit64, 0, resource, 0, sys::Arg(&limit)) != 0) {
    return RLIM64_INFINITY;
  }
  return limit.rlim_cur;
}

constexpr uint64_t RoundUp(uint64_t bytes) {
  return (bytes + kImagePage - 1) & ~(kImagePage - 1);
}

// Fills the geometry part of `h` (an image's header, or scratch memory to learn
// the size from); returns the image's size.
uint64_t LayOut(const Geometry& g, uint32_t ring_words, ImageHeader* h) {
  h->max_rings = g.rings;
  h->ring_words =
      ring_words != 0 ? RingGeometry{ring_words, ring_words} : g.ring_words;
  h->max_modules = g.modules;
  h->strings_bytes = g.strings;
  h->max_nodes = g.nodes;
  h->header_bytes = sizeof(ImageHeader);
  h->rings_offset = RoundUp(sizeof(ImageHeader));
  h->modules_offset = h->rings_offset + RoundUp(sizeof(RingSlot) * g.rings);
  h->strings_offset = h->modules_offset + RoundUp(sizeof(ModuleSlot) * g.modules);
  h->nodes_offset = h->strings_offset + RoundUp(g.strings);
  h->ring_data_offset =
      h->nodes_offset + RoundUp(sizeof(StackNode) * uint64_t{g.nodes});
  h->image_bytes = h->ring_data_offset + RoundUp(8 * h->ring_words.Start(g.rings));
  return h->image_bytes;
}

int OpenMemory() {
  long fd = sys::Call(SYS_memfd_create, sys::Arg("mallogram"), MFD_CLOEXEC);
  if (!sys::IsError(fd)) return static_cast<int>(fd);
  // Kernels and sandboxes without memfd_create: a nameless file in memory.
  fd = sys::Call(SYS_openat, AT_FDCWD, sys::Arg("/dev/shm"),
                 O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
  return sys::IsError(fd) ? -1 : static_cast<int>(fd);
}

// Executable, directory and arguments, as the first of the strings; returns how
// much of them is used. Four or five system calls, once per process.
uint32_t DescribeProcess(ImageHeader* h, char* strings) {
  uint32_t used = 1;  // offset 0: ""
  // The strings are zeroed, so every entry is followed by its NUL.
  const long room = static_cast<long>(h->strings_bytes / 8);
  long n = sys::Call(SYS_readlinkat, AT_FDCWD, sys::Arg("/proc/self/exe"),
                     sys::Arg(strings + used), room);
  if (n > 0 && n < room) {
    h->executable_offset = used;
    used += static_cast<uint32_t>(n) + 1;
  }
  n = sys::Call(SYS_getcwd, sys::Arg(strings + used), room);
  if (n > 1 && strings[used] == '/') {  // else "(unreachable)"
    h->directory_offset = used;
    used += static_cast<uint32_t>(n);
  }
  const uint32_t bytes =
      CommandLine(strings + used, static_cast<uint32_t>(room - 1));
  if (bytes != 0) {
    h->arguments_offset = used;
    h->arguments_bytes = bytes;
    used += bytes + 1;
  }
  return used;
}

// Paths of the command, seen from the library's directory: installed and built.
constexpr const char* kCommandPlaces[] = {
    "/mallogram", "/../analyzer/mallogram", "/../bin/mallogram",
    "/../../bin/mallogram", "/../../../bin/mallogram"};

// Path of this library; its directory's length in *directory. 0: unknown.
size_t LibraryPath(char* out, size_t room, size_t* directory) {
  dl_find_object self;
  if (_dl_find_object(reinterpret_cast<void*>(&LibraryPath), &self) != 0) return 0;
  const char* name = self.dlfo_link_map->l_name;
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
void AllowTracer(const Image& image, long pid) {
  if (image.header->leak_check == LeakCheckMode::kNone || pid <= 0) return;
  constexpr int kSetTracer = 0x59616d61;  // PR_SET_PTRACER
  sys::Call(SYS_prctl, kSetTracer, pid);
}

bool SendHello(int socket, const Image& image) {
  HelloMessage hello{kImageMagic, kImageVersion, image.header->pid,
                     image.header->image_bytes};
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
  __builtin_memcpy(CMSG_DATA(c), &image.fd, sizeof(int));
  return sys::Call(SYS_sendmsg, socket, sys::Arg(&message), MSG_NOSIGNAL) ==
         static_cast<long>(sizeof(hello));
}

// The collector's side of the double fork: never returns.
[[noreturn]] void BecomeCollector(const char* command, int socket) {
  sys::Call(SYS_setsid);
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
    const char* e = *entry;
    constexpr char kPreload[] = "LD_PRELOAD=";
    if (__builtin_strncmp(e, kPreload, sizeof(kPreload) - 1) == 0) continue;
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
bool StartCollector(const Image& image) {
  char command[PATH_MAX];
  if (!FindCommand(command, sizeof(command))) return false;
  int pair[2];
  if (sys::Call(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
                sys::Arg(pair)) != 0) {
    return false;
  }
  bool ok = SendHello(pair[0], image);
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

bool SendToSocket(const char* path, const Image& image) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  size_t n = 0;
  for (; path[n] != 0; ++n) address.sun_path[n] = path[n];
  const long socket =
      sys::Call(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (sys::IsError(socket)) return false;
  const long bytes = static_cast<long>(offsetof(sockaddr_un, sun_path) + n + 1);
  bool ok = sys::Call(SYS_connect, socket, sys::Arg(&address), bytes) == 0;
  // The launcher listens, and the collector is its child.
  ucred listener{};
  socklen_t room = sizeof(listener);
  if (ok && sys::Call(SYS_getsockopt, socket, SOL_SOCKET, SO_PEERCRED,
                      sys::Arg(&listener), sys::Arg(&room)) == 0) {
    AllowTracer(image, listener.pid);
  }
  ok = ok && SendHello(static_cast<int>(socket), image);
  sys::Call(SYS_close, socket);
  return ok;
}

}  // namespace

const Options& ReadOptions() {
  if (g_options_read) return g_options;
  Options options{};
  options.enabled = true;
  options.max_depth =
      static_cast<uint32_t>(ParseNumber(Environment(kEnvMaxDepth), 0, UINT32_MAX));
  options.sample_interval =
      ParseNumber(Environment(kEnvSample), 0, kMaxSampleInterval);
  if (options.sample_interval == 1) options.sample_interval = 0;  // every byte
  options.sample_seed = ParseNumber(Environment(kEnvSampleSeed), 0, UINT32_MAX);
  const char* on_full = Environment(kEnvOnFull);
  options.on_full =
      on_full != nullptr && on_full[0] == 'd' ? OnFull::kDrop : OnFull::kWait;
  const char* verify = Environment(kEnvVerify);
  options.verify = verify != nullptr && verify[0] == '1';
  const char* leak_check = Environment(kEnvLeakCheck);
  options.leak_check = leak_check == nullptr  ? LeakCheckMode::kExit
                       : leak_check[0] == 'n' ? LeakCheckMode::kNone
                       : leak_check[0] == 'f' ? LeakCheckMode::kFull
                                              : LeakCheckMode::kExit;
  // Most blocks are not known then: nothing could be followed.
  if (options.sample_interval != 0) options.leak_check = LeakCheckMode::kNone;
  const char* mismatches = Environment(kEnvMismatches);
  options.mismatches = mismatches != nullptr && mismatches[0] == '1';
  // Rounded down to a power of two; 0 keeps the geometry's own.
  const auto kib =
      static_cast<uint32_t>(ParseNumber(Environment(kEnvRingKib), 0, UINT32_MAX));
  if (kib >= 4 && kib <= (1u << 20)) {
    options.ring_words = 1u << (31 - __builtin_clz(kib * 128));
  }
  const char* path = Environment(kEnvSocket);
  if (path != nullptr) {
    size_t n = 0;
    for (; path[n] != 0 && n + 1 < sizeof(options.socket_path); ++n) {
      options.socket_path[n] = path[n];
    }
    if (path[n] != 0) options.enabled = false;  // no socket has such a name
  }
  g_options = options;
  g_options_read = true;
  return g_options;
}

bool CreateImage(const Options& options, Image* image) {
  const uint64_t address_space = Limit(RLIMIT_AS);
  const uint64_t file_size = Limit(RLIMIT_FSIZE);
  const int fd = OpenMemory();
  if (fd < 0) return false;
  ImageHeader* header = nullptr;
  ImageHeader layout{};
  for (const Geometry& geometry : kGeometries) {
    const uint64_t bytes = LayOut(geometry, options.ring_words, &layout);
    if (bytes > file_size) continue;  // ftruncate would raise SIGXFSZ
    if (address_space != RLIM64_INFINITY &&
        bytes > address_space / kAddressSpaceShare) {
      continue;
    }
    if (sys::IsError(sys::Call(SYS_ftruncate, fd, static_cast<long>(bytes))))
      continue;
    const long p =
        sys::Call(SYS_mmap, 0, static_cast<long>(bytes), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (sys::IsError(p)) continue;
    header = reinterpret_cast<ImageHeader*>(p);
    LayOut(geometry, options.ring_words, header);
    // A forked child must not see its parent's rings; a core dump need not.
    sys::Call(SYS_madvise, p, static_cast<long>(bytes), MADV_DONTFORK);
    sys::Call(SYS_madvise, p, static_cast<long>(bytes), MADV_DONTDUMP);
    break;
  }
  if (header == nullptr) {
    sys::Call(SYS_close, fd);
    return false;
  }
  header->version = kImageVersion;
  header->pid = sys::GetPid();
  header->ppid = static_cast<int>(sys::Call(SYS_getppid));
  header->tsc_is_clock = TscIsInvariant() ? 1 : 0;
  header->start_realtime_ns = sys::ClockNs(CLOCK_REALTIME);
  header->start_monotonic_ns = sys::ClockNs(CLOCK_MONOTONIC);
  header->start_tsc = ReadStamp(header->tsc_is_clock != 0);
  header->max_depth = options.max_depth;
  header->on_full = options.on_full;
  header->verify = options.verify ? 1 : 0;
  header->sample_interval = options.sample_interval;
  header->library_start = reinterpret_cast<uint64_t>(&__ehdr_start);
  header->library_end = reinterpret_cast<uint64_t>(&_end);
  header->image_address = reinterpret_cast<uint64_t>(header);
  header->own_ranges = reinterpret_cast<uint64_t>(&sys::own_ranges);
  header->own_ranges_max = sys::kMaxOwnRanges;
  header->leak_check = options.leak_check;
  header->node_count.store(kFirstNode, std::memory_order_relaxed);
  header->magic = kImageMagic;

  char* base = reinterpret_cast<char*>(header);
  header->strings_used.store(DescribeProcess(header, base + header->strings_offset),
                             std::memory_order_relaxed);
  image->fd = fd;
  image->header = header;
  image->rings = reinterpret_cast<RingSlot*>(base + header->rings_offset);
  image->modules = reinterpret_cast<ModuleSlot*>(base + header->modules_offset);
  image->strings = base + header->strings_offset;
  image->nodes = reinterpret_cast<StackNode*>(base + header->nodes_offset);
  image->data = reinterpret_cast<uint64_t*>(base + header->ring_data_offset);
  return true;
}

bool HandOver(const Options& options, const Image& image) {
  const bool ok = options.socket_path[0] != 0
                      ? SendToSocket(options.socket_path, image)
                      : StartCollector(image);
  sys::Call(SYS_close, image.fd);
  if (!ok) {  // nobody will ever read it
    sys::Call(SYS_munmap, sys::Arg(image.header),
              static_cast<long>(image.header->image_bytes));
  }
  return ok;
}

}  // namespace mallogram
