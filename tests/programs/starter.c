/* Starts a program in one of the ways there are, waits for it and ends as it ended.
   starter WAY PROGRAM: PROGRAM is a path, for the ways that search a name in PATH.
   Nothing is allocated before, so a forked child starts its program first of all.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

static char* arguments[] = {"program", "argument", NULL};

static void replace(const char* way, const char* program) {
  if (!strcmp(way, "execve")) execve(program, arguments, environ);
  if (!strcmp(way, "execv")) execv(program, arguments);
  if (!strcmp(way, "execvp")) execvp(program, arguments);
  if (!strcmp(way, "execvpe")) execvpe(program, arguments, environ);
  if (!strcmp(way, "execl")) execl(program, "program", "argument", (char*)NULL);
  if (!strcmp(way, "execlp")) execlp(program, "program", "argument", (char*)NULL);
  if (!strcmp(way, "execle"))
    execle(program, "program", "argument", (char*)NULL, environ);
  /* Not closed by exec: a script is opened by its name in /dev/fd. */
  if (!strcmp(way, "fexecve")) fexecve(open(program, O_RDONLY), arguments, environ);
  if (!strcmp(way, "fexecve_path"))
    fexecve(open(program, O_PATH), arguments, environ);
  if (!strcmp(way, "execveat")) execveat(AT_FDCWD, program, arguments, environ, 0);
  if (!strcmp(way, "execveat_empty"))
    execveat(open(program, O_RDONLY), "", arguments, environ, AT_EMPTY_PATH);
}

static int ended(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char** argv) {
  const char *way = argv[1], *program = argv[2];
  pid_t child = -1;
  int status = 0;
  if (argc != 3) return 99;
  if (!strncmp(way, "self_", 5)) {
    replace(way + 5, program);
    return 98;
  }
  if (!strcmp(way, "system")) return ended(system(program));
  if (!strcmp(way, "popen")) {
    char line[200];
    FILE* out = popen(program, "r");
    while (fgets(line, sizeof(line), out)) fputs(line, stdout);
    return ended(pclose(out));
  }
  if (!strncmp(way, "posix_spawn", 11)) {
    posix_spawn_file_actions_t actions;
    int error = 0;
    posix_spawn_file_actions_init(&actions);
    if (!strcmp(way, "posix_spawn"))
      error = posix_spawn(&child, program, NULL, NULL, arguments, environ);
    if (!strcmp(way, "posix_spawnp"))
      error = posix_spawnp(&child, program, NULL, NULL, arguments, environ);
    if (!strcmp(way,
                "posix_spawn_chdir")) { /* the program lies in a directory `in` */
      posix_spawn_file_actions_addopen(&actions, 9, "/dev/null", O_RDONLY, 0);
      posix_spawn_file_actions_addchdir_np(&actions, "in");
      error = posix_spawn(&child, program, &actions, NULL, arguments, environ);
    }
    if (!strcmp(way, "posix_spawn_fchdir")) {
      posix_spawn_file_actions_addfchdir_np(&actions, open("in", O_RDONLY));
      error = posix_spawn(&child, program, &actions, NULL, arguments, environ);
    }
    if (error) return 97;
  } else if (!strncmp(way, "vfork_", 6)) {
    child = vfork();
    if (child == 0) {
      replace(way + 6, program);
      _exit(98);
    }
  } else {
    child = fork();
    if (child == 0) {
      replace(way, program);
      _exit(98);
    }
  }
  waitpid(child, &status, 0);
  return ended(status);
}
