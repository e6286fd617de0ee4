// Measures a program from its start to its end, whatever tool it runs under:
//
//   measure FILE PROGRAM [ARGUMENT…]
//
// Writes "WALL CPU" in seconds to FILE; ends as the program does. MEASURE_PRELOAD
// becomes the program's LD_PRELOAD, and its alone: heaptrack's library traces only
// the process that it was first loaded into.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double Seconds(struct timeval t) {
  return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double Now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const char* preload = getenv("MEASURE_PRELOAD");
  const double start = Now();
  const pid_t pid = fork();
  if (pid == 0) {
    if (preload != NULL) setenv("LD_PRELOAD", preload, 1);
    unsetenv("MEASURE_PRELOAD");
    execvp(argv[2], argv + 2);
    _exit(127);
  }
  int status = 0;
  struct rusage usage;
  if (wait4(pid, &status, 0, &usage) != pid) return 3;
  const double wall = Now() - start;
  FILE* f = fopen(argv[1], "w");
  if (f == NULL) return 4;
  fprintf(f, "%.6f %.6f\n", wall,
          Seconds(usage.ru_utime) + Seconds(usage.ru_stime));
  fclose(f);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
