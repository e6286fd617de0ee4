"""What a user of a program could notice of a process, as /proc shows it from outside."""

import os

from processes import link, read

# Lines of /proc/PID/status that say what a process may do and how it takes signals.
STATUS = ("Umask", "Uid", "Gid", "Groups", "Threads", "SigPnd", "ShdPnd", "SigBlk", "SigIgn",
          "SigCgt", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs",
          "Seccomp", "Seccomp_filters")
NAMESPACES = ("mnt", "pid", "net", "user", "uts", "ipc", "cgroup")
OURS = ("LD_PRELOAD=", "MALLOGRAM_")


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
