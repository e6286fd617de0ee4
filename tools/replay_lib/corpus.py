"""The recordings that tools/replay compares: at least 50, of each kind of program, of
end and of damage. Made once; the directory is complete when `complete` lies in it."""

import os
import pathlib
import shutil
import subprocess

from replay_lib import programs

COMPLETE = "complete"
LEAST = 50

# Name, program, arguments, options of record. A program of several processes leaves
# several files.
C_RUNS = [(f"c-{kind}", "c", [kind, count], []) for kind, count in (
    ("leak", 3000), ("churn", 200000), ("pairs", 50000), ("grow", 40000),
    ("realloc", 20000), ("kinds", 2000), ("phases", 30000), ("threads", 20000),
    ("fork", 3000), ("kill", 60000), ("term", 5000), ("segv", 5000), ("abort", 5000),
    ("_exit", 5000), ("exec", 5000), ("nothing", 0))]
CXX_RUNS = [(f"cxx-{kind}", "cxx", [kind, count], []) for kind, count in (
    ("tree", 5), ("vectors", 20000), ("lambdas", 3000), ("lost", 500),
    ("mismatch", 50))]
SAMPLED = [(f"sampled-{kind}", program, [kind, count], ["--sample", size])
           for kind, program, count, size in (
               ("churn", "c", 200000, "16KiB"), ("threads", "c", 50000, "4KiB"),
               ("leak", "c", 20000, "1KiB"), ("phases", "c", 60000, "8KiB"),
               ("tree", "cxx", 6, "4KiB"), ("kill", "c", 100000, "4KiB"))]
CHECKED = [(f"full-{kind}", program, [kind, count], ["--leak-check", "full"])
           for kind, program, count in (
               ("leak", "c", 3000), ("lost", "cxx", 500), ("term", "c", 5000),
               ("mismatch", "cxx", 50), ("fork", "c", 1000), ("threads", "c", 5000))]
OTHER = [
    ("unchecked", "c", ["leak", 500], ["--leak-check", "none"]),
    ("shallow", "c", ["churn", 20000], ["--max-depth", "2"]),
    ("python", "python3", ["-c", programs.PYTHON], []),
    ("python-sampled", "python3", ["-c", programs.PYTHON], ["--sample", "16KiB"]),
    ("perl", "perl", ["-e", programs.PERL], []),
    ("shell", "sh", ["-c", programs.SHELL], []),
    ("rust", "rust", [], []),
]
SWEEP = [(f"n={n}", "c", ["leak", n], []) for n in (100, 300, 1000, 3000, 10000)]
# Events of a "pairs" or "churn" program are twice its count.
LARGE = [("large-pairs", "c", ["pairs", 25_000_000], []),
         ("large-churn", "c", ["churn", 50_000_000], [])]


def build(directory):
    """The programs by name; without rustc, or where it fails, none is Rust's."""
    built = {"python3": shutil.which("python3", path="/usr/bin:/bin"),
             "perl": shutil.which("perl"), "sh": shutil.which("sh")}
    for name, text, suffix, command in (
            ("c", programs.C, "c", ["cc", "-g", "-O1", "-w", "-pthread"]),
            ("cxx", programs.CXX, "cc", ["c++", "-g", "-O1", "-w", "-std=c++17"]),
            ("rust", programs.RUST, "rs", ["rustc", "-g"])):
        source = directory / f"{name}.{suffix}"
        source.write_text(text, encoding="utf-8")
        program = directory / name
        if shutil.which(command[0]) is None:
            continue
        done = subprocess.run(command + [str(source), "-o", str(program)], check=False,
                              cwd=directory)
        if done.returncode == 0:
            built[name] = str(program)
        elif name != "rust":
            raise SystemExit(f"{source} does not compile")
    return {name: path for name, path in built.items() if path}


def record(mallogram, built, runs, into):
    into.mkdir(exist_ok=True)
    for name, program, arguments, options in runs:
        if program not in built:
            print(f"left out, no {program}: {name}")
            continue
        directory = into / name if into.name != "sweep" else into
        directory.mkdir(exist_ok=True)
        output = directory / f"{name}.mgram"
        with open(directory / f"{name}.stderr", "wb") as stderr:
            subprocess.run([mallogram, "record", "-q", *options, "-o", str(output), "--",
                            built[program], *map(str, arguments)], check=False,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=stderr, cwd=directory)
        if not output.exists():
            raise SystemExit(f"{name}: nothing was recorded: see {stderr.name}")
        print(name, flush=True)


def damage(directory):
    """Copies of some recordings: cut, with bytes turned over, or none at all."""
    into = directory / "damaged"
    into.mkdir()
    runs = directory / "runs"
    for name in ("c-churn", "sampled-churn", "full-leak", "c-phases"):
        whole = (runs / name / f"{name}.mgram").read_bytes()
        for percent in (3, 50, 95):
            (into / f"{name}-cut{percent}.mgram").write_bytes(
                whole[:len(whole) * percent // 100])
        (into / f"{name}-notrailer.mgram").write_bytes(whole[:-8])
        for percent in (10, 60, 97):
            broken = bytearray(whole)
            at = len(whole) * percent // 100
            for i in range(at, min(at + 40, len(broken))):
                broken[i] ^= 0x5a
            (into / f"{name}-turned{percent}.mgram").write_bytes(broken)
    (into / "empty.mgram").write_bytes(b"")
    (into / "text.mgram").write_bytes(b"this is no recording\n" * 50)
    (into / "head.mgram").write_bytes(whole[:16])


def make(directory, mallogram):
    """`mallogram`: a command that finds its library."""
    directory.mkdir(parents=True)
    for name in [n for n in os.environ if n.startswith("MALLOGRAM_") and
                 n != "MALLOGRAM_LIB"]:
        del os.environ[name]
    built = build(directory)
    record(mallogram, built, C_RUNS + CXX_RUNS + SAMPLED + CHECKED + OTHER,
           directory / "runs")
    record(mallogram, built, SWEEP, directory / "sweep")
    record(mallogram, built, LARGE, directory / "large")
    damage(directory)
    count = len(recordings(directory))
    if count < LEAST:
        raise SystemExit(f"{count} recordings, fewer than {LEAST}")
    (directory / COMPLETE).touch()
    print(f"{count} recordings in {directory}")


def recordings(directory):
    """All but the large ones."""
    return [path for path in sorted(pathlib.Path(directory).rglob("*.mgram"))
            if "large" not in path.parts]
