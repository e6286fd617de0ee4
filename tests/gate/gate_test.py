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
