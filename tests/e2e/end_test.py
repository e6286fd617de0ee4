"""The end of the process is the program's: signals get through while it is looked at,
nobody who wants to trace it finds the seat taken, and a budget ends the look.

The look is made long by MALLOGRAM_TEST_SCAN_MS, and by a reservation on which older
looks took a minute. No test measures time: what does not get through waits for ten.
"""

import json
import os
import pathlib
import signal
import subprocess

import harness

TOOLS = pathlib.Path(os.environ["MALLOGRAM_TEST_TOOLS"])
LONG_MS = 600_000

RESERVES = r"""
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
static void* wait(void* none) { for (;;) pause(); }
int main(int argc, char** argv) {
  char* space = mmap(NULL, (size_t)8 << 40, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (space == MAP_FAILED) return 9;
  pthread_t id;
  for (int i = 1; i < argc; ++i) pthread_create(&id, NULL, wait, NULL);
  for (int i = 0; i < 3; ++i) *(char* volatile*)malloc(55) = NULL;
  puts("end");
  fflush(stdout);
  return 3;
}
"""

# A child traces its parent, as crash handlers, gdb -p and sanitizers do: by fork, or
# by a clone that nobody is told of. Where: argv[1].
DUMPS = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
static char stack[65536];
static pid_t parent;
static const char* volatile how;
static int trace(void* none) {
  long result = syscall(SYS_ptrace, PTRACE_ATTACH, parent, 0, 0);
  if (result != 0) _exit(errno);
  int status;
  syscall(SYS_wait4, parent, &status, __WALL, 0);
  syscall(SYS_ptrace, PTRACE_DETACH, parent, 0, 0);
  _exit(100);
}
static void say(const char* text) { (void)!write(1, text, strlen(text)); }
static void dump(void) {
  parent = getpid();
  prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
  pid_t child = strstr(how, "clone") != NULL
      ? clone(trace, stack + sizeof stack, CLONE_FS | CLONE_UNTRACED, NULL) : fork();
  if (child == 0) trace(NULL);
  int status = 0;
  while (waitpid(child, &status, __WALL) < 0 && errno == EINTR) continue;
  say(WEXITSTATUS(status) == 100 ? "dumped\n" : "not dumped\n");
}
static void handle(int number) {
  dump();
  signal(number, SIG_DFL);
  raise(number);
}
static void last(void) { dump(); }
int main(int argc, char** argv) {
  how = argv[1];
  *(char* volatile*)malloc(55) = NULL;
  signal(SIGABRT, handle);
  signal(SIGSEGV, handle);
  if (strncmp(how, "abort", 5) == 0) abort();
  if (strncmp(how, "segv", 4) == 0) *(volatile int*)NULL = 1;
  if (strncmp(how, "atexit", 6) == 0) atexit(last);
  if (strncmp(how, "quick", 5) == 0) { at_quick_exit(last); quick_exit(5); }
  if (strncmp(how, "library", 7) == 0) {
    void (**place)(void) = dlsym(RTLD_DEFAULT, "at_unload");
    *place = last;
  }
  return 4;
}
"""

# Its destructor is called after the recorder's.
LIBRARY = r"""
#include <stdlib.h>
void (*volatile at_unload)(void);
__attribute__((destructor)) static void unload(void) { if (at_unload) at_unload(); }
"""

# Other threads wait in calls that an interruption would end.
WAITS = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <unistd.h>
static void* in_epoll(void* none) {
  struct epoll_event event;
  int n = epoll_wait(epoll_create1(0), &event, 1, -1);
  dprintf(1, "epoll_wait %d %s\n", n, strerror(errno));
  return NULL;
}
static void* in_sigwait(void* none) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  int n = sigwaitinfo(&set, NULL);
  dprintf(1, "sigwaitinfo %d %s\n", n, strerror(errno));
  return NULL;
}
int main(void) {
  pthread_t id;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  for (int i = 0; i < 4; ++i) pthread_create(&id, NULL, i % 2 ? in_epoll : in_sigwait, NULL);
  *(char* volatile*)malloc(55) = NULL;
  usleep(50000);
  printf("main\n");  // flushed after the look
  return 7;
}
"""

SANITIZED = '#include <stdio.h>\nint main(void){puts("end");return 6;}\n'


def checks_of(trace):
    done = harness.run([TOOLS / "dump_checks", trace], check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


class Case(harness.Case):

    def start(self, *arguments, options=(), scan_ms=LONG_MS):
        """The launcher, and the pid of the program that is held at its end."""
        program = harness.compile_c(self.dir, "reserves", RESERVES, "-pthread")
        process = subprocess.Popen(
            [harness.mallogram(), "record", "-q", *options, "-o", self.dir / "t.mgram", "--",
             program, *arguments], cwd=self.dir, stdout=subprocess.PIPE,
            env=harness.clean_env(MALLOGRAM_TEST_SCAN_MS=scan_ms), start_new_session=True)
        self.addCleanup(self.end, process)
        self.assertEqual(process.stdout.readline(), b"end\n")
        def held():
            for pid in harness.processes_named(str(program)):
                if pid != process.pid and harness.state(pid) == "t":
                    return pid
            return None
        return process, harness.wait_for(held, "the program to be held")

    def end(self, process):
        try:
            os.killpg(process.pid, signal.SIGKILL)  # the program, too
        except ProcessLookupError:
            pass
        process.wait()
        process.stdout.close()


class Signals(Case):

    def test_to_the_program(self):
        for threads in ((), ("1", "2")):
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL):
                for mode in ("exit", "full"):
                    with self.subTest(threads=threads, number=number, mode=mode):
                        process, pid = self.start(
                            *threads, options=("--leak-budget=none", f"--leak-check={mode}"))
                        os.kill(pid, number)
                        status = process.wait(20)
                        check, = checks_of(self.dir / "t.mgram")
                        self.assertEqual(status, -number, check)
                        self.assertFalse(check["classified"])
                        self.assertIn("signal", check["reason"].replace("SIG", "signal "))
                        self.assertEqual((check["cause"], check["detail"]), ("signal", number))
                        self.assertEqual(check["blocks"], 3 + 1 + len(threads))
                        self.end(process)

    def test_to_the_launcher(self):
        for number in (signal.SIGTERM, signal.SIGHUP):
            process, _ = self.start(options=("--leak-budget=none",))
            process.send_signal(number)
            self.assertEqual(process.wait(20), -number)
            self.end(process)

    def test_launcher_killed(self):
        process, pid = self.start(options=("--leak-budget=none",))
        process.kill()
        harness.wait_for(lambda: not harness.runs(pid), "the program's end", 20)
        harness.wait_complete(self.dir / "t.mgram")
        check, = checks_of(self.dir / "t.mgram")
        self.assertIn("mallogram was killed", check["reason"])

    def test_others_do_not_count(self):
        # A timer's, or one that is ignored.
        process, pid = self.start(scan_ms=300, options=("--leak-budget=none",))
        for number in (signal.SIGWINCH, signal.SIGCHLD, signal.SIGURG):
            os.kill(pid, number)
        self.assertEqual(process.wait(harness.LIMIT), 3)
        check, = checks_of(self.dir / "t.mgram")
        self.assertTrue(check["classified"], check)


class Budget(Case):

    def test_cut(self):
        for mode in ("exit", "full"):
            process, _ = self.start(options=("--leak-budget", "0.2", f"--leak-check={mode}"))
            self.assertEqual(process.wait(20), 3)
            check, = checks_of(self.dir / "t.mgram")
            self.assertFalse(check["classified"])
            self.assertIn("--leak-budget", check["reason"])
            self.assertEqual((check["cause"], check["detail"]), ("exit", 3))
            text = harness.command("leaks", self.dir / "t.mgram").stdout
            self.assertIn(b"longer than the 0.2 s", text)
            self.end(process)

    def test_words(self):
        for word in ("0", "-1", "nan", "soon", ""):
            result = harness.record(["true"], f"--leak-budget={word}")
            self.assertEqual(result.returncode, 125)
            self.assertIn(b"--leak-budget takes a number of seconds or none", result.stderr)


class Seat(Case):

    def both(self, argv, status, modes=("exit", "full"), env=None):
        plain = harness.run(argv, cwd=self.dir, env=env)
        self.assertEqual(plain.returncode, status, plain)
        checks = {}
        for mode in modes:
            with self.subTest(argv=argv[1:], mode=mode):
                result = harness.record(argv, "-q", f"--leak-check={mode}", "-o",
                                        self.dir / "t.mgram", cwd=self.dir, env=env)
                self.assertEqual((result.returncode, result.stdout, result.stderr),
                                 (plain.returncode, plain.stdout, plain.stderr))
                checks[mode] = checks_of(self.dir / "t.mgram")[-1]
        return plain, checks

    def test_who_dumps_itself(self):
        harness.compile_c(self.dir, "libunload.so", LIBRARY, "-shared", "-fPIC")
        program = harness.compile_c(self.dir, "dumps", DUMPS, "-pthread", f"-L{self.dir}",
                                    "-Wl,--no-as-needed", "-lunload",
                                    f"-Wl,-rpath,{self.dir}")
        for ending, status in (("abort", -6), ("segv", -11)):
            for way in ("fork", "clone"):
                plain, checks = self.both([program, f"{ending} {way}"], status)
                self.assertEqual(plain.stdout, b"dumped\n")
                self.assertTrue(checks["full"]["classified"], checks)
                self.assertEqual(checks["exit"]["classified"], ending == "abort")
                self.assertEqual(checks["full"]["detail"], -status)
        for ending, status in (("atexit", 4), ("library", 4), ("quick", 5)):
            for way in ("fork", "clone"):
                # For life, the seat is taken.
                plain, checks = self.both([program, f"{ending} {way}"], status, ("exit",))
                self.assertEqual(plain.stdout, b"dumped\n")
                self.assertTrue(checks["exit"]["classified"], checks)

    def test_who_is_traced_by_another_recorded_one(self):
        # As gdb -p, started by the program: it gets the seat even in full mode.
        program = harness.compile_c(self.dir, "traced", r"""
            #include <errno.h>
            #include <stdio.h>
            #include <stdlib.h>
            #include <string.h>
            #include <sys/prctl.h>
            #include <sys/ptrace.h>
            #include <sys/wait.h>
            #include <unistd.h>
            int main(int argc, char** argv) {
              if (argc == 2) {
                int pid = atoi(argv[1]);
                free(malloc(10));
                long result = ptrace(PTRACE_ATTACH, pid, NULL, NULL);
                if (result == 0) waitpid(pid, NULL, __WALL);
                printf("%ld\n", result);
                return result != 0;
              }
              prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
              char command[200];
              *(char* volatile*)malloc(55) = NULL;
              snprintf(command, sizeof command, "%s %d", argv[0], getpid());
              return system(command) == 0 ? 8 : 1;
            }""")
        self.both([program], 8)

    def test_leak_sanitizer(self):
        for flags in (["-fsanitize=leak"],):
            try:
                program = harness.compile_c(self.dir, "sanitized", SANITIZED, *flags,
                                            language="c++")
            except AssertionError:
                self.skipTest("no " + flags[0])
            _, checks = self.both([program], 6)
            for check in checks.values():
                self.assertFalse(check["classified"])
                self.assertIn("LeakSanitizer is in the program", check["reason"])

    def test_nobody_sees_an_interruption(self):
        program = harness.compile_c(self.dir, "waits", WAITS, "-pthread")
        plain, checks = self.both([program], 7)
        self.assertEqual(plain.stdout, b"main\n")
        for check in checks.values():
            self.assertTrue(check["classified"], check)


class Memory(Case):

    def test_nothing_alive_nothing_read(self):
        program = harness.compile_c(self.dir, "nothing", """
            #include <stdlib.h>
            int main(void) { free(malloc(55)); return 5; }""")
        self.record([program], "-q", "-o", "t.mgram", status=5)
        check, = checks_of(self.dir / "t.mgram")
        self.assertTrue(check["classified"])
        self.assertEqual((check["blocks"], check["scanned_bytes"]), (0, 0))

    def test_reservations_are_not_read(self):
        process, _ = self.start(scan_ms=300, options=("--leak-budget=none",))
        self.assertEqual(process.wait(harness.LIMIT), 3)
        check, = checks_of(self.dir / "t.mgram")
        self.assertTrue(check["classified"], check)
        self.assertLess(check["scanned_bytes"], 16 << 20)


if __name__ == "__main__":
    harness.main()
