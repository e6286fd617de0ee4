"""Processes as /proc shows them from outside: who descends from whom, and what a user
of a program could notice of each."""

import os
import signal
import time

# Lines of /proc/PID/status that say what a process may do and how it takes signals.
STATUS = ("Umask", "Uid", "Gid", "Groups", "Threads", "SigPnd", "ShdPnd", "SigBlk", "SigIgn",
          "SigCgt", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs",
          "Seccomp", "Seccomp_filters")
NAMESPACES = ("mnt", "pid", "net", "user", "uts", "ipc", "cgroup")
OURS = ("LD_PRELOAD=", "MALLOGRAM_")


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


def environment(text, own=OURS):
    """The variables of a block of NUL-ended ones, without those that Mallogram adds;
    none where the program wrote its title over them."""
    variables = [v for v in text.split("\0") if v]
    if not all("=" in v for v in variables):
        return ["overwritten"]
    return sorted(v for v in variables if not v.startswith(own))


def descriptors(pid):
    """What each open descriptor is; numbers of sockets and pipes are no one's business."""
    try:
        numbers = sorted(map(int, os.listdir(f"/proc/{pid}/fd")))
    except OSError:
        return []
    found = []
    for number in numbers:
        target = link(f"/proc/{pid}/fd/{number}")
        if target.startswith(("socket:", "pipe:")):
            target = target.split(":")[0]
        found.append(f"{number} {target}")
    return found


def facts(pid):
    """Of one process: a dict of lists and words; empty if it is gone."""
    status = dict(line.split(":", 1) for line in read(f"/proc/{pid}/status").splitlines()
                  if ":" in line)
    if not status:
        return {}
    try:
        threads = sorted(read(f"/proc/{pid}/task/{t}/comm").strip()
                         for t in os.listdir(f"/proc/{pid}/task"))
    except OSError:
        threads = []
    stat = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return {
        "threads": threads,
        "descriptors": descriptors(pid),
        "status": [f"{key} {' '.join(status[key].split())}" for key in STATUS
                   if key in status],
        "locked memory": status.get("VmLck", "0").split()[0] != "0",
        "limits": [" ".join(line.split())
                   for line in read(f"/proc/{pid}/limits").splitlines()],
        "environment": environment(read(f"/proc/{pid}/environ")),
        "directories": [link(f"/proc/{pid}/{name}") for name in ("cwd", "root")],
        "terminal and priority": [stat[4], stat[16]] if len(stat) > 16 else [],
        "namespaces": [name for name in NAMESPACES
                       if link(f"/proc/{pid}/ns/{name}") != link(f"/proc/self/ns/{name}")],
        "out of memory": read(f"/proc/{pid}/oom_score_adj").strip(),
        "timer slack": read(f"/proc/{pid}/timerslack_ns").strip(),
    }


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
