"""Sweeps that are stopped in the middle: at once, and to be gone on with."""

import os
import pty
import signal
import subprocess

import harness
from grow import Case

SIZES = "n=10,20,30,100,200"
DONE = ["n=10,rep=1", "n=20,rep=1", "n=30,rep=1"]


class Interrupted(Case):
    def arguments(self, way="gate", *options):
        """A sweep whose program waits from n=100 on until the gate is open."""
        return ["sweep", "--param", SIZES, *options, "--", self.grow, "{n}", way,
                str(self.path("gate"))]

    def begin(self, arguments, lines=4, **kwargs):
        process = subprocess.Popen([harness.mallogram(), *arguments], cwd=self.dir,
                                   env=self.env, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   **kwargs)
        self.addCleanup(process.wait)
        self.addCleanup(self.path("gate").write_text, "")
        self.await_waiting(lines)
        return process

    def await_waiting(self, lines=4):
        harness.wait_for(lambda: len(self.starts()) == lines, "the program")
        waiting = self.path("grow.sweep/n=100,rep=1/stdout")
        harness.wait_for(lambda: waiting.exists() and waiting.read_text(), "its words")

    def await_end_of_program(self):
        harness.wait_for(lambda: not harness.processes_named(self.grow),
                         "the end of the program")

    def go_on(self):
        """The same command does what has not been done, and nothing else."""
        self.path("gate").write_text("")
        result = harness.command(*self.arguments(), cwd=self.dir, env=self.env)
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        self.assertEqual(self.starts(), ["10", "20", "30", "100", "100", "200"])
        self.assertEqual(len(self.runs()), 5)

    def test_killed(self):
        sweep = self.begin(self.arguments())
        sweep.kill()
        sweep.communicate()
        self.await_end_of_program()
        self.assertEqual(self.runs(), DONE)
        self.go_on()

    def test_signals(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(number=number):
                sweep = self.begin(self.arguments())
                sweep.send_signal(number)
                out, err = sweep.communicate()
                self.assertEqual(sweep.returncode, -number)
                self.assertEqual(out, b"")
                self.assertEqual(err.decode(), "mallogram: interrupted: 3 of 5 runs are "
                                 "done in grow.sweep, the same command goes on from "
                                 "there\n")
                self.await_end_of_program()
                self.assertEqual(self.runs(), DONE)
                self.assertFalse(self.path("grow.sweep/n=100,rep=1").exists())
                self.go_on()
                os.remove(self.path("gate"))
                os.remove(self.starts_file)
                harness.run(["rm", "-r", self.path("grow.sweep")], check=True)

    def test_a_program_that_hears_no_signal(self):
        sweep = self.begin(self.arguments("deaf"))
        sweep.terminate()
        sweep.communicate()
        self.assertEqual(sweep.returncode, -signal.SIGTERM)
        self.await_end_of_program()
        self.assertEqual(self.runs(), DONE)

    def test_several_at_once(self):
        sweep = self.begin(self.arguments("gate", "-q", "-j2"), lines=5)
        sweep.terminate()
        sweep.communicate()
        self.await_end_of_program()
        self.assertEqual(self.runs(), DONE)

    def test_children_of_a_shell(self):
        arguments = self.arguments()
        command = arguments.index("--") + 1
        script = " ".join(arguments[command:]) + "; :"
        arguments[command:] = ["sh", "-c", script]
        arguments[1:1] = ["-o", "grow.sweep"]
        sweep = self.begin(arguments)
        sweep.terminate()
        sweep.communicate()
        self.await_end_of_program()
        self.assertEqual(self.runs(), DONE)

    def test_ignored_signals_stay_ignored(self):
        def no_hangup():
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        sweep = self.begin(self.arguments(), preexec_fn=no_hangup)
        sweep.send_signal(signal.SIGHUP)
        self.path("gate").write_text("")
        _, err = sweep.communicate()
        self.assertEqual(sweep.returncode, 0, err.decode())

    def test_control_c_at_a_terminal(self):
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.dir)
            os.execve(harness.mallogram(), ["mallogram", *self.arguments()],
                      {**self.env, "TERM": "xterm"})
        self.addCleanup(os.close, terminal)
        shown = b""
        while b"n=100" not in shown:  # the bar comes after a second
            shown += os.read(terminal, 4096)
        self.await_waiting()
        os.write(terminal, b"\x03")
        try:
            while more := os.read(terminal, 4096):
                shown += more
        except OSError:  # its other end is closed
            pass
        _, status = os.waitpid(pid, 0)
        self.assertEqual(os.WTERMSIG(status), signal.SIGINT)
        self.assertIn(b"interrupted: 3 of 5 runs are done", shown)
        self.await_end_of_program()
        self.go_on()


if __name__ == "__main__":
    harness.main()
