// Prints what a process can see of itself, one fact a line. Started plain and
// recorded, by programs of many kinds; the lines must be the same.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

static void Signals(void) {
  sigset_t mask;
  sigprocmask(SIG_BLOCK, NULL, &mask);
  for (int i = 1; i < 65; ++i) {
    struct sigaction action;
    // 32 and 33 are libc's.
    if (i == 32 || i == 33 || sigaction(i, NULL, &action) != 0) continue;
    const int blocked = sigismember(&mask, i);
    if (action.sa_handler != SIG_DFL || blocked) {
      printf("signal %d %s%s\n", i,
             action.sa_handler == SIG_IGN   ? "ignored"
             : action.sa_handler == SIG_DFL ? "default"
                                            : "handled",
             blocked ? " blocked" : "");
    }
  }
  stack_t stack;
  sigaltstack(NULL, &stack);
  printf("alternate stack %s\n", stack.ss_flags & SS_DISABLE ? "none" : "set");
}

// Without standard output, a file of that number.
static void OpenOutput(void) {
  if (fcntl(1, F_GETFD) >= 0) return;
  const int fd = open("probed", O_WRONLY | O_CREAT | O_APPEND, 0644);
  if (fd >= 0 && fd != 1) {
    dup2(fd, 1);
    close(fd);
  }
}

// Descriptors first, while stdio has opened none.
static void Descriptors(void) {
  char* text = NULL;
  size_t size = 0;
  FILE* memory = open_memstream(&text, &size);
  for (int fd = 0; fd < 4096; ++fd) {
    const int flags = fcntl(fd, F_GETFD);
    if (flags < 0) continue;
    char path[64], target[4096];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(path, target, sizeof target - 1);
    target[n < 0 ? 0 : n] = 0;
    // Numbers of pipes and sockets are no one's business.
    if (!strncmp(target, "pipe:", 5) || !strncmp(target, "socket:", 7))
      *strchr(target, ':') = 0;
    fprintf(memory, "descriptor %d %s flags %d %#x\n", fd, target, flags,
            fcntl(fd, F_GETFL));
  }
  fclose(memory);
  OpenOutput();
  fputs(text, stdout);
  free(text);
}

static void Limits(void) {
  for (int i = 0; i < RLIMIT_NLIMITS; ++i) {
    struct rlimit limit;
    getrlimit(i, &limit);
    printf("limit %d %llu %llu\n", i, (unsigned long long)limit.rlim_cur,
           (unsigned long long)limit.rlim_max);
  }
}

static void Status(void) {
  static const char* const kKeys[] = {
      "Uid",     "Gid", "Groups", "Cap",    "NoNewPrivs",       "Seccomp",
      "Threads", "Sig", "Shd",    "NStgid", "Cpus_allowed_list"};
  FILE* f = fopen("/proc/self/status", "r");
  char line[4096];
  while (f && fgets(line, sizeof line, f)) {
    // The number of processes in SigQ is everybody's, pids are new each time.
    if (!strncmp(line, "SigQ", 4) || !strncmp(line, "NStgid", 6)) continue;
    for (size_t i = 0; i < sizeof kKeys / sizeof *kKeys; ++i) {
      if (!strncmp(line, kKeys[i], strlen(kKeys[i]))) printf("%s", line);
    }
  }
  if (f)
    fclose(f);
  else
    printf("no /proc\n");
}

static int ByName(const void* a, const void* b) {
  return strcmp(*(const char* const*)a, *(const char* const*)b);
}

static void Environment(const char* label) {
  int n = 0;
  while (environ && environ[n]) ++n;
  const char** sorted = malloc((n + 1) * sizeof *sorted);
  memcpy(sorted, environ, n * sizeof *sorted);
  qsort(sorted, n, sizeof *sorted, ByName);
  for (int i = 0; i < n; ++i) {
    // What Mallogram adds, as the tool's head says.
    if (!strncmp(sorted[i], "LD_PRELOAD=", 11) ||
        !strncmp(sorted[i], "MALLOGRAM_", 10))
      continue;
    printf("%s %s\n", label, sorted[i]);
  }
  free(sorted);
}

int main(int argc, char** argv) {
  Descriptors();
  for (int i = 0; i < argc; ++i) printf("word %d %s\n", i, argv[i]);
  Signals();
  Limits();
  Status();
  Environment("environment");
  const mode_t mask = umask(0);
  char* cwd = getcwd(NULL, 0);
  printf("umask %o\ndirectory %s\n", mask, cwd ? cwd : strerror(errno));
  umask(mask);
  free(cwd);
  printf("session leader %d, group leader %d, parent in session %d\n",
         getsid(0) == getpid(), getpgrp() == getpid(),
         getsid(getppid()) == getsid(0));
  printf("nice %d, policy %d, personality %#x, secure %lu\n",
         getpriority(PRIO_PROCESS, 0), sched_getscheduler(0),
         personality(0xffffffff), getauxval(AT_SECURE));
  int death = 0, subreaper = 0;
  prctl(PR_GET_PDEATHSIG, &death);
  prctl(PR_GET_CHILD_SUBREAPER, &subreaper);
  printf(
      "death signal %d, subreaper %d, dumpable %d, keepcaps %d, slack %d, "
      "securebits %d\n",
      death, subreaper, prctl(PR_GET_DUMPABLE), prctl(PR_GET_KEEPCAPS),
      prctl(PR_GET_TIMERSLACK), prctl(PR_GET_SECUREBITS));
  struct itimerval timer;
  getitimer(ITIMER_REAL, &timer);
  printf("alarm %s\n",
         timer.it_value.tv_sec || timer.it_value.tv_usec ? "set" : "none");
  printf("child %s\n",
         waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD ? "none" : "some");
  fflush(stdout);
  if (argc < 3) {  // what a child and what an exec keep
    if (fork() == 0) {
      Environment("child's environment");
      fflush(stdout);
      _exit(3);
    }
    int status;
    wait(&status);
    printf("child ended with %d\n", WEXITSTATUS(status));
    fflush(stdout);
    char program[4096];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n > 0) {
      program[n] = 0;
      execl(program, argv[0], "again", "last", (char*)NULL);
    }
  }
  return 0;
}
