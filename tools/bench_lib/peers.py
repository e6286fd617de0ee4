"""The other heap tools, with --peers: once each, since most are slow.

What each records, because they are not alike: Memcheck checks every access; DHAT
and massif aggregate by call stack; LeakSanitizer keeps a stack for each block, of
frames with frame pointers only; the profilers of tcmalloc and jemalloc aggregate by
stack and bring their own allocator, so they are compared with that allocator
without profiling. None of them keeps events.
"""

import dataclasses
import os
import shutil
import subprocess

from bench_lib import runners

LIBRARIES = "/usr/lib/x86_64-linux-gnu"
TCMALLOC = f"{LIBRARIES}/libtcmalloc.so.4"
JEMALLOC = f"{LIBRARIES}/libjemalloc.so.2"
LEAK_SANITIZER = f"{LIBRARIES}/liblsan.so.0"


@dataclasses.dataclass
class Peer:
    name: str
    what: str
    command: tuple = ()   # in front of the program, or
    preload: str = ""     # into it
    env: dict = dataclasses.field(default_factory=dict)
    allocator: bool = False  # compared with its own allocator, not with the plain run
    missing: str = ""     # why it does not take part

    def run(self, context, workload):
        env = dict(self.env)
        if self.preload:
            env["MEASURE_PRELOAD"] = self.preload
        if self.command:
            # measure is outside: the program's time under Valgrind is Valgrind's.
            workload = dataclasses.replace(workload, argv=[*self.command, *workload.argv])
        try:
            return runners.measured(context, [], workload.argv, env)
        finally:
            for pattern in ("peer.*", "*.heap"):
                for path in context.directory.glob(pattern):
                    path.unlink()

    def baseline(self, context, workload):
        env = {"MEASURE_PRELOAD": self.preload} if self.allocator else {}
        return runners.measured(context, [], workload.argv, env)


def _valgrind(tool, *options):
    peer = Peer(tool, f"Valgrind --tool={tool}",
                ("valgrind", "-q", f"--tool={tool}", *options))
    if not shutil.which("valgrind"):
        peer.missing = "valgrind is not installed"
    return peer


def _library(peer):
    if not os.path.exists(peer.preload):
        peer.missing = f"{peer.preload} is not installed"
    return peer


def _jemalloc():
    peer = _library(Peer("jemalloc", "jemalloc, prof:true, every allocation", (), JEMALLOC,
                         {"MALLOC_CONF": "prof:true,lg_prof_sample:0,prof_final:true,"
                                         "prof_prefix:peer"}, True))
    if not peer.missing:
        said = subprocess.run(["/bin/true"], stderr=subprocess.PIPE, check=False, env={
            "LD_PRELOAD": JEMALLOC, "MALLOC_CONF": "prof:true"}).stderr
        if said:
            peer.missing = f"{JEMALLOC} was built without profiling"
    return peer


def all_peers(directory):
    return [
        _valgrind("memcheck", "--leak-check=no"),
        _valgrind("dhat", f"--dhat-out-file={directory}/peer.dhat"),
        _valgrind("massif", f"--massif-out-file={directory}/peer.massif"),
        _library(Peer("lsan", "LeakSanitizer, preloaded; stacks end at code without frame "
                              "pointers", (), LEAK_SANITIZER,
                      {"LSAN_OPTIONS": f"exitcode=0:log_path={directory}/peer.lsan"})),
        _library(Peer("tcmalloc", "tcmalloc's heap profiler", (), TCMALLOC,
                      {"HEAPPROFILE": f"{directory}/peer"}, True)),
        _jemalloc(),
    ]


def measure(context, chosen, progress, skip=("micro-2", "micro-8", "list-2")):
    """Every peer once on every workload but those of several threads that others
    stand for; returns ({workload: {peer: figures}}, notes, the peers used)."""
    notes, used, results = [], [], {}
    for peer in all_peers(context.directory):
        if peer.missing:
            notes.append(f"{peer.name}: {peer.missing}")
            continue
        used.append(peer)
    for workload in chosen:
        if workload.name in skip:
            continue
        row = results.setdefault(workload.name, {})
        for peer in used:
            progress(workload.name, peer.name)
            try:
                baseline = peer.baseline(context, workload)
                sample = peer.run(context, workload)
            except runners.Failure as failure:
                notes.append(f"{workload.name} under {peer.name} {failure}")
                continue
            row[peer.name] = {"wall": sample["wall"], "baseline_wall": baseline["wall"],
                              "slowdown": sample["wall"] / baseline["wall"]}
    return results, notes, used
