"""What every end-to-end test needs: the built command, a scratch directory, reports.

Two variables of the environment say what is under test (tests/e2e/meson.build
sets them): MALLOGRAM is the command, MALLOGRAM_LIB the library. A test file is
a unittest with `harness.Case` as base class and ends with `harness.main()`;
whole directories of traces are removed afterwards unless KEEP=1. Nothing that it
started outlives it: main() runs the tests in a child of its own, waits for what is
left over, and kills and names what does not end.

Standard library only. No test may pass or fail by a duration; `wait_for` has a
generous limit that only a hang reaches.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))

import processes
import report_json

# A hang is a failure after this many seconds, whatever the machine.
LIMIT = float(os.environ.get("MALLOGRAM_TEST_LIMIT", "150"))
SKIPPED = 77  # the exit status that meson shows as "skipped"


def _path_of(variable):
    value = os.environ.get(variable, "")
    if not value:
        sys.exit(f"{variable} is not set: run this through `meson test`, or set "
                 f"MALLOGRAM=BUILD/analyzer/mallogram and "
                 f"MALLOGRAM_LIB=BUILD/preload/libmallogram.so")
    path = pathlib.Path(value).resolve()
    if not path.exists():
        sys.exit(f"{variable}={value} does not exist: build first")
    return str(path)


def mallogram():
    """The command under test."""
    return _path_of("MALLOGRAM")


def library():
    """The library under test."""
    return _path_of("MALLOGRAM_LIB")


def workload(name):
    """One of the four workloads."""
    directory = pathlib.Path(os.environ.get("MALLOGRAM_WORKLOADS", ""))
    path = directory / name.replace("-", "_") / name
    if not path.exists():
        sys.exit(f"MALLOGRAM_WORKLOADS={directory}: no {path.name} there; build first")
    return str(path.resolve())


def clean_env(**more):
    """The environment without anything that could trace the tests themselves, or that
    the test runner added (meson: where to find our libraries, noise for malloc)."""
    env = {k: v for k, v in os.environ.items()
           if not k.startswith("MALLOGRAM") and k not in
           ("LD_PRELOAD", "NO_COLOR", "LD_LIBRARY_PATH", "MALLOC_PERTURB_")}
    env["LC_ALL"] = "C"
    env.update({k: str(v) for k, v in more.items()})
    return env


def run(argv, *, cwd=None, env=None, input=None, check=False, **kwargs):
    """Runs a command to its end; stdout and stderr are bytes in the result."""
    result = subprocess.run([str(a) for a in argv], cwd=cwd, input=input,
                            env=clean_env() if env is None else env,
                            stdin=kwargs.pop("stdin", subprocess.DEVNULL)
                            if input is None else None,
                            stdout=kwargs.pop("stdout", subprocess.PIPE),
                            stderr=kwargs.pop("stderr", subprocess.PIPE),
                            timeout=kwargs.pop("timeout", LIMIT), **kwargs)
    if check and result.returncode != 0:
        raise AssertionError(f"{list(map(str, argv))} ended with {result.returncode}\n"
                             f"{(result.stderr or b'').decode(errors='replace')}")
    return result


def command(*args, **kwargs):
    """`mallogram ARGS…` as run()."""
    return run([mallogram(), *args], **kwargs)


def record(argv, *options, **kwargs):
    """`mallogram record OPTIONS -- ARGV`."""
    return command("record", *options, "--", *argv, **kwargs)


def bare_env(out=None, **more):
    """Environment of a bare LD_PRELOAD start."""
    env = clean_env(LD_PRELOAD=library(), **more)
    if out is not None:
        env["MALLOGRAM_OUT"] = str(out)
    return env


def printed_report(*files, options=()):
    """The object that `mallogram report --json` prints."""
    return json.loads(command("report", "--json", *options, *files, check=True).stdout)


def report(*files, options=()):
    """The same with whole stacks."""
    return report_json.whole(printed_report(*files, options=options))


def whole_leaks(text):
    """What `mallogram leaks --json` prints, with whole stacks."""
    return report_json.whole_leaks(json.loads(text))


def totals(*files):
    return report(*files)["totals"]


def traces(directory):
    """All .mgram files of a directory, by name."""
    return sorted(pathlib.Path(directory).glob("*.mgram"))


def wait_for(condition, what="the condition", limit=None):
    """Polls until condition() is true; returns its value. Raises after LIMIT."""
    end = time.monotonic() + (LIMIT if limit is None else limit)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {LIMIT:.0f} s in vain for {what}")
        time.sleep(0.005)


def wait_complete(path):
    """Waits until a background collector has finished this trace file."""
    def whole():
        # In this order: a report of before the end must not pass for the whole.
        if not os.path.exists(path) or not trailer_ok(path):
            return None
        info = command("report", "--json", path)
        if info.returncode != 0:
            return None
        return json.loads(info.stdout)
    return wait_for(whole, f"a complete {path}")


def trailer_ok(path):
    """True if the file ends with the trailer's magic (trace_format.h)."""
    with open(path, "rb") as f:
        f.seek(0, os.SEEK_END)
        if f.tell() < 24:
            return False
        f.seek(-8, os.SEEK_END)
        return f.read() == (0x444E454D4152474D).to_bytes(8, "little")


def compile_c(directory, name, source, *flags, language="c"):
    """Builds a small program from text; returns its path. No call to malloc or free
    is optimized away."""
    suffix = {"c": ".c", "c++": ".cc"}[language]
    compiler = {"c": os.environ.get("CC", "gcc"),
                "c++": os.environ.get("CXX", "g++")}
    path = pathlib.Path(directory) / name
    text = path.with_suffix(suffix)
    text.write_text(source)
    run([*compiler[language].split(), "-O1", "-g", "-fno-builtin", "-o", path, text,
         *flags], check=True)
    return str(path)


def state(pid):
    """The letter of /proc/PID/stat: R, S, T, Z …; "" if the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            return f.read().rpartition(b")")[2].split()[0].decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def runs(pid):
    """False if the process is gone or a zombie."""
    return state(pid) not in ("", "Z", "X")


def processes_named(needle):
    """pids whose command line contains `needle`."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as f:
                if os.fsencode(needle) in f.read():
                    found.append(int(entry))
        except OSError:
            pass  # gone between listing and reading
    return found


class Case(unittest.TestCase):
    """A test with a scratch directory `self.dir`, which is also a fine cwd."""

    maxDiff = None

    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="mallogram-test-"))
        os.chmod(self.dir, 0o755)  # tests that change user must reach it
        if not os.environ.get("KEEP"):
            self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def fails(self, says, *args, status=2, **kwargs):
        """`mallogram ARGS…` ends with `status`, prints nothing, and says one line with
        each of these words; returns the line."""
        kwargs.setdefault("cwd", self.dir)
        return self.refused(command(*args, **kwargs), status, says)

    def refused(self, result, status, says):
        """The same of a result."""
        error = result.stderr.decode()
        self.assertEqual(result.returncode, status, error)
        self.assertEqual(result.stdout, b"")
        self.assertEqual(error.count("\n"), 1, error)
        self.assertTrue(error.startswith("mallogram: "), error)
        for word in [says] if isinstance(says, str) else says:
            self.assertIn(word, error)
        return error

    def golden(self, path, text):
        """The file's text; MALLOGRAM_UPDATE_GOLDENS=1 writes it anew."""
        if os.environ.get("MALLOGRAM_UPDATE_GOLDENS"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        self.assertEqual(text, path.read_text(), f"MALLOGRAM_UPDATE_GOLDENS=1 updates {path}")

    def trace(self, directory=None):
        """The one trace in the directory."""
        files = traces(directory or self.dir)
        self.assertEqual(len(files), 1, f"expected one trace, found {files}")
        return files[0]

    def record(self, argv, *options, status=0, **kwargs):
        """record() in the scratch directory, with a check of the exit status."""
        kwargs.setdefault("cwd", self.dir)
        result = record(argv, *options, **kwargs)
        self.assertEqual(result.returncode, status,
                         (result.stderr or b"").decode(errors="replace"))
        return result


def main():
    """Runs the tests of __main__ in a child; exits with its status, or with 1 if
    something that they started did not end."""
    processes.adopt_orphans()
    parent = os.getpid()
    tests = os.fork()
    if tests == 0:
        processes.die_with_parent()
        if os.getppid() == parent:
            _run_tests()
        os._exit(1)

    def stop(number, _):  # meson's time-out
        processes.kill_children()
        os._exit(128 + number)
    signal.signal(signal.SIGTERM, stop)
    # The terminal's reaches the tests as well, who then come to their own end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == tests:
            break
    status = os.waitstatus_to_exitcode(status)
    # Collectors in the background are still busy; after a failure, nobody waits.
    end = time.monotonic() + (LIMIT if status == 0 else 0)
    while processes.children() and time.monotonic() < end:
        time.sleep(0.005)
    left = processes.kill_children()
    for line in left:
        print("left running by the tests, killed:", line, file=sys.stderr)
    sys.stderr.flush()
    os._exit((1 if left else 0) if status == 0 else status if status > 0 else 128 - status)


def _run_tests():
    # A test that starts daemons must not be stopped by their terminal signals.
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    # Whoever runs the tests may ignore these (nohup, a shell's background), which
    # every program that is started here would inherit.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    status = 1
    try:
        unittest.main(verbosity=2)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(bool(end.code))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
