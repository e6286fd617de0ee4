"""Resource limits are the program's: it gets under them what it gets plain, recorded
or with one line that names the limit; and it finds exactly those that were set."""

import os
import resource
import shutil
import subprocess
import sys

import harness
from record_refusals import as_nobody, installed

# 1007 blocks of its own, a status of its own.
PROGRAM = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static void *keep[1000];
int main(void) {
  int failed = 0;
  for (int i = 0; i < 1000; i++) {
    keep[i] = malloc(1000);
    if (keep[i]) memset(keep[i], 1, 1000); else failed++;
  }
  for (int i = 0; i < 7; i++) if (!malloc(77)) failed++;
  printf("done, %d failed\n", failed);
  return 5;
}
"""

# Keeps many blocks; says so; waits for the end of its input.
HOLDER = r"""
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) {
  long n = atol(argv[1]), failed = 0;
  for (long i = 0; i < n; i++) if (!malloc(16 + i % 64)) failed++;
  printf("held, %ld failed\n", failed);
  fflush(stdout);
  while (getchar() != EOF) {}
  return 0;
}
"""

# Blocks of sizes that don't compress, and no two at the same place for long.
WRITER = r"""
#include <stdio.h>
#include <stdlib.h>
static void *keep[4096];
int main(int argc, char **argv) {
  unsigned long n = atol(argv[1]), x = 88172645463325252u;
  for (unsigned long i = 0; i < n; i++) {
    x ^= x << 13; x ^= x >> 7; x ^= x << 17;
    free(keep[x % 4096]);
    keep[x % 4096] = malloc(1 + (x >> 20) % 2000);
  }
  puts("written");
  return 0;
}
"""

KIB = 1024
ANY = resource.RLIM_INFINITY
# (resource, as `ulimit` says it, value)
LIMITS = [
    (resource.RLIMIT_AS, "-v", 18_000 * KIB),
    (resource.RLIMIT_AS, "-v", 40_000 * KIB),
    (resource.RLIMIT_AS, "-v", 42_000 * KIB),
    (resource.RLIMIT_AS, "-v", 100_000 * KIB),
    (resource.RLIMIT_AS, "-v", 1_000_000 * KIB),
    (resource.RLIMIT_DATA, "-d", 8_000 * KIB),
    (resource.RLIMIT_DATA, "-d", 20_000 * KIB),
    (resource.RLIMIT_DATA, "-d", 1_000_000 * KIB),
    (resource.RLIMIT_RSS, "-m", 1_000 * KIB),
    (resource.RLIMIT_MEMLOCK, "-l", 0),
    (resource.RLIMIT_STACK, "-s", 64 * KIB),
    (resource.RLIMIT_STACK, "-s", ANY),
    (resource.RLIMIT_NOFILE, "-n", 4),
    (resource.RLIMIT_NOFILE, "-n", 6),
    (resource.RLIMIT_NOFILE, "-n", 8),
    (resource.RLIMIT_NOFILE, "-n", 12),
    (resource.RLIMIT_NOFILE, "-n", 20),
    (resource.RLIMIT_NOFILE, "-n", 64),
    (resource.RLIMIT_FSIZE, "-f", 0),
    (resource.RLIMIT_FSIZE, "-f", 1 * KIB),
    (resource.RLIMIT_FSIZE, "-f", 100 * KIB),
    (resource.RLIMIT_CPU, "-t", 5),
    (resource.RLIMIT_SIGPENDING, "-i", 0),
    (resource.RLIMIT_NPROC, "-u", 0),
    (resource.RLIMIT_NPROC, "-u", 3),
    (resource.RLIMIT_RTTIME, "-R", 1000),
]
# Wide enough for all that the launcher does: recorded, whoever starts it.
RECORDED = {("-v", 40_000 * KIB), ("-v", 42_000 * KIB), ("-v", 100_000 * KIB),
            ("-v", 1_000_000 * KIB), ("-m", 1_000 * KIB), ("-l", 0), ("-s", 64 * KIB),
            ("-s", ANY), ("-n", 64), ("-t", 5), ("-i", 0), ("-R", 1000)}


class Limited(harness.Case):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tree = harness.tempfile.mkdtemp(prefix="mallogram-test-")
        os.chmod(cls.tree, 0o755)
        cls.addClassCleanup(shutil.rmtree, cls.tree, ignore_errors=True)
        cls.command = installed(cls.tree)
        cls.library = f"{cls.tree}/lib/mallogram/libmallogram.so"
        cls.program = harness.compile_c(cls.tree, "program", PROGRAM)

    def work(self):
        """A new directory that anybody may write."""
        path = harness.tempfile.mkdtemp(dir=self.dir)
        os.chmod(path, 0o777)
        return path

    def under(self, limits, argv, cwd, **kwargs):
        """Runs a command under hard limits [(resource, value)]."""
        def impose():
            for what, value in limits:
                resource.setrlimit(what, value if isinstance(value, tuple)
                                   else (value, value))
        return harness.run(argv, cwd=cwd, preexec_fn=impose, **kwargs)

    def users(self):
        return [("root", {}), ("nobody", as_nobody())] if os.geteuid() == 0 else [
            ("user", {})]


class Matrix(Limited):

    def each(self, check):
        """check(resource, option, value, identity, result of the plain program)."""
        for who, identity in self.users():
            for what, option, value in LIMITS:
                with self.subTest(user=who, limit=f"ulimit {option} {value}"):
                    plain = self.under([(what, value)], [self.program], self.dir,
                                       **identity)
                    self.assertEqual(plain.returncode, 5)
                    check(what, option, value, identity, plain)

    def test_launcher(self):
        def check(what, option, value, identity, plain):
            cwd = self.work()
            got = self.under([(what, value)],
                             [self.command, "-q", "-o", "x.mgram", self.program], cwd,
                             **identity)
            text = got.stderr.decode()
            self.assertEqual((got.returncode, got.stdout),
                             (plain.returncode, plain.stdout), text)
            if text:
                self.assertEqual(text.count("\n"), 1, text)
                self.assertIn("recorded", text)
                self.assertIn(f"{option} ", text)
                self.assertNotIn((option, value), RECORDED, text)
            else:
                # One or two more are libc's own.
                self.assertIn(harness.totals(f"{cwd}/x.mgram")["allocations"],
                              range(1007, 1012))
            self.assertEqual([f for f in os.listdir(cwd) if f != "x.mgram"], [])
        self.each(check)

    def test_bare(self):
        def check(what, option, value, identity, plain):
            cwd = self.work()
            env = harness.clean_env(LD_PRELOAD=self.library, MALLOGRAM_OUT="x.mgram")
            got = self.under([(what, value)], [self.program], cwd, env=env, **identity)
            self.assertEqual((got.returncode, got.stdout, got.stderr),
                             (plain.returncode, plain.stdout, plain.stderr))
            if (option, value) in RECORDED:
                harness.wait_complete(f"{cwd}/x.mgram")
            elif option == "-n" and value in (8, 12):
                # The file says why there is nothing in it.
                harness.wait_complete(f"{cwd}/x.mgram")
                info = self.under([], [self.command, "info", "x.mgram"], cwd)
                self.assertIn(f"nothing was recorded: the collector needs 20 "
                              f"descriptors (ulimit -n {value})", " ".join(info.stdout.decode().split()))
        self.each(check)


class Inherited(Limited):
    """The program finds what was there."""

    FACTS = r"""
import os, resource
for name in sorted(n for n in dir(resource) if n.startswith('RLIMIT_')):
    print(name, resource.getrlimit(getattr(resource, name)))
print('nice', os.nice(0), 'policy', os.sched_getscheduler(0),
      'priority', os.sched_getparam(0).sched_priority,
      'processors', sorted(os.sched_getaffinity(0)))
print('out of memory', open('/proc/self/oom_score_adj').read())
"""

    def facts(self, limits, *prefix, **kwargs):
        script = [sys.executable, "-S", "-c", self.FACTS]
        plain = self.under(limits, [*prefix, *script], self.dir, **kwargs)
        self.assertEqual(plain.returncode, 0, plain.stderr.decode())
        got = self.under(limits, [*prefix, self.command, "-q", "-o",
                                  f"{self.work()}/x.mgram", *script], self.dir,
                         **kwargs)
        self.assertEqual(got.stderr, b"")
        self.assertEqual(got.stdout.decode(), plain.stdout.decode())

    def test_limits(self):
        soft = [(resource.RLIMIT_AS, (400_000 * KIB, 900_000 * KIB)),
                (resource.RLIMIT_DATA, (300_000 * KIB, 900_000 * KIB)),
                (resource.RLIMIT_STACK, (1_000 * KIB, 30_000 * KIB)),
                (resource.RLIMIT_CPU, (20, 30)),
                (resource.RLIMIT_FSIZE, (9_000_000 * KIB, ANY)),
                (resource.RLIMIT_NOFILE, (50, 60)),
                (resource.RLIMIT_NPROC, (3_000, 4_000)),
                (resource.RLIMIT_SIGPENDING, (10, 20)),
                (resource.RLIMIT_RTTIME, (1_000_000, 2_000_000)),
                (resource.RLIMIT_CORE, (0, 1_000)),
                (resource.RLIMIT_MEMLOCK, (0, 64 * KIB))]
        for who, identity in self.users():
            with self.subTest(user=who):
                self.facts(soft, **identity)

    def test_scheduling(self):
        self.facts([], "nice", "-n", "7")
        self.facts([], "taskset", "-c", str(min(os.sched_getaffinity(0))))
        self.facts([], "chrt", "-b", "0")
        self.facts([], "choom", "-n", "321", "--")

    def test_policy_that_a_fork_resets(self):
        if subprocess.run(["chrt", "-R", "-f", "1", "true"],
                          stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("no real-time policy to be had here")
        self.facts([], "chrt", "-R", "-f", "1")
        self.facts([], "chrt", "-R", "-r", "1")


class Collector(Limited):
    """What the collector's own limits end."""

    def said(self, result, option):
        text = result.stderr.decode()
        self.assertEqual(result.returncode, 0, text)
        self.assertLessEqual(text.count("\n"), 2, text)
        for line in text.splitlines():
            self.assertIn(f"(ulimit {option} ", line)
            self.assertIn("record", line.replace("trace", "record"))
        self.assertTrue(text)

    def at_once(self, limit, start, lines, cwd, end):
        """Records a shell that starts eight commands at once, each of which says
        `lines` and lives until its input ends, which it does when all have spoken;
        then `end`. Returns the rest of the result."""
        reader, writer = os.pipe()
        script = ('i=0; while [ $i -lt 8 ]; do i=$((i+1)); '
                  f'{start} <&{reader} & done; wait; {end}')
        process = subprocess.Popen(
            [self.command, "-q", "-o", "x.mgram", "sh", "-c", script],
            cwd=cwd, env=harness.clean_env(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=[reader],
            preexec_fn=lambda: resource.setrlimit(*limit))
        os.close(reader)
        self.assertEqual([process.stdout.readline() for _ in range(8)], [lines] * 8)
        os.close(writer)
        out, err = process.communicate(timeout=harness.LIMIT)
        return subprocess.CompletedProcess([], process.returncode, out, err)

    def test_memory(self):
        # Each has room for its own blocks; the collector has none for all of them.
        holder = harness.compile_c(self.tree, "holder", HOLDER)
        limit = resource.RLIMIT_AS, (60_000 * KIB, 60_000 * KIB)
        got = self.at_once(limit, f"{holder} 400000", b"held, 0 failed\n", self.work(),
                           "echo over")
        self.assertEqual(got.stdout, b"over\n")
        self.said(got, "-v")
        self.assertIn(b"out of memory", got.stderr)

    def test_descriptors(self):
        # Too many at once: who finds no place runs unrecorded, and who comes when
        # there is one again is recorded.
        holder = harness.compile_c(self.tree, "holder", HOLDER)
        cwd = self.work()
        limit = resource.RLIMIT_NOFILE, (36, 36)
        # The collector learns of the others' ends in its own time.
        end = ("i=0; while [ $i -lt 300 ] && ! ls x.program.*; do i=$((i+1)); "
               f"{self.program}; done >&2; echo over")
        got = self.at_once(limit, f"{holder} 10", b"held, 0 failed\n", cwd, end)
        self.assertEqual((got.returncode, got.stdout), (0, b"over\n"))
        self.assertIn(b"(ulimit -n 36)", got.stderr)
        self.assertGreater(len(list(harness.pathlib.Path(cwd).glob("x.program.*"))), 0)

    def test_processor_time(self):
        writer = harness.compile_c(self.tree, "writer", WRITER)
        # Until it records no more: each program may use a second, and so may it.
        script = (f'{writer} 10; i=0; while [ $i -lt 150 ] && [ -e x.writer.$!.mgram ]'
                  f' || [ $i -lt 2 ]; do i=$((i+1)); {writer} 1000000 & '
                  'wait; done >/dev/null; echo over')
        got = self.under([(resource.RLIMIT_CPU, 1)],
                         [self.command, "-q", "-o", "x.mgram", "sh", "-c", script],
                         self.work())
        self.assertEqual(got.stdout, b"written\nover\n")
        self.said(got, "-t")

    def test_file_size(self):
        writer = harness.compile_c(self.tree, "writer", WRITER)
        cwd = self.work()
        got = self.under([(resource.RLIMIT_FSIZE, 4_000 * KIB)],
                         [self.command, "-q", "-o", "x.mgram", writer, 4_000_000], cwd)
        self.assertEqual(got.stdout, b"written\n")
        self.said(got, "-f")
        self.assertEqual(got.stderr.count(b"\n"), 1)
        if b"incomplete" in got.stderr:  # else the library had no room for itself
            self.assertGreater(harness.totals(f"{cwd}/x.mgram")["allocations"], 10_000)


class Readers(Limited):

    def test_little_memory(self):
        """They answer, or say in one line that they can't."""
        writer = harness.compile_c(self.tree, "writer", WRITER)
        self.record([writer, 2_000_000], "-q", "-o", "x.mgram")
        answered = 0
        for verb in ("report", "leaks", "info", "fit"):
            for kib in (16_000, 24_000, 40_000, 100_000, 200_000):
                with self.subTest(verb=verb, kib=kib):
                    got = self.under([(resource.RLIMIT_AS, kib * KIB)],
                                     [self.command, verb, "x.mgram"], self.dir)
                    text = got.stderr.decode()
                    if got.returncode in (0, 1) and not text.startswith("mallogram: "):
                        answered += 1
                        continue
                    self.assertIn(got.returncode, (1, 2), text)
                    self.assertEqual(text.count("\n"), 1, text)
        self.assertGreater(answered, 4)


if __name__ == "__main__":
    harness.main()
