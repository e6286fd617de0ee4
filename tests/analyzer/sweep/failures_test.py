"""What can go wrong in a sweep: one clear line, and what was done stays."""

import fcntl
import os

import harness
from grow import Case


class Failures(Case):
    def test_mistakes_in_the_command_line(self):
        for args, words in [
                ((), "--param n=SIZES is needed"),
                (("--", "true", "{n}"), "--param n=SIZES is needed"),
                (("--param", "n=1,2"), "no program is given"),
                (("--param", "n=1,2", "--"), "no program is given"),
                (("--param", "n=1,2", "--", "true"), "{n} does not occur"),
                (("--param", "n=", "--", "true", "{n}"), "NAME=SIZES"),
                (("--param", "n=1,x", "--", "true", "{n}"), '"x" is not a size'),
                (("--param", "n=1", "--param", "m=2", "true", "{n}"), "one --param"),
                (("--param", "n=1", "--rep", "2", "true", "{n}"),
                 "did you mean --reps"),
                (("--param", "n=1", "--reps", "0", "true", "{n}"), "above 0"),
                (("--param", "n=1", "-j0", "true", "{n}"), "above 0"),
                (("--param", "n=1", "--define", "x", "true", "{n}"), "NAME=VALUE"),
                (("stray", "--param", "n=1", "--", "true", "{n}"), '"stray"'),
        ]:
            with self.subTest(args=args):
                self.refuses(*args, status=2, says=[words, "see mallogram help sweep"])
        self.assertEqual(os.listdir(self.path("."))
                         .count("true.sweep"), 0, "a directory was made")

    def test_programs_that_cannot_be_recorded(self):
        text = self.path("text")
        text.write_text("hello")
        static = harness.compile_c(self.dir, "static", "int main(){return 0;}",
                                   "-static")
        for program, words in [("no-such-program", "command not found"),
                               (text, "is not executable"),
                               (static, "statically linked")]:
            with self.subTest(program=program):
                self.refuses("--param", "n=1,2", "-o", "d", "--", program, "{n}",
                             status=1, says=words)
                self.assertFalse(self.path("d").exists(), "a directory was made")

    def test_programs_that_the_size_decides(self):
        # Not known before the runs begin: the recorder's own word.
        os.symlink(self.grow, self.path("grow-1"))
        text = self.refuses("--param", "n=1,2", "-o", "d", "--", "./grow-{n}", "{n}",
                            status=1, says="./grow-2")
        self.assertNotIn("mallogram: mallogram", text)
        self.assertEqual(self.runs("d"), ["n=1,rep=1"])

    def test_exit_status(self):
        args = ["--param", "n=10,20,30", "--reps", "2"]
        command = ["--", self.grow, "{n}", "fail", "20"]
        self.refuses(*args, *command, status=1, says=[
            "n=20 (replicate 1 of 2)", "exit status 3", "sorry, no 20 today",
            "grow.sweep/n=20,rep=1/stderr", "--allow-failure"])
        self.assertEqual(self.runs(), ["n=10,rep=1"])
        self.assertTrue(self.path("grow.sweep/n=20,rep=1/stderr").exists())
        # The others go on, and what was done is not done again.
        result = self.sweep("--keep-going", *args, *command, status=1)
        text = result.stderr.decode()
        self.assertEqual(text.count("exit status 3"), 2, text)
        self.assertEqual(self.runs(), ["n=10,rep=1", "n=10,rep=2", "n=30,rep=1",
                                       "n=30,rep=2"])
        self.assertEqual(self.starts(), ["10", "20", "20", "30", "10", "20", "30"])
        self.assertNotEqual(result.stdout, b"", "no report of the others")
        self.sweep("--allow-failure", *args, *command)
        self.assertEqual(self.starts()[7:], ["20", "20"])
        # Taken back, such a run counts no more.
        self.refuses(*args, *command, status=1, says="exit status 3")

    def test_signal(self):
        self.refuses("--param", "n=10,20,30", "--allow-failure", "--", self.grow, "{n}",
                     "die", "20", status=1,
                     says=["n=20", "killed by SIGSEGV", "phase done 20.5"])
        self.assertEqual(self.runs(), ["n=10,rep=1"])

    def test_silent_failure(self):
        self.refuses("--param", "n=1,2", "--", "sh", "-c", "exit 4 # {n}", status=1,
                     says=["n=1", "exit status 4", "its standard error is empty"])

    def test_killed_recorder(self):
        self.refuses("--param", "n=1,2", "--allow-failure", "--", "sh", "-c",
                     "kill -9 $PPID # {n}", status=1, says=["n=1", "SIGKILL"])

    def test_running_beside_a_failure(self):
        # With two jobs, the one beside the failing one stays done.
        self.refuses("-q", "--param", "n=20,30", "-j2", "--", "sh", "-c",
                     "[ {n} = 20 ] && exit 5; sleep 0.3", status=1,
                     says="exit status 5")
        self.assertEqual(self.runs("sh.sweep"), ["n=30,rep=1"])

    def test_a_missing_input(self):
        self.refuses("--param", "n=1,2", "--stdin", "in-{n}", "--", "cat", status=1,
                     says=["cannot open", "in-1", "No such file"])

    def test_directories_that_cannot_be(self):
        self.path("file").write_text("")
        self.path("mine").mkdir()
        self.path("mine/letters").write_text("dear")
        for place, status, words in [("file", 1, "cannot make the directory file"),
                                     ("file/x", 1, "cannot make the directory file/x"),
                                     ("/proc/x", 1, "cannot make the directory /proc/x"),
                                     ("mine", 2, "mine holds no sweep but letters"),
                                     ("", 2, "needs a value")]:
            for fresh in ((), ("--fresh",)):
                with self.subTest(place=place, fresh=fresh):
                    self.refuses(*fresh, "--param", "n=1,2", f"--output={place}", "--",
                                 self.grow, "{n}", status=status, says=words)
        self.assertEqual(self.path("mine/letters").read_text(), "dear")
        self.assertEqual(self.starts(), [])

    def test_another_sweep_in_the_directory(self):
        self.sweep("--param", "n=1,2", "-o", "d", "--", self.grow, "{n}")
        for args, words in [
                (("--", self.grow, "{n}", "{rep}"), "holds runs of `"),
                (("--stdin", self.grow, "--", self.grow, "{n}"),
                 "the standard input none, not"),
                (("--max-depth=9", "--", self.grow, "{n}"), "none, not `--max-depth=9`"),
        ]:
            with self.subTest(args=args):
                self.refuses("--param", "n=1,2", "-o", "d", *args, status=2,
                             says=[words, "--fresh", "-o DIR"])
        self.refuses("--param", "m=1,2", "-o", "d", "--", self.grow, "{m}", status=2,
                     says="holds runs of `")

    def test_two_at_once(self):
        self.path("d").mkdir()
        fd = os.open(self.path("d"), os.O_RDONLY)
        fcntl.flock(fd, fcntl.LOCK_EX)
        self.refuses("--param", "n=1,2", "-o", "d", "--", self.grow, "{n}", status=1,
                     says="another sweep is running in d")
        os.close(fd)
        self.sweep("--param", "n=1,2", "-o", "d", "--", self.grow, "{n}")

    def test_reports_on_what_is_no_sweep(self):
        self.path("empty").mkdir()
        self.refuses("empty", status=1, says=["empty holds no sweep", "sweep.json"])
        self.refuses("nowhere", status=1, says="nowhere holds no sweep")
        self.sweep("--param", "n=1,2", "-o", "d", "--", self.grow, "{n}")
        manifest = self.path("d/sweep.json")
        whole = manifest.read_text()
        for damage in ("", "{", whole[:200], "[]", whole.replace('"sizes"', '"tides"'),
                       whole.replace('"reps": 1', '"reps": "a"'),
                       whole.replace('"{n}"', '"n"')):
            manifest.write_text(damage)
            self.refuses("d", status=1, says="cannot read d/sweep.json")
        manifest.write_text(whole.replace('"version": 1', '"version": 99'))
        self.refuses("d", status=1, says="its version is 99")
        # A damaged run is one that has not been made.
        manifest.write_text(whole)
        self.path("d/n=1,rep=1/run.json").write_text("{")
        self.assertIn(b"only 1 of 2 runs are done", self.sweep("d").stderr)
        self.sweep("--param", "n=1,2", "-o", "d", "--", self.grow, "{n}")
        self.assertEqual(self.starts(), ["1", "2", "1"])

    def test_disk_full(self):
        private = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]
        script = ('mount -t tmpfs -o size=96k none "$1" || exit 99; '
                  '"$0" sweep --param n=1,2 -o "$1/d" -- seq {n}00000; status=$?; '
                  'ls "$1/d" > listing; exit $status')
        self.path("disk").mkdir()
        result = harness.run([*private, "sh", "-c", script, harness.mallogram(),
                              self.path("disk")], cwd=self.dir, env=self.env)
        if result.returncode == 99:
            self.skipTest("cannot mount a tmpfs here")
        text = result.stderr.decode()
        self.assertEqual(result.returncode, 1, text)
        self.assertEqual(text.count("\n"), 1, text)
        self.assertRegex(text, "(?i)no space")
        self.assertIn("sweep.json", self.path("listing").read_text())


if __name__ == "__main__":
    harness.main()
