"""The launcher is not there: what the program gets and gives is what it would be
without it. Status, death, input, output, descriptors, signal state, environment."""

import os
import random
import resource
import signal
import subprocess

import harness

# Prints what a process inherits, one fact a line, as the program itself sees it.
FACTS = r"""
import os, resource, signal, sys
keys = ('SigBlk', 'SigIgn', 'Umask', 'SigPnd', 'ShdPnd')
for line in open('/proc/self/status'):
    if line.split(':')[0] in keys:
        print(' '.join(line.split()))
print('cwd', os.getcwd())
print('group', os.getpgrp() == int(os.environ['EXPECTED_GROUP']))
print('session', os.getsid(0) == int(os.environ['EXPECTED_SESSION']))
# The listing's own descriptor is the one that is gone again.
for fd in sorted(os.listdir('/proc/self/fd'), key=int):
    try:
        print('fd', fd, os.readlink('/proc/self/fd/' + fd))
    except OSError:
        pass
print('nofile', resource.getrlimit(resource.RLIMIT_NOFILE))
print('core', resource.getrlimit(resource.RLIMIT_CORE))
for key in sorted(os.environ):
    if not key.startswith('MALLOGRAM_') and key != 'LD_PRELOAD':
        print('env', key, os.environ[key])
"""


class Status(harness.Case):

    def test_exit_status_passes_through(self):
        for status in (0, 1, 2, 77, 125, 126, 127, 128, 255):
            with self.subTest(status=status):
                self.record(["sh", "-c", f"exit {status}"], "-q", status=status)

    def test_death_by_signal_is_the_launchers_too(self):
        for number in (signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGABRT,
                       signal.SIGINT, signal.SIGPIPE, signal.SIGUSR1,
                       signal.SIGRTMIN + 3):
            with self.subTest(number=number):
                self.record(["sh", "-c", f"kill -{int(number)} $$"], "-q",
                            status=-int(number))

    def test_no_core_of_the_launcher(self):
        limit = resource.getrlimit(resource.RLIMIT_CORE)[1]
        # The program forbids its own core, so a core could only be the launcher's.
        self.record(["sh", "-c", "ulimit -c 0; kill -SEGV $$"], "-q",
                    status=-signal.SIGSEGV,
                    preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE,
                                                          (limit, limit)))
        self.assertEqual([f for f in os.listdir(self.dir) if "core" in f], [])

    def test_summary_says_how_it_ended(self):
        result = self.record(["sh", "-c", "exit 3"], status=3)
        self.assertIn(b"exited with 3", result.stderr)
        result = self.record(["sh", "-c", "kill -SEGV $$"], status=-signal.SIGSEGV)
        self.assertIn(b"was killed by SIGSEGV", result.stderr)


class Streams(harness.Case):

    def test_input_and_output_are_byte_exact(self):
        data = random.Random(1).randbytes(3_000_001)
        result = self.record(["cat"], "-q", input=data)
        self.assertEqual(result.stdout, data)
        self.assertEqual(result.stderr, b"")

    def test_stderr_is_the_programs_and_then_ten_lines(self):
        result = self.record(["sh", "-c", "echo out; echo err >&2"])
        self.assertEqual(result.stdout, b"out\n")
        lines = result.stderr.decode().splitlines()
        self.assertEqual(lines[0], "err")
        self.assertEqual(len(lines), 11, result.stderr.decode())
        self.assertIn("mallogram report", lines[-1])
        self.assertNotIn("\x1b", result.stderr.decode())

    def test_quiet_says_nothing(self):
        result = self.record(["sh", "-c", "exit 0"], "-q")
        self.assertEqual((result.stdout, result.stderr), (b"", b""))

    def test_output_pipe_ends_with_the_program_that_closes_it(self):
        # The reader sees the end of the stream although program, launcher and
        # collector live on until the reader says so.
        go_on, tell = os.pipe()
        process = subprocess.Popen(
            [harness.mallogram(), "record", "-q", "--", "sh", "-c",
             f"echo last; exec >&-; read x <&{go_on}; exit 5"],
            cwd=self.dir, env=harness.clean_env(), stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL, pass_fds=[go_on])
        self.assertEqual(process.stdout.read(), b"last\n")  # blocks until the end
        self.assertIsNone(process.poll())
        os.write(tell, b"\n")
        self.assertEqual(process.wait(harness.LIMIT), 5)
        process.stdout.close()
        os.close(go_on)
        os.close(tell)

    def test_other_pipes_end_with_the_program_that_closes_them(self):
        reader, writer = os.pipe()
        process = subprocess.Popen(
            [harness.mallogram(), "record", "-q", "--", "/usr/bin/python3", "-S", "-c",
             f"import os; os.write({writer}, b'x'); os.close({writer}); input()"],
            cwd=self.dir, env=harness.clean_env(), stdin=subprocess.PIPE,
            pass_fds=[writer])
        os.close(writer)
        self.assertEqual(os.read(reader, 10), b"x")
        self.assertEqual(os.read(reader, 10), b"")  # blocks until the end
        self.assertIsNone(process.poll())
        process.communicate(b"\n", timeout=harness.LIMIT)
        self.assertEqual(process.returncode, 0)
        os.close(reader)

    def test_input_pipe_breaks_when_the_program_closes_it(self):
        reader, writer = os.pipe()
        process = subprocess.Popen(
            [harness.mallogram(), "record", "-q", "--", "sh", "-c",
             "exec <&-; echo closed; exec sleep 60"],
            cwd=self.dir, env=harness.clean_env(), stdin=reader,
            stdout=subprocess.PIPE)
        os.close(reader)
        self.assertEqual(process.stdout.readline(), b"closed\n")

        def broken():
            try:
                os.write(writer, b"x")
                return False
            except BrokenPipeError:
                return True
        try:
            harness.wait_for(broken, "EPIPE")
        finally:
            process.terminate()
            process.wait(harness.LIMIT)
            process.stdout.close()
            os.close(writer)

    def test_closed_standard_streams_stay_closed(self):
        program = harness.compile_c(self.dir, "which", r"""
            #include <fcntl.h>
            #include <stdlib.h>
            int main(void) {  /* exit status: a bit per open standard stream */
              free(malloc(100));
              int status = 0;
              for (int fd = 0; fd < 3; ++fd) status |= (fcntl(fd, F_GETFD) >= 0) << fd;
              return status;
            }""")
        for closed in ((0,), (1,), (2,), (0, 1), (0, 1, 2)):
            with self.subTest(closed=closed):
                text = " ".join(f"{fd}>&-" for fd in closed)
                out = self.dir / ("closed" + "".join(map(str, closed)) + ".mgram")
                result = harness.run(
                    ["sh", "-c", f'"$0" record -q -o "$1" "$2" {text}',
                     harness.mallogram(), out, program], cwd=self.dir)
                expected = 7 - sum(1 << fd for fd in closed)
                self.assertEqual(result.returncode, expected)
                self.assertGreaterEqual(harness.totals(out)["allocations"], 1)


class Surroundings(harness.Case):

    def facts(self, traced, **kwargs):
        """What the program sees; its stdout is a file, the same in every run."""
        env = harness.clean_env(EXPECTED_GROUP=os.getpgrp(),
                                EXPECTED_SESSION=os.getsid(0), PWD=self.dir)
        command = ["/usr/bin/python3", "-S", "-E", "-c", FACTS]
        if traced:
            command = [harness.mallogram(), "record", "-q", "-o",
                       self.dir / "facts.mgram", "--"] + command
        with open(os.devnull, "rb") as null, open(self.dir / "out", "w+b") as out:
            result = subprocess.run(command, cwd=self.dir, env=env, stdin=null,
                                    stdout=out, timeout=harness.LIMIT, **kwargs)
            self.assertEqual(result.returncode, 0)
            out.seek(0)
            return out.read().decode().splitlines()

    def test_nothing_changes(self):
        plain = self.facts(False)
        self.assertEqual(self.facts(True), plain)
        self.assertIn("group True", plain)

    def test_odd_signal_state_umask_and_descriptors_are_inherited(self):
        def odd():
            os.umask(0o027)
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_SETMASK, {signal.SIGUSR1, signal.SIGCHLD,
                                                        signal.SIGTERM})
        with open(self.dir / "seven", "w+b") as extra:
            os.dup2(extra.fileno(), 700)
            try:
                plain, traced = (self.facts(t, preexec_fn=odd, pass_fds=[700],
                                            restore_signals=False)
                                 for t in (False, True))
            finally:
                os.close(700)
        self.assertEqual(traced, plain)
        self.assertIn("Umask: 0027", plain)
        self.assertTrue(any(line.startswith("fd 700 ") for line in plain), plain)

    def test_environment_of_the_program(self):
        show = "printf '%s\n' \"$LD_PRELOAD\"; env | grep ^MALLOGRAM_ | cut -d= -f1"
        env = harness.clean_env(MALLOGRAM_OUT="elsewhere.mgram", MALLOGRAM_ON_FULL="drop")
        result = self.record(["sh", "-c", show], "-q", env=env)
        lines = result.stdout.decode().splitlines()
        self.assertEqual(lines[0], harness.library())
        self.assertEqual(set(lines[1:]), {"MALLOGRAM_KEY", "MALLOGRAM_SOCKET",
                                          "MALLOGRAM_FILTERS"})

    def test_users_preload_is_kept_behind_ours(self):
        user = harness.compile_c(self.dir, "libuser.so", r"""
            #include <unistd.h>
            __attribute__((constructor)) static void here(void) {
              if (write(1, "user library\n", 13) < 0) _exit(9);
            }""", "-shared", "-fPIC")
        env = harness.clean_env(LD_PRELOAD=user)
        result = harness.run([harness.mallogram(), "record", "-q", "--", "sh", "-c",
                              "echo $LD_PRELOAD"], cwd=self.dir, env=env, check=True)
        lines = [line for line in result.stdout.decode().splitlines()
                 if line != "user library"]
        self.assertEqual(lines, [f"{harness.library()}:{user}"])
        self.assertIn(b"user library\n", result.stdout)

    def test_allocator_goes_between(self):
        user = harness.compile_c(self.dir, "libuser.so", "int nothing;", "-shared",
                                 "-fPIC")
        other = harness.compile_c(self.dir, "libother.so", "int other;", "-shared",
                                  "-fPIC")
        env = harness.clean_env(LD_PRELOAD=user)
        result = harness.run([harness.mallogram(), "record", "-q", "--allocator", other,
                              "--", "sh", "-c", "echo $LD_PRELOAD"], cwd=self.dir,
                             env=env, check=True)
        self.assertEqual(result.stdout.decode().strip(),
                         f"{harness.library()}:{other}:{user}")

    def test_options_reach_the_library(self):
        result = self.record(["sh", "-c", "env"], "-q", "--max-depth", "12",
                             "--on-full=drop")
        lines = result.stdout.decode().splitlines()
        self.assertIn("MALLOGRAM_MAX_DEPTH=12", lines)
        self.assertIn("MALLOGRAM_ON_FULL=drop", lines)

    def test_program_options_are_the_programs(self):
        result = self.record(["echo", "-n", "-q", "--help"], "-q")
        self.assertEqual(result.stdout, b"-q --help")
        result = harness.command("echo", "-q", "-o", "x", cwd=self.dir, check=True)
        self.assertEqual(result.stdout, b"-q -o x\n")


if __name__ == "__main__":
    harness.main()
