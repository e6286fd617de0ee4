"""Processes below this one: adopted, found, killed. For whoever starts tests and answers
for what they leave behind (harness.py for a file of tests, tools/run_tests.py for a
step). Standard library only."""

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


def children():
    """Commands of our children and their descendants that still run, by pid. Reaps
    those that have ended, so it is for processes that wait for nobody in particular."""
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                break
        except ChildProcessError:
            return {}
    parents = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", "rb") as f:
                rest = f.read().rpartition(b")")[2].split()
            if rest[0] not in (b"Z", b"X"):
                parents[int(entry)] = int(rest[1])
        except OSError:
            pass  # gone between listing and reading
    found, news = {}, {os.getpid()}
    while news:
        news = {pid for pid, parent in parents.items() if parent in news}
        for pid in news:
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    found[pid] = f.read().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                pass
    return found


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
