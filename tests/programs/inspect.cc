// What a program can see of itself: printed, so that a plain run and a traced one
// can be compared. A tracer that behaves as if it were not there changes nothing
// here but LD_PRELOAD and its own variables.
//
//   inspect [threads]      with three threads of its own
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

extern char** environ;

namespace {

// Descriptors with what they are; sockets and pipes without their numbers.
void PrintDescriptors(const char* when) {
  printf("descriptors %s:", when);
  for (int fd = 0; fd < 64; ++fd) {
    char name[32], target[512];
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    const ssize_t n = readlink(name, target, sizeof(target) - 1);
    if (n < 0) continue;
    target[n] = 0;
    target[strcspn(target, "[")] = 0;
    printf(" %d=%s%s", fd, target[0] == '/' ? "file" : target,
           (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0 ? "(cloexec)" : "");
  }
  printf("\n");
}

int CountEntries(const char* directory) {
  DIR* d = opendir(directory);
  if (d == nullptr) return -1;
  int n = 0;
  while (const dirent* entry = readdir(d)) n += entry->d_name[0] != '.';
  closedir(d);
  return n;
}

void PrintSignals() {
  for (int number = 1; number < 65; ++number) {
    struct sigaction action;
    if (sigaction(number, nullptr, &action) != 0) continue;
    if (action.sa_handler == SIG_IGN)
      printf("signal %d is ignored\n", number);
    else if (action.sa_handler != SIG_DFL)
      printf("signal %d is handled\n", number);
  }
  sigset_t blocked;
  pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  for (int number = 1; number < 65; ++number) {
    if (sigismember(&blocked, number) == 1)
      printf("signal %d is blocked\n", number);
  }
  stack_t stack;
  sigaltstack(nullptr, &stack);
  printf("alternate stack: %s\n",
         (stack.ss_flags & SS_DISABLE) != 0 ? "none" : "SET");
}

void PrintChildren() {
  char path[64], text[256] = "";
  snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
  const int fd = open(path, O_RDONLY);
  const ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
  if (fd >= 0) close(fd);
  printf("children: %s\n", n > 0 ? text : "none");
}

void* Wait(void* barrier) {
  pthread_barrier_wait(static_cast<pthread_barrier_t*>(barrier));
  pthread_barrier_wait(static_cast<pthread_barrier_t*>(barrier));
  return nullptr;
}

}  // namespace

int main(int argc, char**) {
  setvbuf(stdout, nullptr, _IOFBF, 1 << 16);
  PrintDescriptors("at start");
  pthread_barrier_t barrier;
  pthread_barrier_init(&barrier, nullptr, 4);
  pthread_t ids[3];
  for (pthread_t& id : ids) {
    if (argc > 1) pthread_create(&id, nullptr, Wait, &barrier);
  }
  if (argc > 1) pthread_barrier_wait(&barrier);
  for (int i = 0; i < 1000; ++i) free(calloc(1, static_cast<size_t>(i)));
  printf("threads: %d\n", CountEntries("/proc/self/task"));
  PrintChildren();
  PrintSignals();
  for (int resource = 0; resource < RLIM_NLIMITS; ++resource) {
    rlimit limit;
    getrlimit(static_cast<__rlimit_resource>(resource), &limit);
    printf("limit %d: %llu %llu\n", resource,
           static_cast<unsigned long long>(limit.rlim_cur),
           static_cast<unsigned long long>(limit.rlim_max));
  }
  const mode_t mask = umask(0);
  umask(mask);
  printf("umask %o, session is %s, group is %s\n", mask,
         getsid(0) == getpid() ? "mine" : "inherited",
         getpgid(0) == getpid() ? "mine" : "inherited");
  // Timers, as a tracer might tick: the interval timers must be off.
  printf("nice %d\n", getpriority(PRIO_PROCESS, 0));
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (strncmp(*variable, "LD_PRELOAD=", 11) == 0) continue;
    if (strncmp(*variable, "MALLOGRAM", 9) == 0) continue;
    printf("environment %s\n", *variable);
  }
  printf("standard output is %s\n", isatty(1) ? "a terminal" : "no terminal");
  if (argc > 1) {
    pthread_barrier_wait(&barrier);
    for (pthread_t id : ids) pthread_join(id, nullptr);
  }
  PrintDescriptors("at the end");
  printf("next descriptor: %d\n", open("/dev/null", O_RDONLY));
  return 0;
}
