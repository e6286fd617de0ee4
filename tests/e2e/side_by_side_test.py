"""Recordings side by side: none is the worse for what befalls another."""

import glob
import os
import pathlib
import re
import shutil
import signal
import subprocess
import unittest

import harness
from harness import report, traces

AT_ONCE = int(os.environ.get("AT_ONCE", "200"))

# Allocates 1,000 blocks, says "ready", reads a line, allocates 1,000 more.
WORKER = """
#include <stdio.h>
#include <stdlib.h>
#ifndef BLOCKS
#define BLOCKS 2000
#endif
static void *volatile kept[BLOCKS];
int main(void) {
  char line[16];
  for (int i = 0; i < 1000; ++i) kept[i] = malloc(100);
  puts("ready");
  fflush(stdout);
  if (fgets(line, sizeof(line), stdin) == NULL) return 1;
  unsigned random = 1;
  for (int i = 1000; i < BLOCKS; ++i) {
    random = random * 1103515245 + 12345;
    kept[i] = malloc(random >> 20);
  }
  return 0;
}
"""


def meeting_env(directory):
    """Meeting places are made there."""
    return harness.clean_env(XDG_RUNTIME_DIR=directory)


def meeting_places(directory):
    return glob.glob(f"{directory}/mallogram-??????")


def collector_of(launcher):
    """The collector is the launcher's child of that name."""
    def find():
        for task in os.listdir(f"/proc/{launcher}/task"):
            for pid in pathlib.Path(f"/proc/{launcher}/task/{task}/children").read_text().split():
                if pathlib.Path(f"/proc/{pid}/comm").read_text() == "mgram-collector\n":
                    return int(pid)
        return None
    return harness.wait_for(find, "the collector")


class Worker:
    """A recording under way of a program that waits for a line."""

    def __init__(self, case, program, output):
        self.output = output
        self.process = subprocess.Popen(
            [harness.mallogram(), "record", "-q", "-o", str(output), "--", program],
            cwd=case.dir, env=meeting_env(case.dir), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        case.addCleanup(self.end)
        assert self.process.stdout.readline() == b"ready\n"
        self.launcher = self.process.pid
        self.collector = collector_of(self.launcher)
        self.program = harness.wait_for(self.find_program, "the program")

    def find_program(self):
        children = pathlib.Path(
            f"/proc/{self.launcher}/task/{self.launcher}/children").read_text().split()
        return next((int(pid) for pid in children if int(pid) != self.collector), None)

    def finish(self):
        """Lets the program go on, to its end; the exit status."""
        self.process.communicate(b"\n", timeout=harness.LIMIT)
        return self.process.returncode

    def end(self):
        for pid in (self.collector, self.program, self.launcher):
            try:
                os.kill(pid, signal.SIGCONT)
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self.process.poll() is None:
            self.process.communicate(timeout=harness.LIMIT)


class SideBySide(harness.Case):

    def setUp(self):
        super().setUp()
        self.program = harness.compile_c(self.dir, "worker", WORKER)

    def worker(self, name):
        return Worker(self, self.program, self.dir / name)

    def assert_whole(self, worker):
        found = report(worker.output)
        self.assertEqual(found["totals"]["live_blocks"], self.blocks)
        self.assertEqual(found["loss"]["events_lost"], 0)
        self.assertEqual(found["end"]["reason"], "exited")

    def test_the_others_go_on(self):
        alone = self.worker("alone.mgram")
        self.assertEqual(alone.finish(), 0)
        self.blocks = report(alone.output)["totals"]["live_blocks"]
        self.assertGreaterEqual(self.blocks, 2000)
        workers = {name: self.worker(f"{name}.mgram") for name in (
            "first", "stopped", "collector", "launcher", "program", "last")}
        os.kill(workers["stopped"].collector, signal.SIGSTOP)
        for name in ("collector", "launcher", "program"):
            os.kill(getattr(workers[name], name), signal.SIGKILL)
        for name in ("first", "last"):
            self.assertEqual(workers[name].finish(), 0)
            self.assert_whole(workers[name])
        # Without a collector the program runs on; without a launcher both do.
        self.assertEqual(workers["collector"].finish(), 0)
        self.assertEqual(workers["launcher"].finish(), -9)
        harness.wait_complete(workers["launcher"].output)
        self.assert_whole(workers["launcher"])
        self.assertEqual(workers["program"].finish(), -9)
        self.assertEqual(report(workers["program"].output)["end"]["signal"], 9)
        os.kill(workers["stopped"].collector, signal.SIGCONT)
        self.assertEqual(workers["stopped"].finish(), 0)
        self.assert_whole(workers["stopped"])

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("unshare"),
                         "only root can mount a small disk")
    def test_a_full_disk_is_one_recordings_own(self):
        many = harness.compile_c(self.dir, "many", WORKER, "-DBLOCKS=100000")
        beside = self.worker("beside.mgram")
        full = harness.run(
            ["unshare", "-m", "sh", "-c",
             "mkdir disk && mount -t tmpfs -o size=16k none disk && "
             "echo | \"$0\" record -q -o disk/x.mgram -- \"$1\"; echo status $?",
             harness.mallogram(), many], cwd=self.dir)
        self.assertIn(b"ready\nstatus", full.stdout)
        self.assertIn(b"incomplete", full.stderr)
        self.assertEqual(beside.finish(), 0)
        self.blocks = report(beside.output)["totals"]["live_blocks"]
        self.assertGreaterEqual(self.blocks, 2000)
        self.assert_whole(beside)

    def test_very_many_at_once(self):
        out = self.dir / "out"
        out.mkdir()
        script = ("i=0; while [ $i -lt $2 ]; do "
                  "echo | \"$0\" record -q -o out/$i.mgram -- \"$1\" >/dev/null "
                  "|| echo failed $i & i=$((i+1)); done; wait")
        result = harness.run(["sh", "-c", script, harness.mallogram(), self.program,
                              str(AT_ONCE)], cwd=self.dir, timeout=150,
                             env=meeting_env(self.dir))
        self.assertEqual((result.stdout + result.stderr)[:1000], b"")
        self.assertEqual(len(traces(out)), AT_ONCE)
        self.assertTrue(all(harness.trailer_ok(trace) for trace in traces(out)))
        counts = {report(trace)["totals"]["live_blocks"]
                  for trace in traces(out)[::10]}
        self.assertEqual(len(counts), 1)
        self.assertEqual(meeting_places(self.dir), [])


def can(*command):
    return bool(shutil.which(command[0])) and harness.run(command).returncode == 0


class MeetingPlaces(harness.Case):
    """Nothing of them is in the file system, so nothing is ever left there."""

    def setUp(self):
        super().setUp()
        self.program = harness.compile_c(self.dir, "worker", WORKER)

    def assert_none(self):
        self.assertEqual(meeting_places(self.dir), [])

    def test_none_while_and_after_all_are_killed(self):
        worker = Worker(self, self.program, self.dir / "x.mgram")
        self.assert_none()
        for pid in (worker.launcher, worker.collector):
            os.kill(pid, signal.SIGKILL)
        self.assertEqual(worker.finish(), -9)
        self.assert_none()

    @unittest.skipUnless(can("unshare", "--pid", "--fork", "true"), "no namespaces")
    def test_the_end_of_a_pid_namespace(self):
        # The shell is the first process; with it all others are killed.
        harness.run(
            ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c",
             "(sleep 60 | \"$0\" record -q -o x.mgram -- \"$1\" >said) & "
             "until [ -s said ]; do sleep 0.05; done; exit 0",
             harness.mallogram(), self.program], cwd=self.dir, check=True,
            env=meeting_env(self.dir))
        self.assertEqual((self.dir / "said").read_text(), "ready\n")
        self.assert_none()

    def test_namespaces_hide_no_more_than_one_way(self):
        for flags in (["--net"], ["--pid", "--fork", "--mount-proc"], ["--mount"]):
            with self.subTest(flags=flags):
                if not can("unshare", *flags, "true"):
                    self.skipTest("no namespaces")
                out = self.dir / flags[0][2:]
                self.record(["unshare", *flags, "sh", "-c", "exit 3"], "-q",
                            "-o", f"{out}/", status=3)
                self.assertTrue(list(out.glob("dash.*")) or list(out.glob("*sh.*")))


class Checks(harness.Case):

    def setUp(self):
        super().setUp()
        self.program = harness.compile_c(self.dir, "worker", WORKER)

    def test_others_collectors_may_stand_still(self):
        stopped, asked = (Worker(self, self.program, self.dir / f"{n}.mgram")
                          for n in range(2))
        os.kill(stopped.collector, signal.SIGSTOP)
        # Also from elsewhere.
        for directory in (self.dir, "/"):
            result = harness.command("leaks", "--pid", asked.program, cwd=directory)
            self.assertEqual(result.returncode, 0, result.stderr.decode())
        # Its own: one line says what helps.
        result = harness.command("leaks", "--pid", stopped.program)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(f"kill -CONT {stopped.collector}", result.stderr.decode())
        # Nobody's.
        result = harness.command("leaks", "--pid", os.getpid())
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("not being recorded", result.stderr.decode())
        os.kill(stopped.collector, signal.SIGCONT)
        self.assertEqual(harness.command("leaks", "--pid", stopped.program).returncode, 0)


if __name__ == "__main__":
    harness.main()
