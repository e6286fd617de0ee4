"""Nothing that was recorded is lost when somebody dies.

The program, SIGKILLed at random instants with 1, 2 and 4 threads: it logs what it
has done in a shared page, and the report must hold every call that had returned
(tests/programs/killed.cc). The collector, SIGKILLed: the program goes on to its
normal end, and the file that is left can be read. KILLS and COLLECTOR_KILLS say
how often (10 and 5; the slow suite 200 and 50).
"""

import os
import pathlib
import random
import signal
import struct
import subprocess
import time

import accounts
import harness

KILLS = int(os.environ.get("KILLS", "10"))
COLLECTOR_KILLS = int(os.environ.get("COLLECTOR_KILLS", "5"))
LOG = struct.Struct("<4Q32x")  # a line of the log: allocating, allocated, freeing, freed


def read_log(path, threads):
    data = pathlib.Path(path).read_bytes()
    lines = [LOG.unpack_from(data, i * LOG.size) for i in range(threads)]
    return [sum(column) for column in zip(*lines)]


def children_of(pid):
    children = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as f:
            children += [int(child) for child in f.read().split()]
    return children


def executable(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


class KilledProgram(harness.Case):
    def started(self, argv, cwd):
        """(launcher, pid of the program), once the program runs."""
        launcher = subprocess.Popen([harness.mallogram(), "record", "-q", "--", *argv],
                                    cwd=cwd, env=harness.clean_env(),
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE)
        self.addCleanup(launcher.kill)
        pid = harness.wait_for(
            lambda: next((c for c in children_of(launcher.pid)
                          if executable(c) == argv[0]), None), "the program's start")
        return launcher, pid

    def check(self, threads, delay, directory):
        directory.mkdir()
        log = directory / "log"
        launcher, pid = self.started([accounts.program("killed"), str(threads), str(log)],
                                     directory)
        harness.wait_for(lambda: log.exists() and log.stat().st_size != 0 and
                         read_log(log, threads)[1] != 0, "the first allocation")
        time.sleep(delay)
        os.kill(pid, signal.SIGKILL)
        _, stderr = launcher.communicate(timeout=harness.LIMIT)
        # As a shell reports it, or by the same signal.
        self.assertIn(launcher.returncode, (128 + 9, -9), stderr)
        allocating, allocated, freeing, freed = read_log(log, threads)
        report = harness.report(self.trace(directory))
        what = f"{threads} threads, killed after {delay:.4f} s"
        self.assertEqual(report["end"]["reason"], "signalled", what)
        self.assertEqual(report["end"]["signal"], 9, what)
        site = accounts.sums_by_function(report, {"SiteKilled"})["SiteKilled"]
        self.assertLessEqual(allocated, site["calls"], what)
        self.assertLessEqual(site["calls"], allocating, what)
        self.assertLessEqual(allocating - allocated, threads)  # the log's own promise
        frees = site["calls"] - site["live_blocks"]
        self.assertLessEqual(freed, frees, what)
        self.assertLessEqual(frees, freeing, what)
        self.assertEqual(accounts.inconsistencies(report), [], what)
        self.assertTrue(harness.trailer_ok(self.trace(directory)), what)

    def test_killed(self):
        chance = random.Random(9)
        for i in range(KILLS):
            # Some in the very first moments, some after the ring has wrapped.
            delay = chance.choice((0, chance.uniform(0, 0.002), chance.uniform(0, 0.15)))
            self.check((1, 2, 4)[i % 3], delay, self.dir / str(i))


class KilledCollector(KilledProgram):
    test_killed = None  # not again

    def check_collector(self, threads, delay, directory):
        directory.mkdir()
        # Long enough that the kill comes first, however busy the machine is.
        argv = [accounts.program("steady"), str(threads), "600"]
        launcher, pid = self.started(argv, directory)
        trace = harness.wait_for(lambda: harness.traces(directory), "the trace file")[0]
        collectors = [c for c in children_of(launcher.pid)
                      if c != pid and executable(c) == harness.mallogram()]
        self.assertEqual(len(collectors), 1, "one collector beside the program")
        time.sleep(delay)
        os.kill(collectors[0], signal.SIGKILL)
        stdout, stderr = launcher.communicate(timeout=harness.LIMIT)
        what = f"{threads} threads, collector killed after {delay:.4f} s"
        self.assertEqual(stdout, b"started\nwrong 0\n", what)
        self.assertEqual(launcher.returncode, 7, what)
        # The launcher says that the recording is not whole.
        self.assertIn(b"collector", stderr, what)
        report = harness.command("report", "--json", trace)
        self.assertEqual(report.returncode, 0, f"{what}: {report.stderr.decode()}")
        report = harness.report(trace)
        self.assertEqual(report["end"]["reason"], "unknown", what)
        self.assertNotEqual(report["warnings"], [], what)
        # Half a second is what may wait to be written (session.h).
        found = [line for line in accounts.inconsistencies(report)
                 if "sum up" not in line or "peak" not in line]
        self.assertEqual(found, [], what)

    def test_collector_killed(self):
        chance = random.Random(15)
        for i in range(COLLECTOR_KILLS):
            self.check_collector((1, 3)[i % 2], chance.uniform(0, 0.12), self.dir / str(i))


if __name__ == "__main__":
    harness.main()
