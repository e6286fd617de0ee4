// Stands before every program, plain and recorded, as a shell does: leads a
// session, has the program as a child in its own process group, and ends as the
// program did. Daemons that end meanwhile leave no zombies.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char** argv) {
  setsid();
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  const pid_t child = argc > 1 ? fork() : -1;
  if (child == 0) {
    execvp(argv[1], argv + 1);
    _exit(127);
  }
  int status = 0;
  pid_t ended = 0;
  while (child > 0 && ended >= 0 && (ended = waitpid(-1, &status, 0)) != child)
    continue;
  if (ended != child) return 126;
  if (!WIFSIGNALED(status)) return WEXITSTATUS(status);
  // The core is the program's.
  const struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  signal(WTERMSIG(status), SIG_DFL);
  raise(WTERMSIG(status));
  return 126;
}
