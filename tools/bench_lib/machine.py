"""Where and of what the figures are."""

import datetime
import json
import os
import pathlib
import platform
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEERS = ("heaptrack", "valgrind", "libtcmalloc-minimal4", "libgoogle-perftools4",
         "libjemalloc2", "liblsan0")
WORKLOADS = ("jq", "libxml2-utils", "python3", "perl", "clang", "sqlite3", "git",
             "redis-server", "nginx", "wrk")


def output(*command):
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True, check=False).stdout.strip()
    except OSError:
        return ""


def versions(packages):
    """Of the packages that are installed."""
    lines = output("dpkg-query", "-W", "-f", "${Package} ${db:Status-Status} ${Version}\n",
                   *packages).splitlines()
    fields = [line.split() for line in lines]
    return {f[0]: f[2] for f in fields if len(f) == 3 and f[1] == "installed"}


def facts(build):
    cpu = next((line.split(":", 1)[1].strip() for line in
                pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())
    options = output("meson", "introspect", "--buildoptions", str(build))
    kind = next((o["value"] for o in json.loads(options or "[]")
                 if o["name"] == "buildtype"), "unknown")
    peers = versions(PEERS)
    return {"cpu": cpu, "cores": os.cpu_count(),
            "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            "kernel": platform.release(), "libc": "-".join(platform.libc_ver()),
            "commit": output("git", "-C", str(ROOT), "describe", "--always", "--dirty")
                      or "unknown",
            "build": kind, "date": datetime.date.today().isoformat(),
            "load_before": round(os.getloadavg()[0], 2),
            "heaptrack": peers.get("heaptrack", "none"),
            "versions": {**peers, **versions(WORKLOADS)}}


def line(facts_here, peer=True):
    """The same for people, one line."""
    f = facts_here
    heaptrack = f"heaptrack {f['heaptrack']}, " if peer else ""
    return (f"{f['cpu']}, {f['cores']} cores, Linux {f['kernel']}, {heaptrack}commit "
            f"{f['commit']} ({f['build']} build), {f['date']}, load {f['load_before']} before.")
