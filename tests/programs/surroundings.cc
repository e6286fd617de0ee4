// A program that changes its surroundings after it has started, then goes on
// allocating:
//
//   surroundings daemon FILE     double fork, setsid, every descriptor closed; the
//                                daemon writes FILE at its end
//   surroundings close           closes descriptors 0 to 1023 in the middle
//   surroundings chroot DIR      (as root) moves into DIR
//   surroundings user UID        (as root) becomes another user, then forks
//   surroundings limit-as        allocates to RLIMIT_AS
//   surroundings limit-files     no descriptor left, then fork
//   surroundings limit-size      RLIMIT_FSIZE 0: no file may grow
//   surroundings phdr THREADS N  dl_iterate_phdr with a callback that allocates,
//                                while libraries come and go
//   surroundings plain           only allocates: for limits set from outside
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/programs/site.h"

namespace {

SITE(SiteBefore);
SITE(SiteAfter);
SITE(SiteChild);
SITE(SiteCallback);
SITE(SiteUntilFull);

#define MALLOC(site, size)        \
  void* p = Keep(malloc(size));   \
  if (p == nullptr) abort();      \
  site##_account.Allocated(size); \
  return p
COUNTED void* SiteBefore(size_t n) { MALLOC(SiteBefore, n); }
COUNTED void* SiteAfter(size_t n) { MALLOC(SiteAfter, n); }
COUNTED void* SiteChild(size_t n) { MALLOC(SiteChild, n); }
COUNTED void* SiteCallback(size_t n) { MALLOC(SiteCallback, n); }
COUNTED void* SiteUntilFull(size_t n) {
  void* p = Keep(malloc(n));
  if (p != nullptr) SiteUntilFull_account.Allocated(n);
  return p;
}

void Before() {
  for (int i = 0; i < 500; ++i) SiteBefore(20);
}
void After() {
  for (int i = 0; i < 500; ++i) SiteAfter(30);
}

void Say(const char* text) {
  puts(text);
  fflush(stdout);
}

int Daemon(const char* file) {
  truth::Open();
  Before();
  if (fork() != 0) _exit(0);
  setsid();
  if (fork() != 0) _exit(0);
  truth::Reset();
  const int truth_copy = fcntl(truth::truth_fd, F_DUPFD, 1000);
  for (int fd = 0; fd < 1000; ++fd) close(fd);
  truth::truth_fd = truth_copy;
  umask(0);
  if (chdir("/") != 0) return 3;
  After();
  const int fd = open(file, O_WRONLY | O_CREAT, 0644);
  if (write(fd, fd == 0 ? "first free\n" : "LEFT OPEN!\n", 11) != 11) return 4;
  close(fd);
  truth::Write("daemon");
  return 0;
}

int Close() {
  truth::Open();
  Before();
  const int output = fcntl(1, F_DUPFD, 1100);
  const int truth_copy = fcntl(truth::truth_fd, F_DUPFD, 1100);
  for (int fd = 0; fd < 1100; ++fd) close(fd);
  truth::truth_fd = truth_copy;
  After();
  // What a program opens next must get the lowest numbers, as ever.
  char line[40];
  const int first = open("/dev/null", O_RDONLY),
            second = open("/dev/null", O_RDONLY);
  const int n = snprintf(line, sizeof(line), "next: %d %d\n", first, second);
  if (write(output, line, static_cast<size_t>(n)) != n) return 4;
  // A child's recorder finds no descriptor of its parent's.
  const pid_t pid = fork();
  if (pid == 0) {
    for (int i = 0; i < 100; ++i) SiteChild(10);
    _exit(6);
  }
  int status;
  waitpid(pid, &status, 0);
  return WEXITSTATUS(status) == 6 ? 0 : 5;
}

int ForkAndWait() {
  const pid_t pid = fork();
  if (pid == 0) {
    truth::Reset();
    for (int i = 0; i < 100; ++i) SiteChild(10);
    _exit(6);
  }
  int status;
  waitpid(pid, &status, 0);
  return WEXITSTATUS(status) == 6 ? 0 : 5;
}

int Chroot(const char* directory) {
  truth::Open();
  Before();
  if (chroot(directory) != 0 || chdir("/") != 0) return 3;
  After();
  Say(access("/etc/passwd", F_OK) == 0 ? "still outside" : "moved");
  return ForkAndWait();
}

int User(uid_t uid) {
  truth::Open();
  Before();
  if (setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0) return 3;
  After();
  Say(getuid() == uid ? "changed" : "NOT CHANGED");
  return ForkAndWait();
}

int LimitAs() {
  Before();
  // 64 MiB more than now.
  FILE* f = fopen("/proc/self/statm", "r");
  unsigned long pages = 0;
  if (f == nullptr || fscanf(f, "%lu", &pages) != 1) return 3;
  fclose(f);
  const rlim_t limit = pages * 4096 + (rlim_t{64} << 20);
  const rlimit as{limit, limit};
  setrlimit(RLIMIT_AS, &as);
  int blocks = 0;
  errno = 0;
  while (blocks < 1000 && SiteUntilFull(1 << 20) != nullptr) ++blocks;
  printf("%s, %s\n", blocks >= 32 && blocks <= 64 ? "filled" : "NOT FILLED",
         errno == ENOMEM ? "ENOMEM" : "another errno");
  for (int i = 0; i < 500; ++i) SiteAfter(30);
  return 0;
}

int LimitFiles() {
  truth::Open();
  Before();
  while (open("/dev/null", O_RDONLY) >= 0) {
    struct rlimit now;
    getrlimit(RLIMIT_NOFILE, &now);
    now.rlim_cur = 20;
    setrlimit(RLIMIT_NOFILE, &now);
  }
  Say(errno == EMFILE ? "no descriptor left" : "ANOTHER ERROR");
  After();
  return ForkAndWait();
}

int LimitSize() {
  truth::Open();
  Before();
  rlimit size;
  getrlimit(RLIMIT_FSIZE, &size);
  const rlimit none{0, size.rlim_max};
  setrlimit(RLIMIT_FSIZE, &none);  // SIGXFSZ kills whoever lets a file grow
  After();
  const int result = ForkAndWait();
  setrlimit(RLIMIT_FSIZE, &size);  // for the truth
  return result;
}

// ---- the loader's lock ----------------------------------------------------

std::atomic<bool> stop{false};
int iterations = 0;

void* Iterate(void*) {
  for (int i = 0; i < iterations; ++i) {
    dl_iterate_phdr(
        [](dl_phdr_info*, size_t, void*) {
          void* p = SiteCallback(16);
          SiteCallback_account.Freed(16);
          free(p);
          return 0;
        },
        nullptr);
  }
  return nullptr;
}

void* LoadAndUnload(void*) {
  while (!stop.load()) {
    for (const char* name : {"libz.so.1", "libutil.so.1", "librt.so.1"}) {
      void* library = dlopen(name, RTLD_NOW);
      if (library != nullptr) dlclose(library);
    }
  }
  return nullptr;
}

int Phdr(int threads) {
  pthread_t ids[64], loader;
  if (threads > 64) return 2;
  pthread_create(&loader, nullptr, LoadAndUnload, nullptr);
  for (int i = 0; i < threads; ++i)
    pthread_create(&ids[i], nullptr, Iterate, nullptr);
  for (int i = 0; i < threads; ++i) pthread_join(ids[i], nullptr);
  stop.store(true);
  pthread_join(loader, nullptr);
  puts("no deadlock");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const auto is = [&](const char* mode) { return strcmp(argv[1], mode) == 0; };
  int result = 2;
  if (is("daemon")) return Daemon(argv[2]);
  if (is("close")) result = Close();
  if (is("chroot")) result = Chroot(argv[2]);
  if (is("user")) result = User(static_cast<uid_t>(atoi(argv[2])));
  if (is("limit-as")) result = LimitAs();
  if (is("limit-files")) result = LimitFiles();
  if (is("limit-size")) result = LimitSize();
  if (is("phdr")) {
    iterations = atoi(argv[3]);
    result = Phdr(atoi(argv[2]));
  }
  if (is("plain")) {
    Before();
    After();
    Say("plain");
    result = 0;
  }
  truth::Write("surroundings");
  return result;
}
