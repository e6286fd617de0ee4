"""Programs are held at their end, or on request, and nothing of theirs changes: every
ending × other threads × mode says what is lost, with the wait status and the output of
a plain run.

programs/leak_endings.cc gives every class a size of its own. HOLD_RUNS=N kills N times
at random moments.
"""

import json
import os
import pathlib
import random
import signal
import subprocess
import time

import harness

PROGRAM = pathlib.Path(os.environ["MALLOGRAM_PROGRAMS"]) / "leak_endings"
TOOLS = pathlib.Path(os.environ["MALLOGRAM_TEST_TOOLS"])
LOST, CHILD, GLOBAL, HELD, THREAD, REGISTER, MAIN, LATE, INHERITED, OWN, DEAD = range(1001, 1022, 2)

# Another thread than the main one executes a program: the kernel ends all others for
# it, which must not be taken for the process's end.
EXECUTES = r"""
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
static void* spin(void* none) {
  for (;;) free(malloc(10));
  return none;
}
static void* execute(void* none) {
  char* argv[] = {"sh", "-c", "echo executed; exit 5", NULL};
  usleep(10000);
  execv("/bin/sh", argv);
  return none;
}
int main(void) {
  pthread_t id;
  for (int i = 0; i < 3; ++i) pthread_create(&id, NULL, spin, NULL);
  pthread_create(&id, NULL, execute, NULL);
  for (;;) pause();
}
"""

# Large heaps, scanned side by side: three children and their parent.
FAMILY = r"""
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
struct node { struct node* next; char rest[4088]; };
static struct node* volatile list;
static struct node* volatile inherited;
static void grow(struct node* volatile* head, int count) {
  for (int i = 0; i < count; ++i) {
    struct node* one = malloc(sizeof *one);
    one->next = *head;
    *head = one;
  }
}
int main(void) {
  grow(&inherited, 6000);
  for (int child = 0; child < 3; ++child) {
    if (fork() != 0) continue;
    grow(&list, 6000);
    *(void* volatile*)malloc(1001) = NULL;
    inherited->next = malloc(1019);
    _exit(20 + child);
  }
  while (wait(NULL) > 0) continue;
  return 9;
}
"""

# ENDING: (what is held by End's frame, and by main's, at the end; seen in mode exit)
SEEN = {
    "return": (None, "definite", True),
    "exit": ("reachable", "reachable", True),
    "_exit": ("reachable", "reachable", True),
    "_Exit": ("reachable", "reachable", True),
    "quick_exit": ("reachable", "reachable", True),
    "raw_exit": ("reachable", "reachable", False),
    "abort": ("reachable", "reachable", True),
    "assert": ("reachable", "reachable", True),
    "throw": ("reachable", "reachable", True),
    "segv": ("reachable", "reachable", False),
    "fpe": ("reachable", "reachable", False),
    "term": ("reachable", "reachable", False),
    "overflow": ("reachable", "reachable", False),
    "in_thread": ("reachable", "reachable", True),
    "pthread_exit": (None, "definite", True),
}
# Endings after which static destructors have run.
DESTRUCTED = ("return", "exit", "in_thread", "pthread_exit")


def checks_of(trace):
    done = harness.run([TOOLS / "dump_checks", trace], check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def plain(*arguments):
    return harness.run([PROGRAM, *arguments])


class Case(harness.Case):

    def check(self, trace=None):
        """The last leak check of the trace."""
        return checks_of(trace or self.trace())[-1]

    def kinds(self, check):
        """{size: class} of a check whose groups have one block each."""
        kinds = {}
        for group in check["groups"]:
            kinds[group["bytes"] // group["blocks"]] = group["kind"]
        return kinds

    def run_both(self, mode, *arguments):
        for trace in harness.traces(self.dir):
            trace.unlink()
        expected = plain(*arguments)
        result = harness.record([PROGRAM, *arguments], "-q", f"--leak-check={mode}",
                                cwd=self.dir)
        self.assertEqual(result.returncode, expected.returncode)
        self.assertEqual(result.stdout, expected.stdout)
        # Messages with the program's own path, which is the same.
        self.assertEqual(result.stderr, expected.stderr)

    def verify(self, mode, ending, threads):
        self.run_both(mode, ending, threads)
        check = self.check()
        held, main, seen = SEEN[ending]
        if mode == "exit" and not seen:
            self.assertFalse(check["classified"], check)
            self.assertIn("--leak-check full", check["reason"])
            return
        self.assertTrue(check["classified"], check["reason"])
        kinds = self.kinds(check)
        truth = {LOST: "definite", CHILD: "indirect", GLOBAL: "reachable", MAIN: main, DEAD: main,
                 HELD: held, LATE: None if ending in DESTRUCTED else "reachable"}
        if threads != "none":
            truth[THREAD] = "reachable"
        if threads == "spinning":
            truth[REGISTER] = "reachable"
        for size, kind in truth.items():
            self.assertEqual(kinds.get(size), kind, f"{size}: {check}")


class Endings(Case):

    def test_every_ending(self):
        for mode in ("exit", "full"):
            for ending in SEEN:
                with self.subTest(mode=mode, ending=ending):
                    self.verify(mode, ending, "none")

    def test_other_threads(self):
        for ending, threads in (("return", "running"), ("exit", "spinning"),
                                ("_exit", "blocked"), ("abort", "spinning"),
                                ("segv", "spinning"), ("segv", "running"),
                                ("term", "blocked"), ("overflow", "spinning")):
            for mode in ("exit", "full"):
                with self.subTest(mode=mode, ending=ending, threads=threads):
                    self.verify(mode, ending, threads)

    def test_every_ending_with_every_kind_of_thread(self):
        if "HOLD_RUNS" not in os.environ:
            self.skipTest("slow")
        for mode in ("exit", "full"):
            for ending in SEEN:
                if ending == "pthread_exit":
                    continue  # the other threads never end
                for threads in ("running", "blocked", "spinning"):
                    with self.subTest(mode=mode, ending=ending, threads=threads):
                        self.verify(mode, ending, threads)

    def test_none(self):
        self.run_both("none", "return")
        self.assertEqual(checks_of(self.trace()), [])

    def test_events_that_came_before(self):
        self.run_both("exit", "return")
        totals = harness.totals(self.trace())
        events = totals["allocations"] + totals["frees"] - totals["reallocations"]
        self.assertEqual(self.check()["events"], events)

    def test_killed(self):
        for mode in ("exit", "full"):
            self.run_both(mode, "kill", "running")
            check = self.check()
            self.assertFalse(check["classified"])
            self.assertEqual(check["reason"], "killed by SIGKILL")
            self.assertEqual((check["cause"], check["detail"]), ("signal", 9))

    def test_forked_children(self):
        for mode in ("exit", "full"):
            for ending, status in (("fork_exit", 21), ("fork__exit", 22)):
                with self.subTest(mode=mode, ending=ending):
                    self.run_both(mode, ending)
                    checks = [self.check(t) for t in harness.traces(self.dir)]
                    child = next(c for c in checks if c["detail"] == status)
                    parent = next(c for c in checks if c["detail"] == 16)
                    # What it inherited is not its leak, but holds its own block.
                    self.assertEqual(self.kinds(child), {
                        OWN: "reachable", LOST: "definite", CHILD: "indirect"})
                    self.assertEqual(self.kinds(parent)[INHERITED], "reachable")

    def test_exec_by_another_thread(self):
        program = harness.compile_c(self.dir, "executes", EXECUTES, "-pthread")
        for mode in ("exit", "full"):
            result = self.record([program], "-q", f"--leak-check={mode}", "-o",
                                 f"{self.dir}/{mode}/", status=5)
            self.assertEqual(result.stdout, b"executed\n")
            checks = [checks_of(t) for t in harness.traces(self.dir / mode)]
            self.assertEqual(sorted(map(len, checks)), [0, 1])  # the shell's alone

    def test_large_heaps_at_once(self):
        program = harness.compile_c(self.dir, "family", FAMILY)
        self.record([program], "-q", status=9)
        checks = [self.check(t) for t in harness.traces(self.dir)]
        self.assertEqual(sorted(c["detail"] for c in checks), [9, 20, 21, 22])
        for check in checks:
            self.assertTrue(check["classified"], check)
            kinds = self.kinds(check)
            if check["detail"] != 9:
                self.assertEqual(kinds, {4096: "reachable", LOST: "definite",
                                         OWN: "reachable"})

    def test_bare(self):
        trace = self.dir / "bare.mgram"
        harness.run([PROGRAM, "exit"], env=harness.bare_env(trace), cwd=self.dir)
        harness.wait_complete(trace)
        self.assertEqual(self.kinds(self.check(trace))[LOST], "definite")

    def test_traceme(self):
        # A tracer of its own choice is not kept away.
        for mode in ("exit", "full"):
            self.run_both(mode, "traceme")
            self.assertIn("traces it already", self.check()["reason"])


class Living(Case):

    def start(self, *arguments, mode="exit"):
        """The launcher, and the program's pid, which has said its first word."""
        process = subprocess.Popen(
            [harness.mallogram(), "record", "-q", f"--leak-check={mode}", "-o",
             self.dir / "trace.mgram", "--", PROGRAM, *arguments], cwd=self.dir,
            env=harness.clean_env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(self.end, process)
        process.stdout.readline()
        def child():
            path = f"/proc/{process.pid}/task/{process.pid}/children"
            for pid in pathlib.Path(path).read_text().split():
                comm = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
                if comm == "leak_endings":
                    return int(pid)
            return None
        pid = harness.wait_for(child)
        self.addCleanup(self.kill, pid)
        return process, pid

    def kill(self, pid):
        """Nothing that a failed test leaves behind, or it would keep our pipes open."""
        if harness.runs(pid):
            os.kill(pid, signal.SIGKILL)

    def end(self, process):
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe:
                pipe.close()

    def ask(self, pid, **kwargs):
        return harness.run([TOOLS / "ask_check", pid], **kwargs)

    def test_checks_on_request(self):
        for mode in ("exit", "full"):
            for threads in ("blocked", "spinning", "running"):
                with self.subTest(mode=mode, threads=threads):
                    process, pid = self.start("wait", threads, mode=mode)
                    process.stdout.readline()  # it waits
                    for index in range(3):
                        answer = self.ask(pid, check=True).stdout.split()
                        self.assertEqual(answer[1], b"%d" % index)
                        check = self.check(answer[0].decode())
                        self.assertEqual(check["cause"], "command")
                        self.assertTrue(check["classified"], check)
                        self.assertGreater(check["pause_ns"], 0)
                        kinds = self.kinds(check)
                        self.assertEqual(kinds[LOST], "definite")
                        self.assertEqual(kinds[THREAD], "reachable")
                        if threads == "spinning":
                            self.assertEqual(kinds[REGISTER], "reachable")
                    # In mode exit nobody traces it now.
                    status = pathlib.Path(f"/proc/{pid}/status").read_text()
                    traced = "TracerPid:\t0\n" not in status
                    self.assertEqual(traced, mode == "full")
                    os.kill(pid, signal.SIGUSR1)
                    self.assertEqual(process.wait(harness.LIMIT), 18)
                    checks = checks_of(self.dir / "trace.mgram")
                    self.assertEqual([c["cause"] for c in checks], ["command"] * 3 + ["exit"])
                    self.end(process)
                    (self.dir / "trace.mgram").unlink()

    def test_nobody_to_ask(self):
        result = self.ask(os.getpid())
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"is not being recorded", result.stderr)

    def test_overwritten_environment(self):
        # As servers do that show their state in `ps`.
        program = harness.compile_c(self.dir, "title", r"""
            #include <stdio.h>
            #include <string.h>
            #include <unistd.h>
            extern char** environ;
            int main() {
              for (char** entry = environ; *entry; ++entry)
                memset(*entry, 0, strlen(*entry));
              printf("%d\n", getpid());
              fflush(stdout);
              return getchar() == EOF ? 0 : 1;
            }""")
        process = subprocess.Popen(
            [harness.mallogram(), "record", "-q", "-o", "title.mgram", program],
            cwd=self.dir, env=harness.clean_env(), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)
        self.addCleanup(self.end, process)
        self.ask(int(process.stdout.readline()), check=True)
        process.stdin.close()
        self.assertEqual(process.wait(harness.LIMIT), 0)

    def test_bare(self):
        trace = self.dir / "bare.mgram"
        process = subprocess.Popen([PROGRAM, "wait"], env=harness.bare_env(trace),
                                   cwd=self.dir, stdout=subprocess.PIPE)
        self.addCleanup(self.end, process)
        process.stdout.readline()
        process.stdout.readline()
        # Its collector may still be on its way.
        harness.wait_for(lambda: self.ask(process.pid).returncode == 0)
        answer = self.ask(process.pid, check=True).stdout.split()
        self.assertEqual(self.kinds(self.check(answer[0].decode()))[LOST], "definite")
        os.kill(process.pid, signal.SIGUSR1)
        self.assertEqual(process.wait(harness.LIMIT), 18)
        harness.wait_complete(trace)

    def test_stopped_process(self):
        # It stays stopped, and continues as before.
        for mode in ("exit", "full"):
            process, pid = self.start("wait", "blocked", mode=mode)
            process.stdout.readline()
            os.kill(pid, signal.SIGSTOP)
            harness.wait_for(lambda: harness.state(pid) in ("T", "t"))
            self.assertTrue(self.check(self.ask(pid, check=True).stdout.split()[0].decode())
                            ["classified"])
            time.sleep(0.05)
            self.assertIn(harness.state(pid), ("T", "t"), mode)
            os.kill(pid, signal.SIGUSR1)
            process.send_signal(signal.SIGCONT)
            self.assertEqual(process.wait(harness.LIMIT), 18)
            self.end(process)
            (self.dir / "trace.mgram").unlink()

    def test_timer(self):
        # A thousand signals a second, each of which the tracer passes on.
        expected = plain("timer")
        result = harness.record([PROGRAM, "timer"], "-q", "--leak-check=full",
                                cwd=self.dir)
        self.assertEqual((result.returncode, result.stdout),
                         (expected.returncode, expected.stdout))

    def test_collector_killed_while_it_holds(self):
        # It is stopped when the program asks, and killed then: the program ends as ever.
        for ending, mode in (("exit", "exit"), ("segv", "full")):
            process, pid = self.start("wait_" + ending, mode=mode)
            process.stdout.readline()
            with open(f"/proc/{process.pid}/task/{process.pid}/children") as f:
                collector = next(int(p) for p in f.read().split() if int(p) != pid)
            os.kill(collector, signal.SIGSTOP)
            os.kill(pid, signal.SIGUSR1)
            time.sleep(0.1)
            self.assertTrue(harness.runs(pid))  # it waits for the answer, or is held
            os.kill(collector, signal.SIGKILL)
            status = process.wait(harness.LIMIT)
            self.assertEqual(status, 11 if ending == "exit" else -signal.SIGSEGV)
            self.end(process)


class Storm(Case):

    def test_kills_at_random_moments(self):
        generator = random.Random(7)
        for run in range(int(os.environ.get("HOLD_RUNS", "10"))):
            number = generator.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV,
                                       signal.SIGABRT))
            with self.subTest(run=run, number=number):
                process = subprocess.Popen(
                    [harness.mallogram(), "record", "-q", "--leak-check=full", "-o",
                     self.dir / "trace.mgram", "--", PROGRAM, "threads"], cwd=self.dir,
                    env=harness.clean_env(), stdout=subprocess.PIPE)
                pid = int(process.stdout.readline().split()[-1])
                time.sleep(generator.random() * 0.05)
                os.kill(pid, number)
                self.assertEqual(process.wait(harness.LIMIT), -number)
                process.stdout.close()
                check = self.check(self.dir / "trace.mgram")
                self.assertEqual((check["cause"], check["detail"]), ("signal", number))
                self.assertEqual(check["classified"], number != signal.SIGKILL, check)


if __name__ == "__main__":
    harness.main()
