"""Programs that put themselves into a sandbox: no system call of ours kills them.

tests/programs/sandbox.c installs a filter that kills, or refuses, everything but a
short list of calls, or SECCOMP_MODE_STRICT; tests/programs/own_calls.cc tells which
calls the library makes at all after its start.
"""

import os
import pathlib

import harness

PROGRAMS = pathlib.Path(os.environ["MALLOGRAM_PROGRAMS"])
# x86-64 numbers.
MMAP, MUNMAP, MREMAP, MADVISE, FUTEX = 9, 11, 25, 28, 202


class Sandbox(harness.Case):
    def compare(self, *arguments):
        argv = [PROGRAMS / "sandbox", *arguments]
        plain = harness.run(argv)
        recorded = harness.record(argv, "-q", cwd=self.dir)
        with self.subTest(arguments=arguments):
            self.assertEqual((recorded.stdout, recorded.returncode),
                             (plain.stdout, plain.returncode), recorded.stderr)
        return plain.returncode

    def test_same_as_plain(self):
        """Some are killed plain, too: by the C library's own calls."""
        ended = []
        for mode in ("strict", "eperm", "enosys", "kill"):
            for when in ("early", "late"):
                for threads in ((), ("threads",)):
                    for pairs in ("2000", "300000"):
                        ended.append(self.compare(mode, when, pairs, *threads))
        self.assertGreaterEqual(ended.count(7), 20)

    def test_all_is_recorded(self):
        for mode in ("kill", "eperm"):
            directory = self.dir / mode
            directory.mkdir()
            harness.record([PROGRAMS / "sandbox", mode, "late", "2000", "threads"], "-q",
                           cwd=directory)
            totals = harness.totals(self.trace(directory))
            # 100 + 2000 + the thread's 1001, and what the C library takes for it.
            self.assertGreaterEqual(totals["allocations"], 3101)
            self.assertLess(totals["allocations"], 3120)
            self.assertEqual(harness.report(self.trace(directory))["loss"]["events_lost"],
                             0)


class OwnCalls(harness.Case):
    def calls(self, *arguments):
        result = harness.record([PROGRAMS / "own_calls", *arguments], "-q", cwd=self.dir)
        self.assertEqual(result.returncode, 0, result.stdout)
        return {int(line) for line in result.stdout.split()}

    def test_none_but_the_wait_for_the_collector(self):
        for end in ((), ("_exit",)):
            self.assertLessEqual(self.calls("small", *end), {FUTEX})

    def test_memory_when_more_is_needed(self):
        calls = self.calls("large")
        self.assertLessEqual(calls, {FUTEX, MMAP, MUNMAP, MREMAP, MADVISE})
        self.assertNotEqual(calls, set(), "this test sees nothing")


if __name__ == "__main__":
    harness.main()
