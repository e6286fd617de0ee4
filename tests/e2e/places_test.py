"""The places where tools of this kind break: one line of the table each.

For every case a program runs plain and recorded. Its output and exit status must be
the same, the recording must hold what the program's own accounts say (accounts.py),
and nothing may hang. `PLACES=long` runs the long variants.
"""

import dataclasses
import os
import shutil
import subprocess

import accounts
import harness

LONG = os.environ.get("PLACES") == "long"
ROOT = os.geteuid() == 0


@dataclasses.dataclass
class Case:
    name: str
    argv: list                   # the test program's name first
    prefix: list = ()            # put before it: env -i, sh -c 'ulimit …'
    env: dict = dataclasses.field(default_factory=dict)
    preload: str = ""            # a library from tests/programs, the user's own
    roles: dict = None           # {role: how many accounts}; default: one, any role
    traces: int = None           # how many files; default: as many as accounts
    end: dict = None             # of the first process, as in the report
    fields: tuple = accounts.COUNTS
    unknown_frees: object = 0    # None: any
    whole: bool = True           # the counted functions' stacks reach the outermost frame
    untraced_ok: bool = False    # limits so tight that recording may be given up
    closed: tuple = ()           # descriptors closed before the start
    root: bool = False
    output: bytes = b""          # must be in stdout
    warning: str = ""            # must be in the report's warnings


def shell(script):
    return ["/bin/sh", "-c", script + '; exec "$@"', "sh"]


PROGRAMS = "{programs}"
DIRECTORY = "{dir}"

CASES = [
    # Birth and death of processes and threads.
    Case("early", ["births", "early"]),
    Case("late", ["births", "late"]),
    Case("threads_in_turn", ["births", "threads", 10_000 if LONG else 2_000, 1]),
    Case("threads_at_once", ["births", "threads", 1_000 if LONG else 400, 200]),
    # Signals.
    Case("handlers", ["signals", 2_000 if LONG else 300],
         preload="libbump_allocator.so"),
    Case("handlers_threads", ["signals", 2_000 if LONG else 300, "threads"],
         preload="libbump_allocator.so"),
    Case("handlers_altstack", ["signals", 2_000 if LONG else 300, "altstack"],
         preload="libbump_allocator.so"),
    # Processes. A forked child frees what its parent allocated: unknown there.
    Case("fork", ["processes", "fork"], unknown_frees=None,
         roles={"parent": 1, "child": 1, "grandchild": 1}),
    Case("fork_threads", ["processes", "fork-threads", 50 if LONG else 8],
         unknown_frees=None, roles={"parent": 1, "child": 50 if LONG else 8},
         output=b"did not end well: 0"),
    Case("vfork", ["processes", "vfork"], roles={"parent": 1, "leaf": 1}),
    # The leaves without TRUTH_FILE are recorded, but write no account.
    Case("spawn", ["processes", "spawn"], roles={"parent": 1, "leaf": 1}, traces=4),
    # The shell between is recorded too.
    Case("system", ["processes", "system"], roles={"parent": 1, "leaf": 1}, traces=None),
    Case("popen", ["processes", "popen"], roles={"parent": 1, "leaf": 1}, traces=None),
    Case("clone", ["processes", "clone"], roles={"parent": 1}, traces=2,
         unknown_frees=None),
    *[Case(how.replace("-", "_"), ["processes", how], traces=2, end={"reason": "execed"},
           roles={"before exec": 1, "leaf": 1})
      for how in ("exec", "exec-empty", "exec-path", "fexec", "exec-thread")],
    Case("exec_fails", ["processes", "exec-fails"]),
    Case("env_i", ["processes", "leaf", 64], traces=2, end={"reason": "execed"},
         prefix=["/usr/bin/env", "-i", "TRUTH_FILE={truth}"]),
    # Ends.
    Case("exit", ["endings", "exit"], end={"reason": "exited", "status": 11}),
    Case("_exit", ["endings", "_exit"], end={"reason": "exited", "status": 12}),
    Case("_Exit", ["endings", "_Exit"], end={"reason": "exited", "status": 13}),
    Case("quick_exit", ["endings", "quick_exit"], end={"reason": "exited", "status": 14}),
    Case("return", ["endings", "return"], end={"reason": "exited", "status": 10}),
    Case("pthread_exit", ["endings", "pthread_exit"],
         end={"reason": "exited", "status": 0}),
    Case("abort", ["endings", "abort"], end={"reason": "signalled", "signal": 6}),
    Case("throw", ["endings", "throw"], end={"reason": "signalled", "signal": 6}),
    Case("segv", ["endings", "segv"], end={"reason": "signalled", "signal": 11}),
    Case("overflow", ["endings", "overflow"], end={"reason": "signalled", "signal": 11}),
    Case("term", ["endings", "term"], end={"reason": "signalled", "signal": 15}),
    Case("kill", ["endings", "kill"], end={"reason": "signalled", "signal": 9}),
    # The child that wakes it is recorded too.
    Case("stop", ["endings", "stop"], end={"reason": "exited", "status": 15}, traces=2),
    # Code that comes and goes; frames that are left behind; stacks that vanish.
    Case("plugins_reuse", ["plugins", "reuse", PROGRAMS, 100 if LONG else 10],
         output=b"addresses were reused"),
    Case("plugins_runpath", ["plugins", "runpath", PROGRAMS],
         output=b"host by name: no\nplug-in by name: found"),
    Case("plugins_deepbind", ["plugins", "deepbind", PROGRAMS], roles={}, traces=1,
         unknown_frees=None),
    Case("plugins_dlmopen", ["plugins", "dlmopen", PROGRAMS], roles={}, traces=1,
         unknown_frees=None),
    Case("longjmp", ["jumps", "longjmp"]),
    Case("throw_across", ["jumps", "throw"]),
    # What makecontext's functions return to has no unwind information.
    Case("coroutines", ["jumps", "coroutines"], whole=False),
    Case("recursion", ["jumps", "recursion", 100_000 if LONG else 10_000]),
    Case("recovered_overflow", ["jumps", "altstack"]),
    # Surroundings.
    # The process between the two forks allocates nothing and has no trace.
    Case("daemon", ["surroundings", "daemon", DIRECTORY + "/daemon"], traces=2,
         roles={"daemon": 1}),
    Case("close_all", ["surroundings", "close"], traces=2, output=b"next: 0 1\n"),
    Case("closed_at_start", ["processes", "leaf", 64], closed=(0, 1, 2)),
    Case("closed_input", ["processes", "leaf", 64], closed=(0,)),
    Case("chroot", ["surroundings", "chroot", DIRECTORY], root=True, traces=None),
    Case("other_user", ["surroundings", "user", 65534], root=True, traces=None),
    Case("limit_as", ["surroundings", "limit-as"], output=b"filled, ENOMEM"),
    Case("limit_as_at_start", ["surroundings", "plain"], prefix=shell("ulimit -v 400000"),
         untraced_ok=True, output=b"plain"),
    Case("limit_as_tight", ["surroundings", "plain"], prefix=shell("ulimit -v 40000"),
         untraced_ok=True, output=b"plain"),
    Case("limit_files", ["surroundings", "limit-files"], traces=None),
    Case("limit_files_at_start", ["surroundings", "plain"], prefix=shell("ulimit -n 4"),
         untraced_ok=True, output=b"plain"),
    Case("limit_size", ["surroundings", "limit-size"], traces=None),
    Case("limit_size_at_start", ["surroundings", "plain"], prefix=shell("ulimit -f 0"),
         env={"TRUTH_FILE": "/nonexistent"}, roles={}, untraced_ok=True, output=b"plain"),
    Case("phdr", ["surroundings", "phdr", 8, 20_000 if LONG else 1_000],
         output=b"no deadlock"),
    # Neighbours.
    Case("user_preload", ["surroundings", "plain"], preload="libuser_preload.so",
         output=b"the user's preload was here"),
    Case("bump_allocator", ["truth", 4, 50], preload="libbump_allocator.so",
         fields=accounts.EXACT),
    Case("own_malloc", ["own_malloc"], roles={}, traces=1, unknown_frees=None,
         output=b"my own malloc served 100 calls",
         warning="the executable defines malloc itself"),
]


class Places(harness.Case):
    def argv(self, case):
        names = {"dir": str(self.dir), "programs": os.environ["MALLOGRAM_PROGRAMS"],
                 "truth": str(self.truth_file)}
        rest = [str(part).format(**names) for part in case.argv[1:]]
        # format() would trip over a shell's braces, of which the prefixes have none.
        prefix = [part.format(**names) for part in case.prefix]
        return [*prefix, accounts.program(case.argv[0]), *rest]

    def run_case(self, case, launcher):
        self.truth_file.write_text("")
        env = harness.clean_env(**{"TRUTH_FILE": self.truth_file, **case.env})
        if case.preload:
            env["LD_PRELOAD"] = accounts.program(case.preload)
        work = self.dir / ("traced" if launcher else "plain")
        work.mkdir()

        def before_exec():
            for fd in case.closed:
                os.close(fd)
        result = subprocess.run([*launcher, *self.argv(case)], cwd=work, env=env,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, timeout=harness.LIMIT,
                                preexec_fn=before_exec if case.closed else None)
        return result, work

    def check(self, case):
        if case.root and not ROOT:
            self.skipTest("needs root")
        self.truth_file = self.dir / "truth"
        plain, _ = self.run_case(case, [])
        for leftover in (self.dir / "daemon",):
            if leftover.exists() or "daemon" in case.argv:
                harness.wait_for(leftover.exists, "the plain daemon's end")
                harness.wait_for(lambda: self.truth_file.stat().st_size, "its account")
                leftover.unlink()
        result, work = self.run_case(case, [harness.mallogram(), "record", "-q", "--"])
        stderr = result.stderr.decode(errors="replace")
        self.assertEqual(result.returncode, plain.returncode, stderr)
        self.assertEqual(result.stdout, plain.stdout, stderr)
        self.assertIn(case.output, plain.stdout)
        if "daemon" in case.argv:
            harness.wait_for(lambda: self.truth_file.stat().st_size, "the daemon's account")
            self.assertEqual((self.dir / "daemon").read_text(), "first free\n")
        self.check_reports(case, work, stderr)

    def check_reports(self, case, work, stderr):
        truths = accounts.read_truth(self.truth_file)
        if case.roles is not None:
            roles = {}
            for truth in truths:
                roles[truth["role"]] = roles.get(truth["role"], 0) + 1
            self.assertEqual(roles, case.roles)
        else:
            self.assertEqual(len(truths), 1)
        if case.untraced_ok and not harness.traces(work):
            self.assertNotEqual(stderr, "", "says nothing of having recorded nothing")
            return
        reports = accounts.reports_by_pid(work, case.traces or len(truths))
        warnings = [warning for of_pid in reports.values() for report in of_pid
                    for warning in report["warnings"]]
        self.assertIn(case.warning, " ".join(warnings))
        files = sum(len(of_pid) for of_pid in reports.values())
        if case.traces is not None:
            self.assertEqual(files, case.traces, sorted(reports))
        found = []
        for truth in truths:
            # After an exec a process has several; the leaf's is the last.
            of_pid = reports.get(truth["pid"], [])
            if not of_pid:
                found.append(f"{truth['role']}: not recorded")
                continue
            report = of_pid[0] if truth["role"] == "before exec" else of_pid[-1]
            # Too few descriptors for the library to make itself heard: only the
            # shell before the exec is recorded.
            if case.untraced_ok and case.argv[0] not in report["processes"][0]["program"]:
                continue
            found += accounts.differences(truth, report, case.fields, case.whole)
        for of_pid in reports.values():
            for report in of_pid:
                found += accounts.inconsistencies(report, case.unknown_frees)
        self.assertEqual(found, [], stderr)
        if case.end is not None:
            first = min((r for of_pid in reports.values() for r in of_pid),
                        key=lambda r: r["processes"][0]["start_unix_s"])
            self.assertEqual(first["end"], first["end"] | case.end)


def add_test(case):
    setattr(Places, f"test_{case.name}", lambda self: self.check(case))


for one in CASES:
    add_test(one)


class Bare(harness.Case):
    """LD_PRELOAD without a launcher."""

    def test_bare(self):
        truth_file = self.dir / "truth"
        truth_file.touch()
        result = harness.run([accounts.program("surroundings"), "plain"], cwd=self.dir,
                             env=harness.bare_env(TRUTH_FILE=truth_file))
        self.assertEqual((result.returncode, result.stdout), (0, b"plain\n"))
        self.assertEqual(result.stderr, b"")
        [truth] = accounts.read_truth(truth_file)
        trace = self.dir / f"surroundings.{truth['pid']}.mgram"
        harness.wait_for(lambda: trace.exists() and harness.trailer_ok(trace), trace)
        report = harness.report(trace)
        self.assertEqual(accounts.differences(truth, report), [])
        self.assertEqual(accounts.inconsistencies(report), [])

    def test_read_only_directory(self):
        result = harness.run([accounts.program("surroundings"), "plain"], cwd="/proc",
                             env=harness.bare_env())
        self.assertEqual((result.returncode, result.stdout), (0, b"plain\n"))

    def test_waits_for_nobody(self):
        # The collector is stopped before it can do anything; the program ends.
        stopped = self.dir / "mallogram"
        stopped.symlink_to("/bin/false")
        library = self.dir / "libmallogram.so"
        shutil.copy(harness.library(), library)
        result = harness.run([accounts.program("surroundings"), "plain"], cwd=self.dir,
                             env=harness.clean_env(LD_PRELOAD=library))
        self.assertEqual((result.returncode, result.stdout), (0, b"plain\n"))


class AsIfNotThere(harness.Case):
    """What the program sees of itself is what it sees plain."""

    def compare(self, *argv):
        argv = [accounts.program("inspect"), *argv]
        plain = harness.run(argv, cwd=self.dir, check=True).stdout.decode().splitlines()
        traced = self.record(argv, "-q").stdout.decode().splitlines()
        self.assertEqual(plain, traced)
        bare = harness.run(argv, cwd=self.dir, check=True, env=harness.bare_env())
        self.assertEqual(plain, bare.stdout.decode().splitlines())

    def test_one_thread(self):
        self.compare()

    def test_threads(self):
        self.compare("threads")


if __name__ == "__main__":
    harness.main()
