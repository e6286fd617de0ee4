// Every way to start a process, with allocations on both sides of it:
//
//   processes leaf SIZE            allocates 100 blocks of SIZE, ends with 5
//   processes fork                 fork, child allocates, grandchild too
//   processes fork-threads N       N forks while four threads are inside malloc
//   processes vfork | spawn | system | popen | clone
//   processes exec | exec-empty | exec-path | fexec     replaces itself by a leaf
//   processes exec-thread          the same from a second thread
//   processes exec-fails           execve of nothing: the program goes on
//
// Each process writes its own truth. Output is in a fixed order: every parent
// waits for its child.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/programs/site.h"

extern char** environ;

namespace {

SITE(SiteParent);
SITE(SiteChild);
SITE(SiteGrandchild);
SITE(SiteVforkChild);
SITE(SiteLeaf);
SITE(SiteBusy);

#define MALLOC(site, size)        \
  void* p = Keep(malloc(size));   \
  if (p == nullptr) abort();      \
  site##_account.Allocated(size); \
  return p
COUNTED void* SiteParent(size_t n) { MALLOC(SiteParent, n); }
COUNTED void* SiteChild(size_t n) { MALLOC(SiteChild, n); }
COUNTED void* SiteGrandchild(size_t n) { MALLOC(SiteGrandchild, n); }
COUNTED void* SiteVforkChild(size_t n) { MALLOC(SiteVforkChild, n); }
COUNTED void* SiteLeaf(size_t n) { MALLOC(SiteLeaf, n); }
COUNTED void* SiteBusy(size_t n) { MALLOC(SiteBusy, n); }

char self[4096];  // path of this program
char* leaf_argv[] = {self, const_cast<char*>("leaf"), const_cast<char*>("64"),
                     nullptr};

void Say(const char* what, int number) {
  printf("%s %d\n", what, number);
  fflush(stdout);
}

int WaitFor(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return -1;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

int Leaf(size_t size) {
  for (int i = 0; i < 100; ++i) {
    void* p = SiteLeaf(size);
    if (i % 2 == 0) {
      SiteLeaf_account.Freed(size);
      free(p);
    }
  }
  truth::Write("leaf");
  Say("leaf", static_cast<int>(size));
  return 5;
}

void* inherited[50];  // allocated by the parent, freed by both

int Child() {
  truth::Reset();
  for (int i = 0; i < 100; ++i) SiteChild(200);
  for (void* p : inherited) free(p);
  const pid_t pid = fork();
  if (pid == 0) {
    truth::Reset();
    for (int i = 0; i < 10; ++i) SiteGrandchild(300);
    truth::Write("grandchild");
    _exit(12);
  }
  const int status = WaitFor(pid);
  truth::Write("child");
  return status;
}

int Fork() {
  for (void*& p : inherited) p = SiteParent(100);
  const pid_t pid = fork();
  if (pid == 0) _exit(Child());
  Say("child ended with", WaitFor(pid));
  for (void* p : inherited) {
    SiteParent_account.Freed(100);
    free(p);
  }
  return 0;
}

std::atomic<bool> stop{false};

void* Busy(void*) {
  void* blocks[32] = {};
  for (uint64_t i = 0; !stop.load(std::memory_order_relaxed); ++i) {
    void*& block = blocks[i % 32];
    if (block != nullptr) {
      SiteBusy_account.Freed(48);
      free(block);
    }
    block = SiteBusy(48);
  }
  return nullptr;
}

void* ChildThread(void*) {
  for (int i = 0; i < 100; ++i) SiteChild(20);
  return nullptr;
}

int ForkThreads(int forks) {
  pthread_t ids[4];
  for (pthread_t& id : ids) {
    if (pthread_create(&id, nullptr, Busy, nullptr) != 0) return 3;
  }
  int bad = 0;
  for (int i = 0; i < forks; ++i) {
    SiteParent(10);
    const pid_t pid = fork();
    if (pid == 0) {
      truth::Reset();
      alarm(30);  // a child that hangs is killed and counted
      for (int k = 0; k < 100; ++k) SiteChild(20);
      // A thread born in the child must not wait for a lock of the parent's.
      pthread_t id;
      if (pthread_create(&id, nullptr, ChildThread, nullptr) != 0) _exit(4);
      pthread_join(id, nullptr);
      truth::Write("child");
      _exit(9);
    }
    if (WaitFor(pid) != 9) ++bad;
  }
  stop.store(true);
  for (pthread_t& id : ids) pthread_join(id, nullptr);
  Say("children that did not end well:", bad);
  return 0;
}

// The child of vfork runs in this memory: what it allocates is ours.
int Vfork() {
  void* volatile from_child = nullptr;
  const pid_t pid = vfork();
  if (pid == 0) {
    from_child = SiteVforkChild(123);
    _exit(6);
  }
  Say("vfork child ended with", WaitFor(pid));
  SiteVforkChild_account.Freed(123);
  free(from_child);
  SiteParent(77);
  const pid_t second = vfork();
  if (second == 0) {
    execve(self, leaf_argv, environ);
    _exit(127);
  }
  Say("vfork and exec ended with", WaitFor(second));
  SiteParent(78);
  return 0;
}

int Spawn() {
  SiteParent(10);
  pid_t pid;
  if (posix_spawn(&pid, self, nullptr, nullptr, leaf_argv, environ) != 0) return 3;
  Say("spawned, ended with", WaitFor(pid));
  char* empty[] = {nullptr};
  char* one[] = {const_cast<char*>("ONLY=this"), nullptr};
  if (posix_spawn(&pid, self, nullptr, nullptr, leaf_argv, empty) != 0) return 3;
  Say("spawned without environment, ended with", WaitFor(pid));
  if (posix_spawnp(&pid, self, nullptr, nullptr, leaf_argv, one) != 0) return 3;
  Say("spawned with another environment, ended with", WaitFor(pid));
  const int error =
      posix_spawn(&pid, "/nonexistent", nullptr, nullptr, leaf_argv, environ);
  Say("spawning nothing:", error);
  SiteParent(11);
  return 0;
}

int System(const char* argv0) {
  SiteParent(10);
  char line[8192];
  snprintf(line, sizeof(line), "'%s' leaf 32; exit 3", argv0);
  Say("system ended with", WEXITSTATUS(system(line)));
  SiteParent(11);
  return 0;
}

int Popen(const char* argv0) {
  SiteParent(10);
  char line[8192], answer[100] = "";
  snprintf(line, sizeof(line), "'%s' leaf 32", argv0);
  FILE* pipe = popen(line, "r");
  if (pipe == nullptr || fgets(answer, sizeof(answer), pipe) == nullptr) return 3;
  printf("popen said %s", answer);
  Say("popen ended with", WEXITSTATUS(pclose(pipe)));
  SiteParent(11);
  return 0;
}

// A child that no wrapper of libc's sees.
int Clone() {
  for (int i = 0; i < 50; ++i) SiteParent(10);
  const long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) {
    truth::Reset();
    for (int i = 0; i < 1000; ++i) free(SiteChild(20));
    syscall(SYS_exit_group, 8);
  }
  for (int i = 0; i < 50; ++i) SiteParent(10);
  Say("clone ended with", WaitFor(static_cast<pid_t>(pid)));
  for (int i = 0; i < 50; ++i) SiteParent(10);
  return 0;
}

int Exec(const char* how) {
  for (int i = 0; i < 30; ++i) SiteParent(10);
  Say("replacing myself", 0);
  truth::Write("before exec");
  if (strcmp(how, "exec") == 0) execl(self, self, "leaf", "64", nullptr);
  if (strcmp(how, "exec-empty") == 0) {
    char keep[4200];  // the leaf needs this one to write its truth
    snprintf(keep, sizeof(keep), "TRUTH_FILE=%s", getenv("TRUTH_FILE"));
    char* only[] = {keep, nullptr};
    execve(self, leaf_argv, only);
  }
  if (strcmp(how, "exec-path") == 0) execvp(self, leaf_argv);
  if (strcmp(how, "fexec") == 0) fexecve(open(self, O_RDONLY), leaf_argv, environ);
  return 9;
}

int ExecFails() {
  for (int i = 0; i < 30; ++i) SiteParent(10);
  const int result = execv("/nonexistent/program", leaf_argv);
  Say("execv", result);
  Say("errno is ENOENT:", errno == ENOENT);
  for (int i = 0; i < 30; ++i) SiteParent(10);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
  if (length <= 0) return 2;
  const char* mode = argv[1];
  const auto is = [&](const char* name) { return strcmp(mode, name) == 0; };
  int result = 2;
  if (is("leaf")) return Leaf(static_cast<size_t>(atoi(argv[2])));
  if (is("fork")) result = Fork();
  if (is("fork-threads")) result = ForkThreads(atoi(argv[2]));
  if (is("vfork")) result = Vfork();
  if (is("spawn")) result = Spawn();
  if (is("system")) result = System(self);
  if (is("popen")) result = Popen(self);
  if (is("clone")) result = Clone();
  if (is("exec-fails")) {
    result = ExecFails();
  } else if (is("exec-thread")) {
    pthread_t id;
    pthread_create(
        &id, nullptr, [](void*) -> void* { exit(Exec("exec")); }, nullptr);
    pthread_join(id, nullptr);
  } else if (strncmp(mode, "exec", 4) == 0 || is("fexec")) {
    return Exec(mode);
  }
  truth::Write("parent");
  return result;
}
