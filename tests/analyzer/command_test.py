"""The command line: verbs, help, mistakes, files that are no traces.

command_test.py MALLOGRAM MAKE_TRACE
"""

import os
import pathlib
import pty
import subprocess
import sys
import tempfile
import unittest

MALLOGRAM, MAKE_TRACE = map(os.path.abspath, sys.argv[1:3])
FAILURE, USAGE = 1, 2


class CommandTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.dir = pathlib.Path(scratch.name)
        self.trace = self.dir / "made.4711.mgram"
        subprocess.run([MAKE_TRACE, self.trace, "2000"], check=True)

    def run_command(self, *arguments, **kwargs):
        kwargs.setdefault("env", {**os.environ, "LC_ALL": "C.UTF-8"})
        return subprocess.run([MALLOGRAM, *map(str, arguments)], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, cwd=self.dir, **kwargs)

    def fails(self, status, text, *arguments):
        result = self.run_command(*arguments)
        error = result.stderr.decode()
        self.assertEqual(result.returncode, status, error)
        self.assertEqual(result.stdout, b"")
        self.assertEqual(error.count("\n"), 1, error)
        self.assertTrue(error.startswith("mallogram: "), error)
        self.assertIn(text, error)

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

    def test_slips(self):
        self.fails(USAGE, "did you mean report?", "reprot", self.trace)
        self.fails(USAGE, "did you mean info?", "inof", self.trace)
        self.fails(USAGE, "did you mean --tree?", "report", "--tre", self.trace)
        self.fails(127, "did you mean mallogram sweep?", "record", "sweeep")
        self.fails(USAGE, "did you mean live?", "report", "--by", "livee", self.trace)
        self.fails(USAGE, "needs a value", "report", self.trace, "--top")
        self.fails(USAGE, "needs a number", "report", "--top", "x", self.trace)
        self.fails(USAGE, "takes no value", "report", "--tree=1", self.trace)
        self.fails(USAGE, "needs a FILE", "report")
        self.fails(USAGE, "needs a FILE", "info")
        self.fails(USAGE, "leave out", "report", "--json", "--tree", self.trace)
        self.fails(USAGE, "did you mean info", "help", "imfo")

    def test_a_program_named_like_a_slip_is_a_program(self):
        program = self.dir / "reprot"
        program.write_text("#!/bin/sh\nexit 7\n")
        program.chmod(0o755)
        env = {**os.environ, "PATH": f"{self.dir}:{os.environ['PATH']}"}
        result = self.run_command("reprot", env=env)
        self.assertNotIn(b"did you mean", result.stderr)

    def test_bad_files(self):
        whole = self.trace.read_bytes()

        def file(name, content):
            path = self.dir / name
            path.write_bytes(content)
            return path

        newer = bytearray(whole)
        newer[8] = 2
        for verb in ("report", "info"):
            self.fails(FAILURE, "No such file", verb, self.dir / "none.mgram")
            self.fails(FAILURE, "empty", verb, file("empty", b""))
            self.fails(FAILURE, "not a Mallogram trace", verb, file("text", b"Hello\n" * 9))
            self.fails(FAILURE, "within its first 24 bytes", verb, file("short", whole[:20]))
            self.fails(FAILURE, "damaged", verb, file("newer", bytes(newer)))
            self.fails(FAILURE, "not a regular file", verb, "/dev/null")
        self.fails(FAILURE, "is a directory", "info", self.dir)
        empty = self.dir / "nothing"
        empty.mkdir()
        self.fails(FAILURE, "no .mgram file", "report", empty)
        # Root reads everything; others must be told.
        if os.geteuid() != 0:
            self.trace.chmod(0)
            self.fails(FAILURE, "Permission denied", "report", self.trace)

    def test_text(self):
        text = self.run_command("report", self.trace).stdout.decode()
        for part in ("Peak heap", "Alive at the end", "Top call sites by bytes at the peak",
                     "Block sizes", "Cost of the recording", "nothing lost", "█"):
            self.assertIn(part, text)
        self.assertNotIn("\x1b", text)
        text = self.run_command("report", "--tree", "--by", "calls", self.trace).stdout.decode()
        self.assertIn("Call tree by calls", text)
        self.assertIn("100.0 %", text)
        info = self.run_command("info", self.trace).stdout.decode()
        for part in ("made --with 'two words'", "testhost", "worker", "intact", "events"):
            self.assertIn(part, info)

    def test_ascii(self):
        for verb in ("report", "info"):
            result = self.run_command(verb, self.trace,
                                      env={**os.environ, "LC_ALL": "C", "LANG": "C"})
            self.assertTrue(result.stdout.isascii())
            self.assertGreater(len(result.stdout), 500)

    def test_colours(self):
        def on_terminal(**variables):
            main, side = pty.openpty()
            env = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
            env.update({"TERM": "xterm", **variables})
            process = subprocess.Popen([MALLOGRAM, "report", self.trace], stdout=side,
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
        subprocess.run([MAKE_TRACE, self.dir / "other.999.mgram", "1000", "999"], check=True)
        result = self.run_command("report", self.dir)
        text = result.stdout.decode()
        self.assertEqual(result.returncode, 0)
        self.assertIn("2 processes", text)
        self.assertIn("need not have been at the same time", text)
        self.assertIn("broken.mgram: not a Mallogram trace", text)
        for pid in ("4711", "999"):
            self.assertIn(pid, text)

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "wb") as full:
            result = subprocess.run([MALLOGRAM, "report", self.trace], stdout=full,
                                    stderr=subprocess.PIPE)
        self.assertEqual(result.returncode, FAILURE)
        self.assertIn(b"cannot write to standard output", result.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
