"""The command line: verbs, help, mistakes, files that are no traces.

command_test.py MAKE_TRACE
"""

import os
import pty
import re
import subprocess
import sys

import harness

MAKE_TRACE = os.path.abspath(sys.argv.pop(1))
FAILURE, USAGE = 1, 2


class CommandTest(harness.Case):
    def setUp(self):
        super().setUp()
        self.made = self.dir / "made.4711.mgram"
        harness.run([MAKE_TRACE, self.made, "2000"], check=True)

    def run_command(self, *arguments, **kwargs):
        kwargs.setdefault("env", harness.clean_env(LC_ALL="C.UTF-8"))
        return harness.command(*arguments, cwd=self.dir, **kwargs)

    def test_help(self):
        for arguments in (["--help"], ["help"], ["-h"]):
            result = self.run_command(*arguments)
            self.assertEqual(result.returncode, 0)
            self.assertIn(b"Examples:", result.stdout)
        for verb in ("record", "report", "info"):
            one = self.run_command(verb, "--help")
            two = self.run_command("help", verb)
            self.assertEqual(one.returncode, 0, verb)
            self.assertEqual(one.stdout, two.stdout)
            self.assertIn(b"Example", one.stdout, verb)
            self.assertLess(max(map(len, one.stdout.decode().split("\n"))), 90)
        self.assertEqual(self.run_command().returncode, USAGE)
        for arguments in (["--version"], ["version"], ["-V"]):
            self.assertRegex(self.run_command(*arguments).stdout, rb"^mallogram \d+\.\d+")

    def test_help_of_every_verb_is_made_of_its_options(self):
        for verb in ("record", "report", "info", "leaks", "check", "diff", "fit", "study", "sweep"):
            with self.subTest(verb=verb):
                text = self.run_command("help", verb).stdout.decode()
                self.assertRegex(text, r"(?m)^  -q, --quiet  ")
                self.assertRegex(text, r"(?m)^  --color WHEN  ")
                # "-x" that leads to a value missing, not to an unknown option.
                for letter, word in re.findall(r"(?m)^  -(\w), --\S+ (\S+)  ", text):
                    error = self.run_command(verb, f"-{letter}").stderr.decode()
                    self.assertIn(f"option -{letter} needs a value", error, word)
                    self.assertIn(f"see mallogram help {verb}", error)

    def test_a_report_goes_where_output_says(self):
        for verb, *files in (("report", self.made), ("info", self.made),
                             ("diff", self.made, self.made), ("leaks", self.made)):
            with self.subTest(verb=verb):
                shown = self.run_command(verb, *files).stdout
                for option in ("-o", "--output"):
                    result = self.run_command(verb, *files, option, "report.txt")
                    self.assertEqual((result.returncode, result.stdout), (0, b""), result.stderr)
                    self.assertEqual((self.dir / "report.txt").read_bytes(), shown)
                before = self.made.read_bytes()
                self.fails("would be taken for a recording", verb, *files, "-o", self.made)
                self.assertEqual(self.made.read_bytes(), before)
                self.fails("cannot be written", verb, *files, "-o", "none/x", status=FAILURE)

    def test_color_is_as_asked_for(self):
        report = self.run_command("report", "--color", "always", self.made).stdout
        self.assertIn(b"\x1b[1m", report)
        self.assertNotIn(b"\x1b", self.run_command("report", "--color=auto", self.made).stdout)
        self.fails("--color takes auto, always or never", "report", "--color", "maybe")

    def test_slips(self):
        self.fails("did you mean report?", "reprot", self.made)
        self.fails("did you mean info?", "inof", self.made)
        self.fails("did you mean --tree?", "report", "--tre", self.made)
        self.fails("did you mean mallogram sweep?", "record", "sweeep", status=127)
        self.fails("did you mean live?", "report", "--by", "livee", self.made)
        self.fails("needs a value", "report", self.made, "--top")
        self.fails("needs a number", "report", "--top", "x", self.made)
        self.fails("takes no value", "report", "--tree=1", self.made)
        self.fails("needs a FILE", "report")
        self.fails("needs a FILE", "info")
        self.fails("leave out", "report", "--json", "--tree", self.made)
        self.fails("did you mean info", "help", "imfo")

    def test_a_program_named_like_a_slip_is_a_program(self):
        program = self.dir / "reprot"
        program.write_text("#!/bin/sh\nexit 7\n")
        program.chmod(0o755)
        env = {**os.environ, "PATH": f"{self.dir}:{os.environ['PATH']}"}
        result = self.run_command("reprot", env=env)
        self.assertNotIn(b"did you mean", result.stderr)

    def test_bad_files(self):
        whole = self.made.read_bytes()

        def file(name, content):
            path = self.dir / name
            path.write_bytes(content)
            return path

        newer = bytearray(whole)
        newer[8] = 2
        for verb in ("report", "info"):
            self.fails("No such file", verb, self.dir / "none.mgram", status=FAILURE)
            self.fails("empty", verb, file("empty", b""), status=FAILURE)
            self.fails("not a Mallogram trace", verb, file("text", b"Hello\n" * 9), status=FAILURE)
            self.fails("within its first 24 bytes", verb, file("short", whole[:20]),
                       status=FAILURE)
            self.fails("damaged", verb, file("newer", bytes(newer)), status=FAILURE)
            self.fails("not a regular file", verb, "/dev/null", status=FAILURE)
        self.fails("is a directory", "info", self.dir, status=FAILURE)
        empty = self.dir / "nothing"
        empty.mkdir()
        self.fails("no .mgram file", "report", empty, status=FAILURE)
        # Root reads everything; others must be told.
        if os.geteuid() != 0:
            self.made.chmod(0)
            self.fails("Permission denied", "report", self.made, status=FAILURE)

    def test_text(self):
        text = self.run_command("report", self.made).stdout.decode()
        for part in ("Peak heap", "Alive at the end", "Top call sites by bytes at the peak",
                     "Block sizes", "Cost of the recording", "nothing lost", "█"):
            self.assertIn(part, text)
        self.assertNotIn("\x1b", text)
        text = self.run_command("report", "--tree", "--by", "calls", self.made).stdout.decode()
        self.assertIn("Call tree by calls", text)
        self.assertIn("100.0 %", text)
        info = self.run_command("info", self.made).stdout.decode()
        for part in ("made --with 'two words'", "testhost", "worker", "intact", "events"):
            self.assertIn(part, info)

    def test_ascii(self):
        for verb in ("report", "info"):
            result = self.run_command(verb, self.made,
                                      env={**os.environ, "LC_ALL": "C", "LANG": "C"})
            self.assertTrue(result.stdout.isascii())
            self.assertGreater(len(result.stdout), 500)

    def test_colours(self):
        def on_terminal(**variables):
            main, side = pty.openpty()
            env = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
            env.update({"TERM": "xterm", **variables})
            process = subprocess.Popen([harness.mallogram(), "report", self.made], stdout=side,
                                       stdin=subprocess.DEVNULL, env=env)
            os.close(side)
            seen = b""
            while True:
                try:
                    piece = os.read(main, 65536)
                except OSError:  # EIO: the other end is closed
                    break
                if not piece:
                    break
                seen += piece
            os.close(main)
            self.assertEqual(process.wait(), 0)
            return seen

        self.assertIn(b"\x1b[1m", on_terminal())
        self.assertNotIn(b"\x1b", on_terminal(NO_COLOR="1"))
        self.assertNotIn(b"\x1b", on_terminal(TERM="dumb"))
        self.assertIn(b"\x1b[1m", on_terminal(NO_COLOR=""))

    def test_directory_merges_and_names_what_is_broken(self):
        (self.dir / "broken.mgram").write_bytes(b"no trace")
        harness.run([MAKE_TRACE, self.dir / "other.999.mgram", "1000", "999"], check=True)
        result = self.run_command("report", self.dir)
        text = " ".join(result.stdout.decode().split())  # long lines are broken
        self.assertEqual(result.returncode, 0)
        self.assertIn("2 processes", text)
        self.assertIn("need not have been at the same time", text)
        self.assertIn("broken.mgram: not a Mallogram trace", text)
        for pid in ("4711", "999"):
            self.assertIn(pid, text)

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "wb") as full:
            result = subprocess.run([harness.mallogram(), "report", self.made], stdout=full,
                                    stderr=subprocess.PIPE)
        self.assertEqual(result.returncode, FAILURE)
        self.assertIn(b"cannot write to standard output", result.stderr)


if __name__ == "__main__":
    harness.main()
