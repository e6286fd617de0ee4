"""Signals: the terminal's reach the program once, those sent to the launcher alone
are passed on, and stopping and continuing work as if the launcher were not there."""

import fcntl
import os
import pathlib
import signal
import subprocess
import termios

import harness

RT_SIGTIMEDWAIT = 128  # as /proc/PID/syscall names it

# What record is told besides: meson.build runs this with --leak-check=full, too, where
# the program has a tracer, whom "stopped" shows.
OPTIONS = os.environ.get("RECORD_OPTIONS", "").split()
STOPPED = ("T", "t") if OPTIONS else ("T",)

# Writes the name of every signal it gets to stdout; ends with 42 on SIGUSR2.
LISTENER = r"""
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void say(const char* text) {
  if (write(1, text, strlen(text)) < 0) _exit(9);
}
static void on_signal(int number, siginfo_t* info, void* context) {
  char line[64];
  snprintf(line, sizeof line, "%s %d\n", sigabbrev_np(number),
           info->si_code == SI_QUEUE ? info->si_value.sival_int : 0);
  say(line);
  if (number == SIGUSR2) _exit(42);
}
int main(void) {
  struct sigaction action = {.sa_sigaction = on_signal,
                             .sa_flags = SA_SIGINFO | SA_RESTART};
  int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGQUIT, SIGCONT,
                   SIGWINCH, SIGALRM};
  for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; ++i)
    sigaction(numbers[i], &action, NULL);
  free(malloc(10));
  char line[64];
  snprintf(line, sizeof line, "pid %d\n", getpid());
  say(line);
  /* Whoever blocked a signal for us wants it now: after the line, before it or in
     the midst of it would be the processor's choice. */
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  for (;;) pause();
}
"""


class Listening(harness.Case):

    program = None  # pid

    def start(self, **kwargs):
        program = harness.compile_c(self.dir, "listener", LISTENER, "-D_GNU_SOURCE")
        self.launcher = subprocess.Popen(
            [harness.mallogram(), "record", *OPTIONS, "-q", "-o", self.dir / "trace.mgram", "--",
             program], cwd=self.dir, env=harness.clean_env(),
            stdout=kwargs.pop("stdout", subprocess.PIPE), **kwargs)
        self.addCleanup(self.finish)
        if self.launcher.stdout:
            self.program = int(self.launcher.stdout.readline().split()[1])

    def finish(self):
        if self.launcher.poll() is None:
            self.launcher.kill()
            self.launcher.wait()
        if self.launcher.stdout:
            self.launcher.stdout.close()
        if self.program and harness.runs(self.program):
            os.kill(self.program, signal.SIGKILL)

    def line(self):
        return self.launcher.stdout.readline().decode().strip()

    def end(self):
        """SIGUSR2 to the launcher ends the program; the trace is whole."""
        self.launcher.send_signal(signal.SIGUSR2)
        self.assertEqual(self.line(), "USR2 0")
        self.assertEqual(self.launcher.wait(harness.LIMIT), 42)
        self.assertTrue(harness.trailer_ok(self.dir / "trace.mgram"))
        self.assertGreaterEqual(
            harness.totals(self.dir / "trace.mgram")["allocations"], 1)


class Forwarding(Listening):

    def test_signals_to_the_launcher_reach_the_program(self):
        self.start(stdin=subprocess.DEVNULL)
        for name in ("TERM", "HUP", "USR1", "INT", "QUIT", "WINCH", "ALRM"):
            with self.subTest(name=name):
                self.launcher.send_signal(getattr(signal, "SIG" + name))
                self.assertEqual(self.line(), name + " 0")
        self.end()

    def test_queued_values_are_kept(self):
        self.start(stdin=subprocess.DEVNULL)
        harness.run(["/bin/kill", "-USR1", "-q", "4711", str(self.launcher.pid)],
                    check=True)
        self.assertEqual(self.line(), "USR1 4711")
        self.end()

    def test_alarm_set_before_the_start(self):
        # Plain, an interval timer survives the exec of the program. Blocked until
        # the program is ready for it, so the time does not matter.
        def set_alarm():
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
            signal.setitimer(signal.ITIMER_REAL, 0.05)
        self.start(stdin=subprocess.DEVNULL, preexec_fn=set_alarm)
        self.assertEqual(self.line(), "ALRM 0")
        self.end()

    def test_signal_that_kills_the_program_kills_the_launcher(self):
        self.launcher = subprocess.Popen(
            [harness.mallogram(), "record", *OPTIONS, "-q", "-o", self.dir / "trace.mgram", "--",
             "sh", "-c", "echo ready; exec sleep 60"], cwd=self.dir,
            env=harness.clean_env(), stdout=subprocess.PIPE)
        self.addCleanup(self.finish)
        self.assertEqual(self.line(), "ready")
        self.launcher.terminate()
        self.assertEqual(self.launcher.wait(harness.LIMIT), -signal.SIGTERM)
        self.assertTrue(harness.trailer_ok(self.dir / "trace.mgram"))


class Stopping(Listening):

    def stopped(self, *pids):
        harness.wait_for(lambda: all(harness.state(p) in STOPPED for p in pids), "both to stop")

    def running(self, *pids):
        harness.wait_for(lambda: all(harness.state(p) in ("R", "S") for p in pids),
                         "both to run")
        # A launcher on its way back looks at its program once more, and takes one that
        # is stopped again for one that it is to continue.
        call = pathlib.Path(f"/proc/{self.launcher.pid}/syscall")
        if call.exists():
            harness.wait_for(lambda: call.read_text().startswith(f"{RT_SIGTIMEDWAIT} "),
                             "the launcher to wait")

    def test_launcher_stops_and_continues_with_its_program(self):
        self.start(stdin=subprocess.DEVNULL)
        for _ in range(3):
            os.kill(self.program, signal.SIGSTOP)
            self.stopped(self.program, self.launcher.pid)
            self.launcher.send_signal(signal.SIGCONT)
            self.running(self.program, self.launcher.pid)
            self.assertEqual(self.line(), "CONT 0")
        self.end()

    def test_program_continued_alone_takes_the_launcher_along(self):
        self.start(stdin=subprocess.DEVNULL)
        for _ in range(3):
            os.kill(self.program, signal.SIGSTOP)
            self.stopped(self.program, self.launcher.pid)
            os.kill(self.program, signal.SIGCONT)
            self.assertEqual(self.line(), "CONT 0")
            self.running(self.program, self.launcher.pid)
        self.end()

    def test_program_killed_while_stopped(self):
        self.start(stdin=subprocess.DEVNULL)
        os.kill(self.program, signal.SIGSTOP)
        self.stopped(self.program, self.launcher.pid)
        os.kill(self.program, signal.SIGKILL)
        self.assertEqual(self.launcher.wait(harness.LIMIT), -signal.SIGKILL)
        self.assertTrue(harness.trailer_ok(self.dir / "trace.mgram"))


class Terminal(Listening):
    """On a terminal of its own, as its foreground process group."""

    def start_on_terminal(self):
        master, slave = os.openpty()
        self.addCleanup(os.close, master)
        attributes = termios.tcgetattr(slave)
        attributes[3] &= ~termios.ECHO
        attributes[1] &= ~termios.OPOST
        termios.tcsetattr(slave, termios.TCSANOW, attributes)

        def own_terminal():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        self.start(stdin=slave, preexec_fn=own_terminal)
        os.close(slave)
        return master

    def test_interrupt_reaches_the_program_once(self):
        terminal = self.start_on_terminal()
        for key, name in ((b"\x03", "INT"), (b"\x1c", "QUIT")):
            os.write(terminal, key)
            self.assertEqual(self.line(), name + " 0")
        # A second delivery, by the launcher, would come before this one.
        self.launcher.send_signal(signal.SIGUSR1)
        self.assertEqual(self.line(), "USR1 0")
        self.end()

    def test_interrupt_that_kills(self):
        master, slave = os.openpty()
        self.addCleanup(os.close, master)

        def own_terminal():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        self.launcher = subprocess.Popen(
            [harness.mallogram(), "record", *OPTIONS, "-o", self.dir / "trace.mgram", "--",
             "sh", "-c", "echo ready; exec sleep 60"], cwd=self.dir,
            env=harness.clean_env(), stdin=slave, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, preexec_fn=own_terminal)
        os.close(slave)
        self.assertEqual(self.launcher.stdout.readline(), b"ready\n")
        os.write(master, b"\x03")
        _, stderr = self.launcher.communicate(timeout=harness.LIMIT)
        self.assertEqual(self.launcher.returncode, -signal.SIGINT)
        self.assertIn(b"was killed by SIGINT", stderr)
        self.assertTrue(harness.trailer_ok(self.dir / "trace.mgram"))

    def test_hang_up_of_the_terminal(self):
        master, slave = os.openpty()

        def own_terminal():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        self.launcher = subprocess.Popen(
            [harness.mallogram(), "record", *OPTIONS, "-q", "-o", self.dir / "trace.mgram", "--",
             "sh", "-c", "echo ready; exec sleep 60"], cwd=self.dir,
            env=harness.clean_env(), stdin=slave, stdout=subprocess.PIPE,
            preexec_fn=own_terminal)
        self.addCleanup(self.finish)
        os.close(slave)
        self.assertEqual(self.line(), "ready")
        os.close(master)
        self.assertEqual(self.launcher.wait(harness.LIMIT), -signal.SIGHUP)
        self.assertTrue(harness.trailer_ok(self.dir / "trace.mgram"))

    def test_stop_key_and_foreground(self):
        # A shell with job control: ^Z stops both, fg continues both.
        master, slave = os.openpty()
        self.addCleanup(os.close, master)
        script = ('set -m; "$0" record %s -q -o trace.mgram -- sh -c '
                  '\'echo ready; kill -TSTP 0; echo continued; exit 6\'; '
                  'echo stopped $?; fg >/dev/null; echo status $?') % " ".join(OPTIONS)

        def own_terminal():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        self.launcher = subprocess.Popen(
            ["bash", "--norc", "-c", script, harness.mallogram()], cwd=self.dir,
            env=harness.clean_env(), stdin=slave, stdout=subprocess.PIPE,
            preexec_fn=own_terminal)
        self.addCleanup(self.finish)
        os.close(slave)
        lines = self.launcher.stdout.read().decode().splitlines()
        self.assertEqual(lines[0], "ready")
        self.assertRegex(lines[1], "stopped 1[0-9][0-9]")
        self.assertEqual(lines[2:], ["continued", "status 6"])
        self.assertEqual(self.launcher.wait(harness.LIMIT), 0)
        self.assertTrue(harness.trailer_ok(self.dir / "trace.mgram"))


class LauncherKilled(Listening):

    def test_program_and_recording_go_on(self):
        self.start(stdin=subprocess.DEVNULL)
        trace = self.dir / "trace.mgram"
        self.launcher.kill()
        self.assertEqual(self.launcher.wait(harness.LIMIT), -signal.SIGKILL)
        os.kill(self.program, signal.SIGUSR1)
        self.assertEqual(self.line(), "USR1 0")
        os.kill(self.program, signal.SIGUSR2)
        self.assertEqual(self.line(), "USR2 0")
        self.assertGreaterEqual(harness.wait_complete(trace)["totals"]["allocations"], 1)


if __name__ == "__main__":
    harness.main()
