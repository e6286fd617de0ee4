// unrecorded REASON ENTRY: makes this process, or a child, one that is not recorded
// (or not any more), then calls one entry point that the library wraps, as the
// first thing that it does. Prints "ok ENTRY" and ends with 7. The caller tries
// every pair.
//
// Reasons that lie outside of the program (no socket, no collector) are "here".

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>

extern char** environ;

namespace {

constexpr int kStatus = 7;
void* g_library;

[[noreturn]] void Fail(const char* what) {
  dprintf(2, "%s: %s\n", what, strerror(errno));
  _exit(99);
}

// By an instruction of our own: nothing that is wrapped sees it.
long Raw(long number, long a = 0, long b = 0, long c = 0) {
  long result;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c)
               : "rcx", "r11", "memory");
  return result;
}

// A filter that kills for what setting up a recording takes, and for the calls that
// recorders like: no program that runs plain makes any of them here.
void InstallFilter(bool raw) {
  static const int kForbidden[] = {SYS_memfd_create, SYS_socket,    SYS_connect,
                                   SYS_sendmsg,      SYS_getrusage, SYS_mremap,
                                   SYS_gettid,       SYS_ptrace,    SYS_getppid};
  constexpr int kCount = sizeof(kForbidden) / sizeof(kForbidden[0]);
  sock_filter filter[2 * kCount + 2];
  unsigned short n = 0;
  filter[n++] = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr));
  for (const int call : kForbidden) {
    filter[n++] =
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(call), 0, 1);
    filter[n++] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  }
  filter[n++] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  const sock_fprog program = {n, filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) Fail("no_new_privs");
  const long result =
      raw ? Raw(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0,
                reinterpret_cast<long>(&program))
          : syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
  if (result != 0) Fail("seccomp");
}

// ---- reasons ----

// The collector is the launcher's other child.
void KillCollector() {
  DIR* proc = opendir("/proc");
  while (const dirent* entry = readdir(proc)) {
    const pid_t pid = atoi(entry->d_name);
    if (pid <= 0 || pid == getpid()) continue;
    char path[64], stat[512] = {};
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    const int fd = open(path, O_RDONLY);
    if (fd < 0) continue;
    const ssize_t got = read(fd, stat, sizeof(stat) - 1);
    close(fd);
    int parent = 0;
    const char* end = got > 0 ? strrchr(stat, ')') : nullptr;
    if (end == nullptr || sscanf(end, ") %*c %d", &parent) != 1) continue;
    if (parent == getppid() && strstr(stat, "(mgram-collecto") != nullptr) {
      kill(pid, SIGKILL);
      while (kill(pid, 0) == 0) usleep(1000);  // until the launcher has reaped it
    }
  }
  closedir(proc);
}

// No way to the collector: not by the path, not by the abstract name.
void HideSocket() {
  if (unshare(CLONE_NEWNET) != 0) Fail("unshare");
}

void Enter(const char* reason, char** argv) {
  const auto is = [&](const char* name) { return strcmp(reason, name) == 0; };
  if (is("here") || is("forked")) return;
  if (is("collector-killed")) return KillCollector();
  if (is("chroot")) {
    HideSocket();
    if (chroot("/proc/self/fdinfo") != 0) Fail("chroot");
    return;
  }
  if (is("user")) {
    HideSocket();
    if (setgid(65534) != 0 || setuid(65534) != 0) Fail("setuid");
    return;
  }
  if (is("sandbox")) return InstallFilter(/*raw=*/false);
  if (is("raw-sandbox-exec")) {
    InstallFilter(/*raw=*/true);
    char here[] = "here";
    char* arguments[] = {argv[0], here, argv[2], nullptr};
    execv("/proc/self/exe", arguments);
    Fail("execv");
  }
  Fail("unknown reason");
}

// ---- entry points ----

void Allocate() {
  free(malloc(100));
  free(calloc(3, 50));
  void* p = realloc(nullptr, 10);
  free(realloc(p, 1000));
  if (posix_memalign(&p, 64, 100) == 0) free(p);
  free(aligned_alloc(64, 128));
}

void* Thread(void*) {
  Allocate();
  return nullptr;
}

void OnSignal(int) { Allocate(); }

int InClone(void*) { _exit(0); }

void AwaitEnd(pid_t pid) {
  int status = -1;
  if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
    dprintf(2, "the child ended with %#x\n", status);
    _exit(98);
  }
}

// Chromium's way to chroot: the thread pointer leads to zeros.
void CloneWithoutThread() {
  alignas(16) static char stack[1 << 16], tls[4096];
  AwaitEnd(clone(InClone, stack + sizeof(stack),
                 CLONE_VM | CLONE_VFORK | CLONE_SETTLS | CLONE_FS | SIGCHLD,
                 nullptr, nullptr, tls + sizeof(tls) / 2, nullptr));
}

struct Entry {
  const char* name;
  void (*call)();
};

const Entry kEntries[] = {
    {"malloc", Allocate},
    {"dlopen",
     [] {
       if (dlopen("libz.so.1", RTLD_NOW) == nullptr && access("/lib", F_OK) == 0)
         Fail("dlopen");
     }},
    {"dlmopen", [] { dlmopen(LM_ID_BASE, "libz.so.1", RTLD_NOW); }},
    {"dlclose", [] { dlclose(g_library); }},
    {"fork",
     [] {
       const pid_t pid = fork();
       if (pid == 0) {
         Allocate();
         _exit(0);
       }
       AwaitEnd(pid);
     }},
    {"vfork",
     [] {
       const pid_t pid = vfork();
       if (pid == 0) _exit(0);
       AwaitEnd(pid);
     }},
    {"clone",
     [] {
       alignas(16) static char stack[1 << 16];
       AwaitEnd(clone(InClone, stack + sizeof(stack),
                      CLONE_VM | CLONE_VFORK | SIGCHLD, nullptr));
     }},
    {"clone_without_thread", CloneWithoutThread},
    {"exec",
     [] {
       const pid_t pid = fork();
       if (pid == 0) {
         execl("/bin/true", "true", nullptr);
         _exit(access("/bin", F_OK) == 0 ? 1 : 0);
       }
       AwaitEnd(pid);
     }},
    {"posix_spawn",
     [] {
       char name[] = "true";
       char* argv[] = {name, nullptr};
       pid_t pid = 0;
       if (posix_spawn(&pid, "/bin/true", nullptr, nullptr, argv, environ) == 0)
         AwaitEnd(pid);
     }},
    {"_exit",
     [] {
       dprintf(1, "ok _exit\n");
       _exit(kStatus);
     }},
    {"exit",
     [] {
       dprintf(1, "ok exit\n");
       exit(kStatus);
     }},
    {"quick_exit",
     [] {
       dprintf(1, "ok quick_exit\n");
       quick_exit(kStatus);
     }},
    {"write",
     [] {
       const char line[] = "phase two 1.5\n";
       if (write(2, line, sizeof(line) - 1) < 0) Fail("write");
     }},
    {"prctl",
     [] {
       char name[16];
       if (prctl(PR_GET_NAME, name, 0, 0, 0) != 0) Fail("prctl");
       // Refused: nothing is installed.
       if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, nullptr, 0, 0) == 0)
         Fail("prctl: no error");
       Allocate();
     }},
    {"syscall",
     [] {
       if (syscall(SYS_getpid) != getpid()) Fail("syscall");
       Allocate();
     }},
    {"thread",
     [] {
       pthread_t thread;
       if (pthread_create(&thread, nullptr, Thread, nullptr) != 0) Fail("thread");
       pthread_join(thread, nullptr);
     }},
    {"signal",
     [] {
       signal(SIGUSR1, OnSignal);
       kill(getpid(), SIGUSR1);  // raise() asks for more
     }},
};

void Call(const char* name) {
  for (const Entry& entry : kEntries) {
    if (strcmp(entry.name, name) != 0) continue;
    entry.call();
    dprintf(1, "ok %s\n", name);
    _exit(kStatus);
  }
  Fail("unknown entry point");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 1) {  // the list
    for (const Entry& entry : kEntries) puts(entry.name);
    return 0;
  }
  if (argc != 3) return 2;
  g_library = dlopen("libm.so.6", RTLD_NOW);
  // In a child: what it does first is what we ask for. But for those that would not
  // be the same in one.
  const bool here = strcmp(argv[1], "here") == 0 ||
                    strcmp(argv[1], "collector-killed") == 0 ||
                    strcmp(argv[1], "raw-sandbox-exec") == 0;
  if (!here) {
    const pid_t pid = fork();
    if (pid != 0) {
      int status = 0;
      if (waitpid(pid, &status, 0) != pid) Fail("waitpid");
      if (WIFSIGNALED(status)) {
        dprintf(1, "died of signal %d\n", WTERMSIG(status));
        return 1;
      }
      return WEXITSTATUS(status);
    }
  }
  Enter(argv[1], argv);
  Call(argv[2]);
}
