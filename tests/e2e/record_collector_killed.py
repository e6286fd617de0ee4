"""The collector is killed, or dies: the program never notices, what was recorded until
then is readable, and the launcher says what it died of."""

import os
import random
import signal
import subprocess

import harness

# Allocates a lot, so that its ring is full soon after nobody empties it, waits for a
# word, allocates on, and says at the end what it computed.
WORK = r"""
#include <stdio.h>
#include <stdlib.h>
#include <pthread.h>
enum { kRounds = 300000, kKept = 1000 };
static void* work(void* argument) {
  unsigned state = 12345;
  static __thread void* kept[kKept];
  for (int i = 0; i < kRounds; ++i) {
    state = state * 1103515245u + 12345u;
    unsigned at = (state >> 8) % kKept;
    free(kept[at]);
    kept[at] = malloc(state % 500);
  }
  *(unsigned*)argument = state;
  return NULL;
}
int main(void) {
  unsigned first = 0, second = 0;
  pthread_t thread;
  puts("begin");
  fflush(stdout);
  pthread_create(&thread, NULL, work, &second);
  work(&first);
  pthread_join(thread, NULL);
  getchar();  /* the collector is dead before we go on */
  work(&first);
  printf("%u %u\n", first, second);
  return 17;
}
"""


def collector_of(launcher):
    """pid of the collector that this launcher has forked."""
    def find():
        with open(f"/proc/{launcher}/task/{launcher}/children") as f:
            for pid in f.read().split():
                with open(f"/proc/{pid}/comm") as comm:
                    if comm.read().strip() == "mgram-collector":
                        return int(pid)
        return None
    return harness.wait_for(find, "the collector")


class Killed(harness.Case):

    def setUp(self):
        super().setUp()
        self.program = harness.compile_c(self.dir, "work", WORK, "-pthread")
        self.expected = harness.run([self.program]).stdout

    def test_program_is_undisturbed(self):
        # The number is small here; kill_test.py does it often.
        generator = random.Random(2)
        for round_number in range(8):
            with self.subTest(round=round_number):
                trace = self.dir / f"{round_number}.mgram"
                process = subprocess.Popen(
                    [harness.mallogram(), "record", "-o", trace, "--", self.program],
                    cwd=self.dir, env=harness.clean_env(), stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                collector = collector_of(process.pid)
                if round_number > 0:  # the first one dies before it has done anything
                    head = process.stdout.read(len(b"begin\n"))
                    self.assertEqual(head, b"begin\n")
                    spin(generator.randrange(1, 2_000_000))
                else:
                    head = b""
                os.kill(collector, signal.SIGKILL)
                out, err = process.communicate(b"\n", timeout=harness.LIMIT)
                self.assertEqual(head + out, self.expected)
                self.assertEqual(process.returncode, 17)
                self.assertEqual(err.count(b"\n"), 1, err)
                self.assertIn(b"the collector was killed by SIGKILL", err)
                if trace.exists():
                    self.assertIn(str(trace).encode(), err)
                    if trace.stat().st_size > 0:
                        harness.command("report", trace, check=True)

    def test_collector_keeps_out_of_the_way(self):
        process = subprocess.Popen(
            [harness.mallogram(), "record", "-q", "--", "sh", "-c", "echo; read x"],
            cwd=self.dir, env=harness.clean_env(), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)
        process.stdout.readline()
        collector = collector_of(process.pid)
        # A session of its own: neither the terminal nor kill -PGID reaches it.
        self.assertEqual(os.getsid(collector), collector)
        with open(f"/proc/{collector}/status") as status:
            blocked = [line.split()[1] for line in status if line.startswith("SigBlk")]
        # All but KILL, STOP and the two that the C library keeps for itself.
        self.assertEqual(blocked, ["fffffffe7ffbfeff"])
        # It lets go of them while the program already runs.
        harness.wait_for(lambda: all(
            os.readlink(f"/proc/{collector}/fd/{fd}") == "/dev/null" for fd in (0, 1)))
        # What it says is kept for the launcher.
        harness.wait_for(lambda: "last-words" in os.readlink(f"/proc/{collector}/fd/2"))
        process.communicate(b"\n", timeout=harness.LIMIT)

    def test_socket_is_removed_all_the_same(self):
        process = subprocess.Popen(
            [harness.mallogram(), "record", "-q", "--", "sh", "-c",
             "echo $MALLOGRAM_SOCKET; read x"], cwd=self.dir, env=harness.clean_env(),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        socket = process.stdout.readline().decode().strip()
        self.assertTrue(os.path.exists(socket))
        os.kill(collector_of(process.pid), signal.SIGKILL)
        process.communicate(b"\n", timeout=harness.LIMIT)
        self.assertFalse(os.path.exists(os.path.dirname(socket)))

    def test_stop_does_not_hang_without_a_collector(self):
        process = subprocess.Popen(
            [harness.mallogram(), "record", "-q", "--", "sh", "-c",
             "echo $$; read x; exit 5"], cwd=self.dir, env=harness.clean_env(),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        program = int(process.stdout.readline())
        collector = collector_of(process.pid)
        os.kill(collector, signal.SIGKILL)
        harness.wait_for(lambda: not harness.state(collector), "the launcher to know")
        os.kill(program, signal.SIGSTOP)
        harness.wait_for(lambda: harness.state(program) == "T", "the program to stop")
        os.kill(program, signal.SIGCONT)
        process.communicate(b"\n", timeout=harness.LIMIT)
        self.assertEqual(process.returncode, 5)


# Preloaded into the launcher and thereby into its collector, which calls this once,
# when it begins.
DEATH = r"""
#include <assert.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>
int sched_setscheduler(pid_t pid, int policy, const struct sched_param* parameters) {
  DIE;
  return 0;
}
"""


class Dies(harness.Case):
    """What the launcher says, for one way to die each."""

    def last_line(self, death, program=("true",)):
        library = harness.compile_c(self.dir, "death.so", DEATH, "-shared", "-fPIC",
                                    f"-DDIE={death}")
        result = harness.record(program, cwd=self.dir,
                                env=harness.clean_env(LD_PRELOAD=library))
        # The program itself, which is none the worse for it.
        self.assertEqual(result.returncode, 0, result.stderr)
        lines = result.stderr.decode().splitlines()
        self.assertEqual(len(lines), 1, lines)
        return lines[0]

    def test_assertion(self):
        line = self.last_line('assert(!"the sky falls")')
        self.assertIn("the collector died of SIGABRT: ", line)
        self.assertIn("the sky falls", line)
        self.assertIn("there is no trace", line)

    def test_words_of_the_c_library(self):
        line = self.last_line("{extern void __chk_fail(void); __chk_fail();}")
        self.assertIn("the collector died of SIGABRT: *** buffer overflow detected ***",
                      line)

    def test_signals(self):
        for number, name in (("SIGSEGV", "died of SIGSEGV"), ("SIGBUS", "died of SIGBUS"),
                             ("SIGSYS", "died of SIGSYS"), ("SIGKILL", "was killed by SIGKILL")):
            with self.subTest(name=name):
                line = self.last_line(
                    "{sigset_t none; sigemptyset(&none); sigprocmask(SIG_SETMASK, &none, 0);"
                    f"raise({number}); for (;;) pause();}}")
                self.assertIn(f"the collector {name}; there is no trace", line)

    def test_exit_status(self):
        self.assertIn("the collector ended with status 3: bye; there is no trace",
                      self.last_line('{fputs("bye\\n", stderr); _exit(3);}'))

    def test_words_without_end(self):
        # Of a long text begin and end; what could harm a terminal is not passed on.
        line = self.last_line(
            '{fputs("first \\033[31m", stderr); for (int i = 0; i < 100000; ++i) '
            'fputs("and so on, ", stderr); abort();}')
        self.assertIn("the collector died of SIGABRT: first ?[31m", line)
        self.assertIn(" ... ", line)
        self.assertLess(len(line), 700)

    def test_while_it_records(self):
        # Killed by its own doing later on: the trace that it leaves is named.
        program = harness.compile_c(self.dir, "work", WORK, "-pthread")
        process = subprocess.Popen(
            [harness.mallogram(), "record", "-o", "late.mgram", "--", program],
            cwd=self.dir, env=harness.clean_env(), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b"begin\n")
        harness.wait_for((self.dir / "late.mgram").exists)
        os.kill(collector_of(process.pid), signal.SIGKILL)
        _, err = process.communicate(b"\n", timeout=harness.LIMIT)
        self.assertEqual(process.returncode, 17)
        self.assertIn(b"the collector was killed by SIGKILL; late.mgram holds what was "
                      b"recorded until then", err)


def spin(count):
    """Passes some time that differs from run to run."""
    while count > 0:
        count -= 1


if __name__ == "__main__":
    harness.main()
