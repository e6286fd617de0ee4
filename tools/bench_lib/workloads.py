"""What is measured: programs with their arguments, and the goal that each serves.

Sizes are such that the plain program takes some tenths of a second, and heaptrack
two or three seconds at most.
"""

import dataclasses
import shlex
import shutil

from bench_lib import inputs


@dataclasses.dataclass
class Workload:
    name: str
    argv: list
    goals: tuple = ()     # S1…S4 of the speed goals
    pairs: int = 0        # malloc+free pairs that it makes, where that is the unit
    heaptrack: bool = True

    def runnable(self):
        return shutil.which(self.argv[0], path="/usr/bin:/bin") is not None


# Take part in --only, but have runners of their own (services.py, extras.py).
SERVICES = ("redis", "nginx")
EXTRAS = ("reading", "start")


def names():
    return [*(w.name for w in bundled("", "", "", 1.0)), *SERVICES, *EXTRAS]


def bundled(programs, workloads, directory, scale):
    """All programs, in the table's order. `programs`: the test programs' directory,
    `workloads`: that of the four workloads, `directory`: the inputs'."""
    pairs = int(4_000_000 * scale)
    nodes = int(2**22 * scale)
    blocks = int(500_000 * scale)

    def micro(threads):
        each = pairs if threads == 1 else pairs // threads
        return [f"{programs}/micro", str(each), str(threads), "20"]

    def count(number):
        return str(max(1, int(number * scale)))

    return [
        Workload("micro", micro(1), ("S1",), pairs),
        Workload("micro-2", micro(2), ("S2",), pairs // 2 * 2),
        Workload("micro-8", micro(8), ("S2",), pairs // 8 * 8),
        Workload("handoff", [f"{programs}/handoff", str(blocks), "4"], ("S4",), 4 * blocks),
        # MemHawk's shape, compared with its published figure. heaptrack would take
        # longer here than for all the rest.
        Workload("list", [f"{programs}/linked_list", str(nodes), "1"], ("MemHawk",), nodes,
                 heaptrack=False),
        Workload("list-2", [f"{programs}/linked_list", str(nodes), "2"], ("MemHawk",),
                 2 * nodes, heaptrack=False),
        Workload("jq", ["jq", "[.rows[] | select(.id % 3 == 0) | .name] | length",
                        f"{directory}/in.json"], ("S3",)),
        Workload("xmllint", ["xmllint", "--noout", f"{directory}/in.xml"], ("S3",)),
        Workload("python3", ["/usr/bin/python3", "-S", f"{directory}/in.py"], ("S3",)),
        Workload("perl", ["perl", f"{directory}/in.pl"], ("S3",)),
        Workload("clang++", ["clang++", "-fsyntax-only", "-std=c++17", f"{directory}/in.cc"],
                 ("S3",)),
        Workload("sqlite3", ["sqlite3", ":memory:", f".read {directory}/in.sql"], ("S3",)),
        Workload("git", ["git", "-C", f"{directory}/repository", "--no-pager", "log", "-p",
                         "--stat"], ("S3",)),
        Workload("session", [f"{workloads}/session/session", "--sessions", count(1000),
                             "--messages", "60"], ("S3",)),
        Workload("chunk-store", [f"{workloads}/chunk_store/chunk-store", "--chunks",
                                 count(25_000)], ("S3",)),
        Workload("agent", [f"{workloads}/agent/agent", "--agents", count(200), "--steps",
                           "100"], ("S3",)),
        Workload("encoder", [f"{workloads}/encoder/encoder", "--bytes", count(3_000_000)],
                 ("S3",)),
    ]


def own(text):
    """NAME=COMMAND of --workload."""
    name, separator, command = text.partition("=")
    argv = shlex.split(command)
    if not separator or not name or not argv:
        raise ValueError(f"--workload {text}: say NAME=COMMAND")
    return Workload(name, argv)


def make_inputs(directory, scale, chosen):
    inputs.make(directory, scale)
    if any(w.name == "git" for w in chosen) and shutil.which("git"):
        inputs.make_history(directory, scale)
