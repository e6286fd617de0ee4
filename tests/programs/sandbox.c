/* sandbox MODE WHEN PAIRS [threads]: a program that sandboxes itself, as browsers'
 * and media decoders' helpers do.
 *
 *   MODE   strict | eperm | enosys | kill: what becomes of every system call but a
 *          short list
 *   WHEN   early (before the first allocation) | late
 *
 * Then allocates and frees PAIRS blocks (many: rings fill), starts a thread if
 * asked to, and leaves by _exit(7). */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
static const int ok[] = {SYS_read,       SYS_write,        SYS_exit,
                         SYS_exit_group, SYS_brk,          SYS_mmap,
                         SYS_munmap,     SYS_mremap,       SYS_mprotect,
                         SYS_madvise,    SYS_rt_sigreturn, SYS_futex};
static const int thr[] = {
    SYS_clone,     SYS_clone3,          SYS_rt_sigprocmask,
    SYS_rseq,      SYS_set_robust_list, SYS_rt_sigaction,
    SYS_getrandom, SYS_prlimit64,       SYS_sched_getaffinity};
static void filter(unsigned act, int threads) {
  struct sock_filter f[128];
  int n = 0;
  f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                        offsetof(struct seccomp_data, nr));
  for (unsigned i = 0; i < sizeof ok / sizeof *ok; i++) {
    f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ok[i], 0, 1);
    f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  }
  if (threads)
    for (unsigned i = 0; i < sizeof thr / sizeof *thr; i++) {
      f[n++] =
          (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, thr[i], 0, 1);
      f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    }
  f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, act);
  struct sock_fprog p = {n, f};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p)) _exit(99);
}
static void* volatile k[200];
static void* th(void* a) {
  (void)a;
  for (int i = 0; i < 1000; i++) free(malloc(i));
  k[199] = malloc(4321);
  return 0;
}
static void lock(const char* m, int threads) {
  if (!strcmp(m, "strict")) {
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT)) _exit(98);
  } else
    filter(!strcmp(m, "eperm")    ? SECCOMP_RET_ERRNO | EPERM
           : !strcmp(m, "enosys") ? SECCOMP_RET_ERRNO | ENOSYS
                                  : SECCOMP_RET_KILL_PROCESS,
           threads);
}
int main(int c, char** v) {
  int threads = c > 4;
  int pairs = atoi(v[3]);
  if (!strcmp(v[2], "early")) lock(v[1], threads);
  for (int i = 0; i < 100; i++) k[i] = malloc(100);
  if (!strcmp(v[2], "late")) lock(v[1], threads);
  for (int i = 0; i < pairs; i++) free(malloc(i % 500));
  for (int i = 0; i < 50; i++) free(k[i]);
  if (threads) {
    pthread_t t;
    if (!pthread_create(&t, 0, th, 0)) {
      pthread_join(t, 0);
      if (write(1, "thread\n", 7) != 7) _exit(97);
    }
  }
  if (write(1, "done\n", 5) != 5) _exit(97);
  if (!strcmp(v[1], "strict")) syscall(SYS_exit, 7);
  _exit(7);
}
