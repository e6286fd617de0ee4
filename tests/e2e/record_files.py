"""Names of trace files, children and what becomes of them, and the last lines."""

import os
import pathlib
import re
import signal
import stat
import subprocess

import harness


def names(directory):
    return [path.name for path in harness.traces(directory)]


class Naming(harness.Case):

    def test_program_and_pid(self):
        result = self.record(["sh", "-c", "echo $$"], "-q")
        pid = result.stdout.decode().strip()
        program = os.path.basename(os.path.realpath("/bin/sh"))
        self.assertEqual(names(self.dir), [f"{program}.{pid}.mgram"])

    def test_traces_are_the_users_alone(self):
        os.umask(0)
        try:
            self.record(["true"], "-q")
        finally:
            os.umask(0o022)
        self.assertEqual(stat.S_IMODE(self.trace().stat().st_mode), 0o600)

    def test_odd_characters(self):
        odd = self.dir / "a b;$(c)\n\u00e4"
        odd.write_bytes(pathlib.Path("/bin/true").read_bytes())
        odd.chmod(0o755)
        self.record([odd], "-q")
        self.assertRegex(self.trace().name, r"^a_b___c___{2}\.\d+\.mgram$")

    def test_script_is_named_after_its_interpreter(self):
        script = self.dir / "script"
        script.write_text("#!/bin/sh\nexit 4\n")
        script.chmod(0o755)
        self.record([script], "-q", status=4)
        program = os.path.basename(os.path.realpath("/bin/sh"))
        self.assertRegex(self.trace().name, rf"^{program}\.\d+\.mgram$")

    def test_text_without_interpreter_runs_in_the_shell(self):
        script = self.dir / "script"
        script.write_text("echo from the shell\nexit 4\n")
        script.chmod(0o755)
        result = self.record([script], "-q", status=4)
        self.assertEqual(result.stdout, b"from the shell\n")
        self.assertEqual(len(names(self.dir)), 1)

    def test_short_program_has_its_name_and_arguments(self):
        # It has ended before the collector gets to look at it.
        for _ in range(20):
            self.record(["true", "one", "two words"], "-q")
        for trace in harness.traces(self.dir):
            self.assertRegex(trace.name, r"^true\.\d+\.mgram$")
            self.assertEqual(harness.report(trace)["command"],
                             ["true", "one", "two words"])

    def test_names_are_never_taken_twice(self):
        # The program takes its own future names before it is recorded.
        script = ': >"true.$$.mgram" >"true.$$.2.mgram"; exec true'
        result = self.record(["sh", "-c", script], "-q")
        self.assertEqual(result.returncode, 0)
        kinds = sorted(re.sub(r"\d{2,}", "PID", name) for name in names(self.dir))
        shell = os.path.basename(os.path.realpath("/bin/sh"))
        self.assertEqual(kinds, sorted([f"{shell}.PID.mgram", "true.PID.mgram",
                                        "true.PID.2.mgram", "true.PID.3.mgram"]))
        taken = [p for p in harness.traces(self.dir) if p.stat().st_size == 0]
        self.assertEqual(len(taken), 2)


class Output(harness.Case):

    def test_file(self):
        self.record(["true"], "-q", "-o", "x.mgram")
        self.assertEqual(names(self.dir), ["x.mgram"])
        self.record(["true"], "-q", "--output=no-suffix")
        self.assertTrue((self.dir / "no-suffix").is_file())

    def test_children_go_beside_it(self):
        result = self.record(["sh", "-c", "echo $$; (exit 0); ls / >/dev/null"], "-q",
                             "-o", self.dir / "x.mgram")
        self.assertEqual(result.returncode, 0)
        shell = os.path.basename(os.path.realpath("/bin/sh"))
        kinds = sorted(re.sub(r"\d{2,}", "PID", name) for name in names(self.dir))
        self.assertEqual(kinds, sorted(["x.mgram", f"x.{shell}.PID.mgram",
                                        "x.ls.PID.mgram"]))

    def test_directory(self):
        (self.dir / "there").mkdir()
        for output in ("there", "there/", "new/"):
            self.record(["true"], "-q", "-o", output)
        self.assertEqual(len(names(self.dir / "there")), 2)
        self.assertEqual(len(names(self.dir / "new")), 1)
        self.assertEqual(names(self.dir), [])

    def test_older_trace_is_replaced(self):
        self.record(["sh", "-c", "exit 0"], "-q", "-o", "x.mgram")
        first = (self.dir / "x.mgram").read_bytes()
        os.link(self.dir / "x.mgram", self.dir / "kept")
        self.record(["true"], "-q", "-o", "x.mgram")
        self.assertEqual(harness.report(self.dir / "x.mgram")["command"], ["true"])
        # Replaced, not written into: whoever has the old one open or linked keeps it.
        self.assertEqual((self.dir / "kept").read_bytes(), first)

    def test_empty_file_is_replaced(self):
        (self.dir / "x").touch()
        self.record(["true"], "-q", "-o", "x")
        self.assertTrue(harness.trailer_ok(self.dir / "x"))

    def test_older_trace_survives_a_start_that_fails(self):
        self.record(["true"], "-q", "-o", "x.mgram")
        first = (self.dir / "x.mgram").read_bytes()
        for options, program in (([], "/no/such/program"),
                                 (["--allocator", "none"], "true")):
            result = harness.record([program], *options, "-o", "x.mgram", cwd=self.dir)
            self.assertNotEqual(result.returncode, 0)
        self.assertEqual((self.dir / "x.mgram").read_bytes(), first)

    def test_nothing_is_left_but_the_trace(self):
        before = set(os.listdir("/tmp"))
        self.record(["sh", "-c", "ls >/dev/null; exit 3"], "-q", "-o", "x.mgram",
                    status=3)
        mine = lambda: [name for name in set(os.listdir("/tmp")) - before
                        if re.fullmatch(r"mallogram-\w{6}", name)]
        harness.wait_for(lambda: not mine(), "the socket's directory to go")
        left = [name for name in os.listdir(self.dir) if not name.endswith(".mgram")]
        self.assertEqual(left, [])


class Children(harness.Case):

    def test_listed_with_their_files(self):
        result = self.record(["sh", "-c", "(exit 1); (exit 2); echo | cat"], "-o",
                             "x.mgram")
        text = result.stderr.decode()
        count = len(names(self.dir)) - 1
        self.assertGreaterEqual(count, 3)
        self.assertIn(f"{count} more processes recorded: x.", text)

    def test_parents_are_known(self):
        self.record(["sh", "-c", "ls / >/dev/null; exit 0"], "-q", "-o", "x.mgram")
        child, = [path for path in harness.traces(self.dir) if ".ls." in path.name]
        info = harness.command("info", child, check=True).stdout.decode()
        self.assertIn("x.mgram", info)

    def test_exec_ends_one_trace_and_begins_another(self):
        self.record(["sh", "-c", "exec ls /"], "-q", "-o", "x.mgram")
        child, = [path for path in harness.traces(self.dir) if ".ls." in path.name]
        self.assertEqual(harness.report(self.dir / "x.mgram")["end"]["reason"], "execed")
        self.assertEqual(harness.report(child)["end"],
                         {"reason": "exited", "status": 0, "signal": None, "detail": ""})

    def test_exec_of_a_static_program(self):
        static = harness.compile_c(self.dir, "static", r"""
            #include <unistd.h>
            int main(void) { sleep(1); return 9; }""", "-static")
        self.record(["sh", "-c", f"exec {static}"], "-q", "-o", "x.mgram", status=9)
        self.assertEqual(names(self.dir), ["x.mgram"])
        self.assertEqual(harness.report(self.dir / "x.mgram")["end"]["reason"], "execed")

    def test_many_short_lived(self):
        self.record(["sh", "-c", "i=0; while [ $i -lt 300 ]; do (exit 0); "
                     "i=$((i+1)); done"], "-q", "-o", "x.mgram")
        files = harness.traces(self.dir)
        self.assertEqual(len(files), 301)
        for file in files:
            self.assertTrue(harness.trailer_ok(file), file)

    def test_daemon_is_recorded_on_in_the_background(self):
        # The daemon leaves the session, closes everything and allocates when told to.
        daemon = harness.compile_c(self.dir, "daemon", r"""
            #include <fcntl.h>
            #include <stdio.h>
            #include <stdlib.h>
            #include <sys/stat.h>
            #include <unistd.h>
            int main(int argc, char** argv) {
              (void)argc;
              free(malloc(1));
              if (fork() != 0) _exit(0);
              setsid();
              if (fork() != 0) _exit(0);
              for (int fd = 0; fd < 1024; ++fd) close(fd);
              struct stat info;
              while (stat(argv[1], &info) != 0) usleep(1000);
              for (int i = 0; i < 1000; ++i) free(malloc(100 + i));
              _exit(0);
            }""")
        go = self.dir / "go"
        self.record([daemon, go], "-q", "-o", "x.mgram")  # returns at once
        self.assertTrue(harness.trailer_ok(self.dir / "x.mgram"))
        go.touch()

        def daemons_trace():
            for path in harness.traces(self.dir):
                if path.name != "x.mgram" and harness.trailer_ok(path):
                    if harness.totals(path)["allocations"] >= 1000:
                        return path
            return None
        path = harness.wait_for(daemons_trace, "the daemon's trace")
        self.assertEqual(harness.report(path)["end"]["reason"], "exited")
        # The collector goes when there is nobody left.
        harness.wait_for(lambda: not harness.processes_named(str(self.dir)),
                         "the collector to end")

    def test_first_allocation_of_a_child_long_after(self):
        # A forked child connects at its first allocation; until then only its
        # environment tells that it may come.
        child = harness.compile_c(self.dir, "late", r"""
            #include <stdlib.h>
            #include <sys/stat.h>
            #include <unistd.h>
            int main(int argc, char** argv) {
              (void)argc;
              free(malloc(1));
              if (fork() != 0) _exit(0);
              struct stat info;
              while (stat(argv[1], &info) != 0) usleep(1000);
              free(malloc(4711));
              _exit(0);
            }""")
        go = self.dir / "go"
        self.record([child, go], "-q", "-o", "x.mgram", stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL)
        # Many times as long as it takes to find out that nobody is left.
        for _ in range(10):
            self.record(["true"], "-q", "-o", "other")
        go.touch()
        harness.wait_for(lambda: len(names(self.dir)) == 2, "the child's trace")
        path, = [p for p in harness.traces(self.dir) if p.name != "x.mgram"]
        self.assertEqual(harness.wait_complete(path)["totals"]["bytes_allocated"], 4711)

    def test_children_that_go_on_are_counted(self):
        reader, writer = os.pipe()  # cat runs until we close it
        try:
            result = self.record(
                ["sh", "-c", f"cat <&{reader} >/dev/null 2>&1 & "
                 "while ! ls x.cat.* >/dev/null 2>&1; do :; done"], "-o", "x.mgram",
                pass_fds=[reader])
            self.assertIn(b"1 process goes on and is still being recorded",
                          result.stderr)
        finally:
            os.close(writer)
            os.close(reader)
        path, = [p for p in harness.traces(self.dir) if ".cat." in p.name]
        harness.wait_complete(path)

    def test_pipe_reader_does_not_wait_for_the_collector(self):
        # The daemon has closed its streams; a reader of ours sees the end of file
        # although collector and daemon go on.
        process = subprocess.Popen(
            [harness.mallogram(), "record", "-q", "--", "sh", "-c",
             "(exec </dev/null >/dev/null 2>&1; exec sleep 30) & echo $!"],
            cwd=self.dir, env=harness.clean_env(), stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        output = process.stdout.read()
        self.assertEqual(process.wait(harness.LIMIT), 0)
        process.stdout.close()
        os.kill(int(output), signal.SIGKILL)
        harness.wait_for(lambda: all(harness.trailer_ok(p)
                                     for p in harness.traces(self.dir)),
                         "all traces to be complete")


class Bare(harness.Case):
    """LD_PRELOAD without the launcher: the library starts a collector."""

    def test_trace_in_the_current_directory(self):
        harness.run(["ls", "/"], cwd=self.dir, env=harness.bare_env(), check=True)
        harness.wait_for(lambda: names(self.dir), "a trace")
        harness.wait_complete(self.trace())
        self.assertRegex(self.trace().name, r"^ls\.\d+\.mgram$")

    def test_named_by_the_variable(self):
        out = self.dir / "bare.mgram"
        harness.run(["ls", "/"], cwd="/", env=harness.bare_env(out), check=True)
        first = harness.wait_complete(out)
        self.assertEqual(first["command"], ["ls", "/"])
        # A second run takes another name: it may be a child of the first.
        harness.run(["ls", "/"], cwd="/", env=harness.bare_env(out), check=True)
        harness.wait_for(lambda: len(names(self.dir)) == 2, "a second trace")
        second, = [p for p in harness.traces(self.dir) if p != out]
        self.assertRegex(second.name, r"^bare\.ls\.\d+\.mgram$")
        harness.wait_complete(second)

    def test_status_and_output_are_the_programs(self):
        result = harness.run(["sh", "-c", "echo x; exit 7"], cwd=self.dir,
                             env=harness.bare_env())
        self.assertEqual((result.returncode, result.stdout, result.stderr),
                         (7, b"x\n", b""))


if __name__ == "__main__":
    harness.main()
