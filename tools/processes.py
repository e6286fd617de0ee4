"""Processes below this one: adopted, found, named, killed. For whoever starts programs and
answers for what they leave behind: harness.py for a file of tests, run_tests.py for a
step, transparency_lib for a stage. Standard library only."""

import ctypes
import os
import signal
import time

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def _prctl(option, value):
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def adopt_orphans():
    """From now on, descendants whose parent ends become our children."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent():
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read().decode(errors="replace")
    except OSError:
        return ""


def link(path):
    try:
        return os.readlink(path)
    except OSError:
        return ""


def descendants(root):
    """pids of all that descend from `root` now, but zombies."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            fields = read(f"/proc/{entry}/stat").rpartition(")")[2].split()
            if len(fields) > 1 and fields[0] not in "ZX":
                children.setdefault(int(fields[1]), []).append(int(entry))
    found, todo = [], [root]
    while todo:
        born = children.get(todo.pop(), [])
        found += born
        todo += born
    return sorted(found)


def name(pid):
    """How the process is called: its command line, or else its thread's name."""
    words = read(f"/proc/{pid}/cmdline").split("\0")
    return " ".join(words).strip() or read(f"/proc/{pid}/comm").strip()


def runs_one_of(pid, executables):
    """Also true of a process that is just ending, whose memory is gone already."""
    executable = link(f"/proc/{pid}/exe").split(" (deleted)")[0]
    return executable in executables or not executable and not read(f"/proc/{pid}/cmdline")


def reap(known):
    """Collects orphans that became ours and ended; `known` are others' to wait for."""
    me = str(os.getpid())
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) not in known:
            fields = read(f"/proc/{entry}/stat").rpartition(")")[2].split()
            if fields[:2] == ["Z", me]:
                try:
                    os.waitpid(int(entry), os.WNOHANG)
                except ChildProcessError:
                    pass


def children():
    """Commands of our children and their descendants that still run, by pid. Reaps
    those that have ended, so it is for processes that wait for nobody in particular."""
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                break
        except ChildProcessError:
            return {}
    return {pid: name(pid) for pid in descendants(os.getpid())}


def kill_children():
    """Kills them until there are none; returns what they were."""
    killed = {}
    while True:
        now = children()
        if not now:
            return [f"{pid} {command}" for pid, command in sorted(killed.items())]
        killed.update(now)
        for pid in now:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.005)


def end_all(root, spare=lambda pid: False):
    """Kills what descends from `root`, until nothing is left (five seconds at most)."""
    deadline, victims = time.monotonic() + 5, []
    while time.monotonic() < deadline:
        victims = [pid for pid in descendants(root) if not spare(pid)]
        if not victims:
            break
        for pid in victims:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.02)
    return victims
