"""The harness itself: nothing that a test starts outlives it, and what does not end
by itself is a failure."""

import os
import pathlib
import signal
import subprocess
import sys

import harness

# A daemon that has closed nothing: it would hold the test runner's pipe as well.
TESTS = r"""
import os, subprocess, time
import harness
PID = os.environ["PID_FILE"]
class Leaves(harness.Case):
    def test(self):
        subprocess.run(["sh", "-c", "setsid sh -c 'echo $$ >$PID_FILE; exec sleep "
                        "$SLEEP' & exit 0"])
        harness.wait_for(lambda: os.path.exists(PID) and open(PID).read().endswith("\n"))
        if os.environ["THEN"] == "fails":
            self.fail()
        if os.environ["THEN"] == "hangs":
            print("hangs", flush=True)
            time.sleep(1000)
harness.main()
"""


class NothingIsLeft(harness.Case):

    def setUp(self):
        super().setUp()
        self.pid_file = self.dir / "pid"
        (self.dir / "leaves.py").write_text(TESTS)

    def start(self, then, sleep):
        env = {**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parent),
               "PID_FILE": str(self.pid_file), "THEN": then, "SLEEP": sleep,
               "MALLOGRAM_TEST_LIMIT": "2"}
        process = subprocess.Popen([sys.executable, "-B", self.dir / "leaves.py"], env=env,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.addCleanup(process.stdout.close)
        return process

    def check_gone(self):
        self.assertFalse(harness.runs(int(self.pid_file.read_text())))

    def test_what_ends_by_itself_is_waited_for(self):
        process = self.start("succeeds", "0.2")
        out = process.communicate(timeout=harness.LIMIT)[0]
        self.assertEqual(process.returncode, 0, out)
        self.check_gone()

    def test_what_does_not_is_killed_and_named(self):
        process = self.start("succeeds", "1000")
        out = process.communicate(timeout=harness.LIMIT)[0]
        self.assertEqual(process.returncode, 1, out)
        self.assertIn(b"left running by the tests, killed: ", out)
        self.assertIn(b"sleep 1000", out)
        self.check_gone()

    def test_after_a_failure(self):
        process = self.start("fails", "1000")
        out = process.communicate(timeout=harness.LIMIT)[0]
        self.assertEqual(process.returncode, 1, out)
        self.check_gone()

    def test_when_the_runner_has_waited_too_long(self):
        process = self.start("hangs", "1000")
        while process.stdout.readline() != b"hangs\n":
            pass
        process.terminate()
        process.communicate(timeout=harness.LIMIT)
        self.assertEqual(process.returncode, 128 + signal.SIGTERM)
        self.check_gone()


if __name__ == "__main__":
    harness.main()
