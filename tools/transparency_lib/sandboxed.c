// A program that takes rights from itself by libseccomp, and then computes,
// allocates and ends: sandboxed kill|errno|trap|thread [many]. It allows itself
// what it uses, no more.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// What the C library does for this program's own malloc, output and end.
static const int kAllowed[] = {
    SCMP_SYS(brk),         SCMP_SYS(mmap),       SCMP_SYS(munmap),
    SCMP_SYS(mprotect),    SCMP_SYS(mremap),     SCMP_SYS(madvise),
    SCMP_SYS(write),       SCMP_SYS(exit_group), SCMP_SYS(exit),
    SCMP_SYS(fstat),       SCMP_SYS(newfstatat), SCMP_SYS(futex),
    SCMP_SYS(rt_sigreturn)};
static const int kThreads[] = {
    SCMP_SYS(clone3),   SCMP_SYS(clone),          SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),     SCMP_SYS(rt_sigprocmask), SCMP_SYS(sched_getaffinity),
    SCMP_SYS(getrandom)};
static int g_count;

static void* Work(void* unused) {
  char* blocks[64] = {0};
  size_t sum = 0;
  for (int i = 0; i < g_count; ++i) {
    const int k = i * 7 % 64;
    free(blocks[k]);
    blocks[k] = malloc(16 + i % 3000);
    memset(blocks[k], i, 16);
    sum += (unsigned char)blocks[k][i % 16];
  }
  for (int i = 0; i < 64; ++i) free(blocks[i]);
  printf("sum %zu\n", sum);
  return unused;
}

static void Trapped(int number) {
  static const char kText[] = "trapped\n";
  (void)!write(1, kText, sizeof kText - 1);
  _exit(number == SIGSYS ? 9 : 8);
}

int main(int argc, char** argv) {
  const char* how = argc > 1 ? argv[1] : "kill";
  g_count = argc > 2 ? 400000 : 5000;
  setvbuf(stdout, NULL, _IOLBF, 0);
  signal(SIGSYS, strcmp(how, "trap") ? SIG_DFL : Trapped);
  scmp_filter_ctx filter =
      seccomp_init(!strcmp(how, "errno")  ? SCMP_ACT_ERRNO(EPERM)
                   : !strcmp(how, "trap") ? SCMP_ACT_TRAP
                                          : SCMP_ACT_KILL_PROCESS);
  for (size_t i = 0; i < sizeof kAllowed / sizeof *kAllowed; ++i) {
    seccomp_rule_add(filter, SCMP_ACT_ALLOW, kAllowed[i], 0);
  }
  const int threads = !strcmp(how, "thread");
  for (size_t i = 0; threads && i < sizeof kThreads / sizeof *kThreads; ++i) {
    seccomp_rule_add(filter, SCMP_ACT_ALLOW, kThreads[i], 0);
  }
  if (seccomp_load(filter) != 0) return 2;
  Work(NULL);
  if (threads) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, Work, NULL) != 0) return 3;
    pthread_join(thread, NULL);
  }
  errno = 0;
  if (!strcmp(how, "errno"))
    printf("getppid %ld errno %d\n", (long)getppid(), errno);
  seccomp_release(filter);
  printf("done\n");
  return 7;
}
