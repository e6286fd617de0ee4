// A daemon of the old school: forks twice, leaves session and directory, closes
// every descriptor and writes what it saw into the file argv[1].
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char** argv) {
  if (argc < 3 || fork() != 0) return 0;
  setsid();
  if (fork() != 0) _exit(0);
  if (chdir("/") != 0) return 1;
  umask(0);
  for (int fd = (int)sysconf(_SC_OPEN_MAX); fd >= 0; --fd) close(fd);
  // As daemons do: the first three by their numbers.
  int report = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0644);
  int second = dup(report), third = dup(report);
  dprintf(report, "descriptors %d %d %d\n", report, second, third);
  char* blocks[100];
  for (int i = 0; i < 1000; ++i) {
    if (i >= 100) free(blocks[i % 100]);
    blocks[i % 100] = malloc(1000 + i);
    memset(blocks[i % 100], i, 1000);
  }
  FILE* f = fopen("/proc/self/stat", "r");
  dprintf(report, "file %d\n", f ? fileno(f) : -1);
  if (f) fclose(f);
  dprintf(report, "umask %o\n", umask(0));
  execl(argv[2], argv[2], (char*)NULL);
  return 1;
}
