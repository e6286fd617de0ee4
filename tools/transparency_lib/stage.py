"""Where one run takes place: fresh directories of always the same names, a clean
environment, and an end at which nothing is left running.

The tool is subreaper of all it starts: whoever loses its parent becomes the tool's, and
is seen and ended. As root it has a mount namespace of its own (Isolation), in which
/tmp, /dev/shm, /run and /var/log are the stage's.
"""

import hashlib
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import time

import processes
from transparency_lib import facts as noticed

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SETTLED = 3.0    # seconds that processes get to leave after the program has ended
FINISHING = 60   # seconds that a collector gets to finish its file
TRAVELLER = ("traveller", 54321)  # the user that Isolation makes


class Failure(Exception):
    """The run could not be made; the text says why."""


class Running:
    """A program that a stage started."""

    def __init__(self, process, name):
        self.process, self.name, self.status = process, name, None

    def wait(self, limit):
        """Its status, as subprocess has it, or "hangs"."""
        try:
            self.status = self.process.wait(timeout=limit)
        except subprocess.TimeoutExpired:
            self.status = f"no end within {limit} s"
        return self.status


class Stage:
    """One run. `recorder` is what stands before a recorded command, `own` the
    executable whose processes are the recorder's, not the program's."""

    def __init__(self, directory, kit, recorder=(), own=""):
        self.directory, self.kit = pathlib.Path(directory), kit
        self.recorder, self.own = list(recorder), own
        self.leader = str(kit / "leader")
        self.facts, self.processes, self.started = {}, {}, []
        self.work, self.home = self.directory / "work", self.directory / "home"
        self.traces = self.directory / "traces"
        for name in ("work", "home", "traces", "out", "tmp", "shm", "run", "log"):
            _empty(self.directory / name)
        for name in ("tmp", "shm"):
            os.chmod(self.directory / name, 0o1777)
        for name in ("sshd", "screen", "lock", "user"):
            (self.directory / "run" / name).mkdir()
        (self.directory / "log" / "nginx").mkdir()
        os.chmod(self.directory / "run" / "screen", 0o1777)
        if os.getuid() == 0:
            os.chown(self.home, *[TRAVELLER[1]] * 2)
        self.env = {"PATH": PATH, "HOME": str(self.home), "PWD": str(self.work), "LC_ALL": "C.UTF-8", "TERM": "xterm",
                    "USER": "root", "LOGNAME": "root", "SHELL": "/bin/sh", "TZ": "UTC",
                    "PROBE": str(kit / "probe"), "KIT": str(kit)}
        if not os.path.samefile(self.directory / "tmp", "/tmp"):
            self.env["TMPDIR"] = str(self.directory / "tmp")

    def start(self, argv, recorded=True, env=None, stdin=None, name="", **more):
        """Starts a command; its output goes into files, so that who is left behind
        keeps nobody waiting."""
        name = name or f"{len(self.started)}"
        words = [self.leader, *(self.recorder if recorded else ()), *map(str, argv)]
        with open(self.directory / "out" / f"{name}.out", "wb") as out, \
                open(self.directory / "out" / f"{name}.err", "wb") as err, \
                open(stdin or os.devnull, "rb") as given:
            process = subprocess.Popen(
                words, cwd=more.pop("cwd", self.work), stdin=given, stdout=out, stderr=err,
                env={**self.env, **(env or {})}, **more)
        running = Running(process, name)
        self.started.append(running)
        return running

    def run(self, argv, limit=120, **more):
        """Starts and waits; the program's status, output and errors become facts."""
        running = self.start(argv, **more)
        self.finished(running, limit)
        return running

    def finished(self, running, limit=120, output=True):
        label = "" if running is self.started[0] else f" {running.name}"
        self.fact(f"status{label}" if label else "status", running.wait(limit))
        if output:
            self.fact(f"output{label}", self.output(running))
            self.fact(f"errors{label}", self.errors(running))

    def output(self, running):
        return self._text(f"{running.name}.out")

    def errors(self, running):
        """Without what the launcher has to say, which is kept apart."""
        lines = self._text(f"{running.name}.err").split("\n")
        return "\n".join(line for line in lines if not line.startswith("mallogram: "))

    def said(self):
        """What the launchers and collectors said."""
        return [line for path in sorted((self.directory / "out").glob("*.err"))
                for line in path.read_text(errors="replace").splitlines()
                if line.startswith("mallogram: ")] if self.recorder else []

    def _text(self, name):
        return (self.directory / "out" / name).read_text(errors="replace")

    def help(self, argv, limit=60, check=True, **more):
        """A command that is part of the play but not under test: never recorded."""
        try:
            done = subprocess.run([*map(str, argv)], cwd=more.pop("cwd", self.work),
                                  stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  errors="replace", env={**self.env, **more.pop("env", {})},
                                  timeout=limit, check=False, **more)
        except subprocess.TimeoutExpired:
            raise Failure(f"{argv[0]} took longer than {limit} s") from None
        if check and done.returncode != 0:
            raise Failure(f"{argv[0]} ended with {done.returncode}: {done.stdout[-200:]!r}")
        return done.stdout

    def fact(self, key, value):
        self.facts[key] = value

    def write(self, name, text, mode=0o644):
        path = self.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def until(self, condition, what, limit=60):
        deadline = time.monotonic() + limit
        while not condition():
            self._collect()
            if time.monotonic() > deadline:
                raise Failure(f"waited {limit} s in vain for {what}")
            time.sleep(0.02)

    def programs(self):
        """pids of the play: all descendants but the leaders and the recorder's own."""
        return [pid for pid in processes.descendants(os.getpid()) if not self.stagehand(pid)]

    def stagehand(self, pid):
        return processes.runs_one_of(pid, (self.own, self.leader))

    def see(self, label="", limit=5):
        """Looks at all processes once they stand still; facts for each."""
        deadline, last = time.monotonic() + limit, None
        while True:
            seen = sorted(((processes.name(pid), noticed.facts(pid))
                           for pid in self.programs()), key=str)
            if seen == last or time.monotonic() > deadline:
                break
            last = seen
            time.sleep(0.25)
        self.fact(f"processes{label}", [command for command, _ in seen])
        for number, (command, facts) in enumerate(seen):
            for key, value in facts.items():
                self.fact(f"{key} of {command.split()[0].rpartition('/')[2]}"
                          f"{label} #{number}", value)

    def close(self, files=(), outputs=()):
        """Notes what is left running and lying about, and ends it. `files`: globs, below
        work, of what must be alike byte by byte."""
        known = {r.process.pid for r in self.started}
        deadline = time.monotonic() + SETTLED
        while self.programs() and time.monotonic() < deadline:
            self._collect()
            time.sleep(0.02)
        self.fact("left running", sorted(processes.name(pid) for pid in self.programs()))
        self.end_programs()
        deadline = time.monotonic() + FINISHING
        while processes.descendants(os.getpid()) and time.monotonic() < deadline:
            processes.reap(known)
            time.sleep(0.02)
        self.fact("launchers and collectors that do not end",
                  [processes.name(pid) for pid in processes.descendants(os.getpid())])
        self.end_everything()
        for name in ("tmp", "shm", "run", "log", "home", "work"):
            root = self.directory / name
            self.fact(f"files in {name}", [_describe(p, root) for p in sorted(root.rglob("*"))])
        for pattern in files:
            for path in sorted(self.work.glob(pattern)):
                self.fact(f"content of {path.relative_to(self.work)}",
                          hashlib.sha256(path.read_bytes()).hexdigest()[:16])
        for pattern in outputs:
            for path in sorted(self.work.glob(pattern)):
                self.fact(str(path.relative_to(self.work)), path.read_text(errors="replace"))

    def end_programs(self):
        processes.end_all(os.getpid(), self.stagehand)
        self._collect()

    def end_everything(self):
        processes.end_all(os.getpid())
        self._collect()

    def _collect(self):
        for running in self.started:
            running.process.poll()
        processes.reap({r.process.pid for r in self.started})


def _empty(directory):
    """Makes or empties it, but never the directory itself: it may be mounted."""
    directory.mkdir(exist_ok=True)
    for path in directory.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
    directory.chmod(0o755)


def _describe(path, root):
    about = path.lstat()
    return f"{stat.filemode(about.st_mode)} {about.st_uid} {path.relative_to(root)}"


def own_signals():
    """What whoever runs the tool ignores (nohup, a shell's background) would be
    inherited by all. Whatever ends the tool ends what it has started."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)


def _leave(number, _frame):
    raise SystemExit(128 + number)
