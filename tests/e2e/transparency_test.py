"""tools/transparency sees what it is there to see: a recorder that changes anything is
caught, one that changes nothing is not. The recorders here are small shell scripts."""

import os
import pathlib
import shutil
import sys
import tempfile
import unittest

import harness
import processes

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "transparency"
BUILD = pathlib.Path(harness.mallogram()).parents[1]

sys.path.insert(0, str(ROOT / "tools"))
sys.dont_write_bytecode = True
from transparency_lib import (catalogue, command, compare, entries,  # noqa: E402
                              isolation, facts, kit, recording, stage)


def setUpModule():
    isolation.become_subreaper()


class Facts(unittest.TestCase):
    def found(self, plain, other):
        return [str(d) for d in compare.differences(plain, other)]

    def test_equal(self):
        facts = {"status": 0, "output": "a\nb\n", "descriptors": ["0 /dev/null"]}
        self.assertEqual(self.found(facts, dict(facts)), [])

    def test_statuses(self):
        self.assertEqual(self.found({"status": 0}, {"status": -11}),
                         ["status: SIGSEGV instead of status 0"])
        self.assertEqual(self.found({"status": 3}, {"status": "no end within 5 s"}),
                         ["status: no end within 5 s instead of status 3"])

    def test_texts(self):
        self.assertEqual(self.found({"o": "a\nb\n"}, {"o": "a\nc\n"}),
                         ['o: line 2 is "c" instead of "b"'])
        self.assertEqual(self.found({"o": "a\nb"}, {"o": "a"}), ['o: without "b"'])
        self.assertEqual(self.found({"o": "a"}, {"o": "a\nb"}), ['o: with "b"'])
        self.assertEqual(self.found({"o": "a\nb"}, {"o": "b\na"}), ["o: in another order"])
        self.assertEqual(self.found({"o": ""}, {"o": "x"}), ['o: "x" instead of ""'])

    def test_lists(self):
        self.assertEqual(self.found({"fd": ["0", "1"]}, {"fd": ["0", "1", "9 socket"]}),
                         ['fd: with "9 socket"'])
        self.assertEqual(self.found({"fd": ["0", "1"]}, {"fd": ["0"]}), ['fd: without "1"'])
        self.assertEqual(self.found({"t": ["a", "b"]}, {"t": ["b", "a"]}),
                         ["t: in another order"])
        self.assertEqual(self.found({"t": ["a"]}, {"t": ["a", "a", "a"]}),
                         ['t: with "a" (2 times)'])

    def test_facts_of_one_run_only(self):
        self.assertEqual(self.found({"a": 1}, {}), ["a: not there when recorded"])
        self.assertEqual(self.found({}, {"a": 1}), ["a: only when recorded: 1"])

    def test_a_play_that_stops_is_told_and_what_follows_is_not(self):
        self.assertEqual(self.found({"status": 0, "later": 1}, {"status": 1, "play": "no"}),
                         ["status: status 1 instead of status 0",
                          'play: only when recorded: "no"'])

    def test_rules(self):
        rules = ((r"pid \d+", "pid N"), (r"^noise.*", "DROP"))
        self.assertEqual(compare.normalised("pid 12 ran\nnoise 5\nend", rules),
                         "pid N ran\nend")
        self.assertEqual(compare.normalised(["noise", "pid 3"], rules), ["pid N"])
        self.assertEqual(compare.normalised(7, rules), 7)

    def test_ours_and_no_more_is_taken_out_of_the_environment(self):
        self.assertEqual(facts.environment("B=2\0LD_PRELOAD=x\0MALLOGRAM_OUT=y\0A=1\0"),
                         ["A=1", "B=2"])
        self.assertEqual(facts.environment("LD_PRELOADED=x\0MALLOGRAMS=1\0"),
                         ["LD_PRELOADED=x", "MALLOGRAMS=1"])

    def test_names_of_programs(self):
        for name, common in (("x86_64-linux-gnu-g++-12", "g++"), ("python3.11", "python3"),
                             ("vim.nox", "vim"), ("cc1plus", "cc1plus"), ("g++", "g++")):
            self.assertEqual(recording.common_name(name), common)


# Recorders that change one thing each, and what must be found. "$@" is the program.
PLANTED = {
    "descriptor": ("exec 9</dev/null; exec \"$@\"", 'descriptor 9 /dev/null'),
    "closed descriptor": ("exec 0<&-; exec \"$@\"", 'output: without "descriptor 0'),
    "output": ('"$@"; s=$?; echo more; exit $s', 'output: with "more"'),
    "errors": ('echo "recording" >&2; exec "$@"', 'errors: with "recording"'),
    "status": ('"$@"; exit 4', "status: status 4 instead of status 0"),
    "signal": ('"$@"; kill -SEGV $$', "status: SIGSEGV instead of status 0"),
    "environment": ('ADDED=1 exec "$@"', "ADDED=1"),
    "lost environment": ('unset TZ; exec "$@"', 'output: without "environment TZ'),
    "ignored signal": ("trap '' USR1; exec \"$@\"", 'signal 10 ignored'),
    "blocked signal": ("exec python3 -S -c 'import os, signal, sys; "
                       "signal.pthread_sigmask(0, [12]); os.execvp(sys.argv[1], sys.argv[1:])' "
                       '"$@"', "signal 12 default blocked"),
    "limit": ('ulimit -n 100; exec "$@"', "limit 7 100"),
    "umask": ('umask 7; exec "$@"', "umask 7"),
    "directory": ('OLDPWD= PWD=$PWD exec env -C / "$@"', 'with "directory /"'),
    "priority": ('exec nice -n 4 "$@"', f"nice {os.nice(0) + 4}"),
    "session": ('exec setsid -w "$@"', "session leader 1"),
    "word": ('exec "$@" more', 'word 2 more'),
    "left child": ('sleep 1000 & exec "$@"', 'left running: with "sleep 1000"'),
    "file": ('touch left; exec "$@"', 'files in work: with "-rw-r--r-- '),
    "temporary file": ('touch "$TMPDIR/socket"; exec "$@"', "files in tmp: with"),
    "hang": ('"$@"; sleep 1000', "status: no end within 2 s instead of status 0"),
}


class Planted(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = pathlib.Path(tempfile.mkdtemp(prefix="mallogram-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.dir, ignore_errors=True)
        cls.dir.chmod(0o755)
        assert not kit.build(cls.dir / "kit")

    def compare(self, recorder, entry):
        theatre = command.Theatre(self.dir, "/nonexistent", self.dir / "kit",
                                  ["sh", "-c", recorder, "sh"])
        return theatre.compare(entry, 1)

    def check(self, recorder, expected, entry):
        result = self.compare(recorder, entry)
        self.assertEqual(result.skipped, "")
        self.assertTrue(any(expected in str(d) for d in result.differences),
                        [str(d) for d in result.differences])
        self.assertEqual(processes.descendants(os.getpid()), [])

    probe = entries.program("probe", "", ["{kit}/probe", "a word"], limit=2)

    def test_nothing(self):
        for recorder in ('exec "$@"', '"$@"'):
            result = self.compare(recorder, self.probe)
            self.assertEqual([str(d) for d in result.differences], [])
            self.assertEqual(result.skipped, "")

    def test_planted(self):
        for name, (recorder, expected) in PLANTED.items():
            with self.subTest(name):
                self.check(recorder, expected, self.probe)

    def test_from_outside(self):
        def play(on):
            running = on.start(["sleep", "1000"])
            on.until(lambda: on.programs(), "the program", 20)
            on.see()
            for pid in on.programs():
                os.kill(pid, 15)
            on.finished(running, 20)
        entry = entries.Entry("sleep", "", play)
        self.check('exec 9</dev/null; exec "$@"', 'descriptors of sleep #0: with "9 /dev/null"',
                   entry)
        self.check('ADDED=1 exec "$@"', 'environment of sleep #0: with "ADDED=1"', entry)
        self.check("trap '' USR1; exec \"$@\"", "status of sleep #0: ", entry)
        self.check('ulimit -n 100; exec "$@"', "limits of sleep #0: ", entry)
        self.check('cd /; exec "$@"', "directories of sleep #0: ", entry)
        # Another program in its place: a process more, and threads.
        self.check('sleep 999 & exec "$@"', "processes: ", entry)

    def test_threads_from_outside(self):
        threads = ("import os, sys, threading, time; threading.Thread(target=lambda: "
                   "time.sleep(1000), daemon=True).start() if os.environ.get('MORE') else 0; "
                   "print('up', flush=True); time.sleep(1000)")

        def play(on):
            running = on.start(["python3", "-S", "-c", threads])
            on.until(lambda: on.output(running), "the program", 20)
            on.see()
            for pid in on.programs():
                os.kill(pid, 15)
            on.finished(running, 20)
        self.check('MORE=1 exec "$@"', "threads of python3 #0: with", entries.Entry("t", "", play))

    def test_what_varies_by_itself_is_named_and_not_counted(self):
        entry = entries.program("date", "", ["sh", "-c", "date +%N; echo same"])
        result = self.compare('exec "$@"', entry)
        self.assertEqual(result.differences, [])
        self.assertEqual(list(result.varies), ["output"])
        self.assertIn("varies by itself: output", command.verdict(result, True))

    def test_an_entry_that_cannot_run_says_why(self):
        def play(on):
            raise stage.Failure("no luck")
        result = self.compare('exec "$@"', entries.Entry("e", "", play))
        self.assertEqual(command.verdict(result, True),
                         "not run: cannot be played here, plain: no luck")
        missing = entries.program("e", "", ["x"], needs=("no-such-program",))
        self.assertEqual(missing.missing(), "no-such-program is not installed (--install)")

    def test_no_recording_is_a_difference(self):
        empty = self.dir / "empty"
        empty.mkdir()
        wrong, allocations = recording.judge(harness.mallogram(), empty, ())
        self.assertEqual([str(d) for d in wrong], ["recording: left no trace"])
        self.assertEqual(allocations, 0)


class Tool(harness.Case):
    def run_tool(self, *args):
        return harness.run([TOOL, "--build", BUILD, *args], timeout=150)

    def test_a_program(self):
        result = self.run_tool("--only", "env", "--markdown")
        self.assertEqual(result.returncode, 0, (result.stdout + result.stderr).decode())
        lines = result.stdout.decode().splitlines()
        self.assertTrue(lines[0].startswith("| program | version |"))
        self.assertIn("| same |", lines[2])
        self.assertIn("1 of 1 are the same", result.stdout.decode())

    def test_a_recorder_that_changes_something(self):
        result = self.run_tool("--only", "env,dash", "--recorder", "env ADDED=1")
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"0 of 2 are the same", result.stdout)
        self.assertIn(b'with "environment ADDED=1"', result.stdout)

    def test_list_and_refusals(self):
        listed = self.run_tool("--list").stdout.decode().splitlines()
        names = [line.split()[0] for line in listed]
        self.assertEqual(names, [entry.name for entry in catalogue.ENTRIES])
        self.assertEqual(len(names), len(set(names)))
        self.assertFalse([name for name in names if "," in name])
        for args, words in ((["--only", "nothing"], b"there are probe"),
                            (["--rounds", "0"], b"at least one")):
            result = self.run_tool(*args)
            self.assertEqual(result.returncode, 2)
            self.assertIn(words, result.stderr)
        result = harness.run([TOOL, "--build", self.dir])
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"does not exist: build first", result.stderr)

    def test_nothing_is_left(self):
        before = set(os.listdir("/var/tmp")), set(os.listdir("/tmp"))
        self.run_tool("--only", "daemon,env")
        after = set(os.listdir("/var/tmp")), set(os.listdir("/tmp"))
        # Others may work on this machine; the tool's own directories have its name.
        self.assertEqual([n for n in after[0] - before[0] if n.startswith("transparency-")
                          and not _in_use(n)], [])


def _in_use(name):
    return bool(harness.processes_named(f"/var/tmp/{name}"))


if __name__ == "__main__":
    harness.main()
