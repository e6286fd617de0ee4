"""`mallogram check`, end to end: every limit kept and broken, the exit status, the
tests that leak named, JUnit's XML."""

import os
import pathlib
import unittest
import xml.etree.ElementTree

import harness

PROGRAMS = pathlib.Path(os.environ["MALLOGRAM_PROGRAMS"])
TESTS = os.environ["LEAKY_TESTS"]


class Gate(harness.Case):

    def check(self, *args, status):
        result = harness.command("check", *args, cwd=self.dir)
        text = result.stderr.decode()
        self.assertEqual(result.returncode, status, text)
        self.assertEqual(harness.traces(self.dir), [])
        return text

    def test_tests_that_leak_are_named(self):
        text = self.check("--junit", "out.xml", "--", TESTS, status=23)
        self.assertIn("leak  FAILED  384 B lost in 4 blocks, limit: at most 0 B", text)
        text = " ".join(text.split())  # long lines are broken
        self.assertRegex(text, r"Nodes\.ThatNobodyFreesAreLost leaks 96 B: 1 block "
                               r"of .*MakeNode.*\(leaky_tests\.cc:\d+\)")
        self.assertRegex(text, r"NodesOfAFixtureWithAVeryLongNameIndeed\.LosesThree "
                               r"leaks 288 B: 3 blocks of .*MakeNode")
        self.assertNotIn("Clean.", text.replace("[", ""))
        suites = xml.etree.ElementTree.parse(self.dir / "out.xml").getroot()
        self.assertEqual(suites.get("failures"), "1")
        failure = suites.find("testsuite/testcase/failure")
        self.assertIn("Nodes.ThatNobodyFreesAreLost leaks 96 B", failure.text)

    def test_clean_tests_pass(self):
        text = self.check("--max-leak", "0", "--max-peak", "64MiB", "--", TESTS,
                          "--gtest_filter=Clean.*", status=0)
        self.assertIn("leak  ok", text)
        self.assertIn("peak  ok", text)
        # Some leaks are allowed.
        self.check("--max-leak", "384", TESTS, status=0)
        self.check("--max-leak=383B", TESTS, status=23)

    def test_other_limits(self):
        text = self.check("--max-peak", "1KiB", "--max-allocations", "10", TESTS,
                          "--gtest_filter=Clean.*", status=23)
        self.assertIn("peak         FAILED", text)
        self.assertIn("allocations  FAILED", text)
        self.assertNotIn("leak ", text)  # not asked for

    def test_growth(self):
        program = str(PROGRAMS / "growing")
        text = self.check("--max-growth", "none", "--", program, status=23)
        self.assertRegex(text, r"AddSession.* grows: .* an hour")
        self.check("--max-growth", "none", "--", program, "steady", status=0)
        self.check("--max-growth", "linear", "--", program, status=0)

    def burst(self):
        """Loses 250,000 B; its recording is some hundred KiB."""
        source = pathlib.Path(__file__).with_name("burst.c")
        return harness.compile_c(self.dir, "burst", source.read_text(encoding="utf-8"))

    # A limit that is kept where the recording ends may be broken after.
    @unittest.skipUnless(os.geteuid() == 0, "mounts a small disk")
    def test_full_disk_is_not_green(self):
        program = self.burst()
        small = self.dir / "small"
        small.mkdir()
        result = harness.run(
            ["unshare", "--mount", "sh", "-c",
             'mount -t tmpfs -o size=16k none "$0" && exec "$@"', small, harness.mallogram(),
             "check", "--max-leak", "0", "--max-peak", "80MiB", "--max-allocations", "10000000",
             "--junit", self.dir / "out.xml", "-o", small / "t.mgram", program],
            cwd=self.dir, env=harness.clean_env())
        text = result.stderr.decode()
        self.assertNotEqual(result.returncode, 0, text)
        suites = xml.etree.ElementTree.parse(self.dir / "out.xml").getroot()
        self.assertEqual(suites.get("failures"), "3", text)

    def test_no_part_of_a_recording_is_green(self):
        trace = self.dir / "whole.mgram"
        self.record([self.burst()], "-q", "-o", trace, "--leak-check", "exit")
        whole = trace.read_bytes()
        part = self.dir / "part.mgram"
        for eighth in range(1, 8):
            for size in (len(whole) * eighth // 8, 400 * eighth):
                part.write_bytes(whole[:size])
                result = harness.command("leaks", "--fail-on", "definite", part)
                with self.subTest(size=size):
                    self.assertNotEqual(result.returncode, 0, result.stdout.decode())

    def test_the_programs_own_failure_wins(self):
        self.check("--max-leak", "0", "--", "sh", "-c", "exit 7", status=7)

    def test_mistakes(self):
        self.assertIn("none or linear",
                      self.check("--max-growth", "liner", "true", status=2))
        self.assertIn("takes bytes", self.check("--max-leak", "x", "true", status=2))
        self.assertIn("needs a PROGRAM", self.check("--max-leak", "0", status=2))
        self.check("--suppressions", "not-there", "true", status=2)

    def test_suppressions(self):
        (self.dir / "s").write_text("leak:MakeNode\n")
        self.check("--suppressions", "s", TESTS, status=0)


if __name__ == "__main__":
    harness.main()
