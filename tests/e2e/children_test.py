"""Children: how each ended, whose child it is, what it was started as, and that those
which ran unrecorded are said to have."""

import os
import platform
import re
import shutil
import unittest

import harness
from harness import record, report, traces

# Since this kernel the end of a process is known after its parent has reaped it.
KNOWS_ENDS = tuple(map(int, platform.release().split(".")[:2])) >= (6, 15)

CRASHES = """
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
static void *volatile kept;
int main(void) {
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  for (int i = 0; i < 12; ++i) {
    if (fork() == 0) {
      kept = malloc(10);
      if (i % 4 == 3) syscall(231, 5);  // exit_group, which no wrapper sees
      raise(i % 4 == 0 ? SIGSEGV : i % 4 == 1 ? SIGKILL : SIGTERM);
    }
    while (wait(NULL) > 0) {}
  }
  return 0;
}
"""

TITLED = """
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static void *volatile kept;
int main(int argc, char **argv) {
  kept = malloc(10);
  const size_t room = argv[argc - 1] + strlen(argv[argc - 1]) + 1 - argv[0];
  memset(argv[0], 0, room);
  strncpy(argv[0], "worker", room - 1);
  if (fork() == 0) {
    kept = malloc(20);
    if (fork() == 0) {
      kept = malloc(30);
      _exit(0);
    }
    wait(NULL);
    _exit(0);
  }
  wait(NULL);
  return 0;
}
"""

# Threads that are silent for longer than the collector waits before it takes the ring
# of a thread that it cannot find.
SILENT_THREADS = """
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
static void *volatile kept[4];
static void work(int n) {
  for (int i = 0; i < 1000; ++i) { kept[n] = malloc(24); free(kept[n]); }
}
static void *run(void *number) {
  const int n = (int)(long)number;
  for (int i = 0; i < 3; ++i) { work(n); usleep(700 * 1000); }
  return NULL;
}
int main(void) {
  pthread_t threads[3];
  for (long i = 0; i < 3; ++i) {
    pthread_create(&threads[i], NULL, run, (void *)i);
    usleep(350 * 1000);
  }
  for (int i = 0; i < 3; ++i) pthread_join(threads[i], NULL);
  return 0;
}
"""

# Before any constructor ran.
KILLED_EARLY = """
#include <signal.h>
#include <unistd.h>
static void end(void) { kill(getpid(), SIGKILL); }
__attribute__((section(".preinit_array"), used)) static void (*const first)(void) = end;
int main(void) { return 0; }
"""

# As Go does it: nothing of the C library's between fork and exec, and an environment
# of its own.
RAW_EXEC = """
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
static void *volatile kept;
int main(int argc, char **argv) {
  kept = malloc(10);
  char *none[] = {NULL};
  const pid_t pid = fork();
  if (pid == 0) {
    syscall(SYS_execve, argv[1], argv + 1, none);
    _exit(9);
  }
  waitpid(pid, NULL, 0);
  return 0;
}
"""

CLEARED = """
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv) {
  if (!strcmp(argv[1], "unset")) unsetenv("LD_PRELOAD"); else clearenv();
  int status = 0;
  if (!strcmp(argv[2], "popen")) {
    char text[256];
    FILE *f = popen(argv[3], "r");
    while (fgets(text, sizeof(text), f)) fputs(text, stdout);
    status = pclose(f);
  } else if (!strcmp(argv[2], "spawn")) {
    char *none[] = {NULL}, *sh[] = {"sh", "-c", argv[3], NULL};
    pid_t pid;
    posix_spawn(&pid, "/bin/sh", NULL, NULL, sh, none);
    waitpid(pid, &status, 0);
  } else {
    status = system(argv[3]);
  }
  fflush(stdout);
  dprintf(1, "%x\\n", status);
  return 0;
}
"""

LEAF = """
#include <stdlib.h>
static void *volatile kept[50];
int main(void) { for (int i = 0; i < 50; ++i) kept[i] = malloc(60); return 6; }
"""


def by_program(directory):
    """Reports by the program in the file's name, each with pid and ppid."""
    found = {}
    for trace in traces(directory):
        of = report(trace)
        info = harness.command("info", trace, check=True).stdout.decode()
        process = re.search(r"^ *Process +(\d+), child of (\d+)", info, re.M)
        of["pid"], of["ppid"] = int(process[1]), int(process[2])
        of["name"] = trace.name.split(".")[0]
        found.setdefault(of["name"], []).append(of)
    return found


def children_line(result):
    found = re.search(r"^  children +(.*)$", result.stderr.decode(), re.M)
    return found.group(1) if found else ""


class Ends(harness.Case):

    def check(self):
        ends = [(r["end"]["reason"], r["end"].get("signal"), r["end"].get("status"))
                for r in by_program(self.dir)["crashes"] if r["pid"] != self.main]
        self.assertEqual(len(ends), 12)
        if KNOWS_ENDS:
            self.assertEqual(sorted(ends, key=str), sorted(
                [("signalled", 11, None), ("signalled", 9, None),
                 ("signalled", 15, None), ("exited", None, 5)] * 3, key=str))

    def test_children_reaped_at_once(self):
        program = harness.compile_c(self.dir, "crashes", CRASHES)
        self.record([program], "-q")
        pids = [r["pid"] for r in by_program(self.dir)["crashes"]]
        self.main = min(pids)
        self.check()

    def test_bare(self):
        program = harness.compile_c(self.dir, "crashes", CRASHES)
        harness.run([program], cwd=self.dir, env=harness.bare_env(), check=True)
        harness.wait_for(lambda: len(traces(self.dir)) == 13, "all traces")
        for trace in traces(self.dir):
            harness.wait_complete(trace)
        self.main = min(r["pid"] for r in by_program(self.dir)["crashes"])
        self.check()

    def test_killed_before_it_could_report(self):
        program = harness.compile_c(self.dir, "early", KILLED_EARLY)
        result = record([program], cwd=self.dir)
        self.assertEqual(result.returncode, -9)
        text = result.stderr.decode()
        self.assertIn("was killed by SIGKILL before", text)
        self.assertNotIn("environment", text)


class Commands(harness.Case):

    def test_as_they_were_started(self):
        program = harness.compile_c(self.dir, "titled", TITLED)
        command = [program, "--some", "words", "more words", ""]
        self.record(command, "-q")
        reports = by_program(self.dir)["titled"]
        self.assertEqual([r["command"] for r in reports], [command] * 3)

    def test_a_title_has_no_empty_words(self):
        program = harness.compile_c(self.dir, "titled", TITLED)
        command = [program, *["longer than is remembered"] * 400]
        self.record(command, "-q")
        reports = by_program(self.dir)["titled"]
        self.assertEqual(sorted(len(r["command"]) for r in reports), [1, 1, 401])


@unittest.skipUnless(
    shutil.which("unshare") and
    harness.run(["unshare", "--pid", "--fork", "true"]).returncode == 0,
    "no pid namespaces here")
class PidNamespaces(harness.Case):

    def test_one_numbering(self):
        for more in ([], ["--mount-proc"]):
            with self.subTest(more=more):
                out = self.dir / f"out{len(more)}"
                self.record(
                    ["unshare", "--pid", "--fork", *more, "sh", "-c",
                     "sh -c 'sh -c : ; :'; (sleep 0.1; :); exit 0"], "-q", "-o", f"{out}/")
                reports = {r["pid"]: r for all_of in by_program(out).values()
                           for r in all_of}
                self.assertGreaterEqual(len(reports), 5)
                outer = [r["pid"] for r in reports.values() if r["ppid"] not in reports]
                # unshare's own parent is the launcher.
                self.assertEqual([reports[pid]["name"] for pid in outer], ["unshare"])

    def test_silent_threads_keep_their_rings(self):
        program = harness.compile_c(self.dir, "silent", SILENT_THREADS, "-pthread")
        self.record(["unshare", "--pid", "--fork", program], "-q")
        silent = by_program(self.dir)["silent"][0]
        self.assertEqual(silent["loss"]["order_violations"], 0)
        self.record([program], "-q", "-o", "outside.mgram")
        outside = report(self.dir / "outside.mgram")
        self.assertEqual(silent["totals"]["allocations"],
                         outside["totals"]["allocations"])


class Unrecorded(harness.Case):

    def setUp(self):
        super().setUp()
        self.leaf = harness.compile_c(self.dir, "leaf", LEAF)

    def test_nothing_is_said_of_none(self):
        result = self.record(["sh", "-c", "(sleep 0.2); env -i sleep 0.2; :"])
        self.assertNotIn("unrecorded", result.stderr.decode())

    def test_exec_with_an_environment_of_its_own(self):
        program = harness.compile_c(self.dir, "raw", RAW_EXEC)
        result = self.record([program, "/bin/sh", "-c", "/bin/sleep 0.5; exit 0"])
        self.assertRegex(children_line(result),
                         r"2 processes ran unrecorded, .*environment: sh, sleep")
        main = by_program(self.dir)["raw"][0]
        self.assertIn("2 processes ran unrecorded", main["end"]["detail"])

    def test_in_a_thread_and_bare(self):
        program = harness.compile_c(self.dir, "raw", RAW_EXEC)
        out = self.dir / "bare.mgram"
        harness.run([program, "/bin/sleep", "0.5"], cwd=self.dir,
                    env=harness.bare_env(out), check=True)
        harness.wait_complete(out)
        self.assertIn("1 process ran unrecorded", report(out)["end"]["detail"])

    def test_what_a_shell_starts_after_clearenv(self):
        program = harness.compile_c(self.dir, "cleared", CLEARED)
        for how in ("clear", "unset"):
            for way in ("system", "popen", "spawn"):
                out = self.dir / f"{how}-{way}"
                with self.subTest(how=how, way=way):
                    result = self.record([program, how, way, self.leaf], "-o", f"{out}/")
                    self.assertEqual(result.stdout, b"600\n")
                    leaf = by_program(out)["leaf"]
                    self.assertEqual(leaf[0]["totals"]["allocations"], 50)
                    self.assertEqual(leaf[0]["totals"]["live_bytes"], 3000)

    def test_shells_say_what_they_said(self):
        program = harness.compile_c(self.dir, "cleared", CLEARED)
        for command in ("exit 7", "kill -9 $$", "nosuch", "if; then", "echo $0 $# \"$@\"",
                        "# nothing", "", "\necho a b", "echo 'it''s'; echo \"$X\"",
                        "cat <<E\nhere\nE", ": " + "x" * 90_000, ": " + "x" * 110_000):
            for way in ("system", "popen"):
                with self.subTest(command=command[:40], way=way):
                    argv = [program, "clear", way, command]
                    plain = harness.run(argv, cwd=self.dir)
                    recorded = record(argv, "-q", "-o", "x/", cwd=self.dir)
                    self.assertEqual(recorded.stdout, plain.stdout)
                    self.assertEqual(recorded.stderr, plain.stderr)
                    self.assertEqual(recorded.returncode, plain.returncode)


if __name__ == "__main__":
    harness.main()
