"""The labelled programs of the leak check, and what tools say of them.

A program's labels stand in its source (programs/leak.h has their grammar). What a
tool has found is brought into one form, `Found`s, whatever the tool; `problems` says
where it differs from the labels. Nothing here knows Mallogram.

Standard library only. MALLOGRAM_CORPUS is the directory of the built programs.
"""

import collections
import concurrent.futures
import dataclasses
import os
import pathlib
import re

SOURCES = pathlib.Path(__file__).resolve().parent / "programs"
KINDS = ("definite", "indirect", "possible", "reachable", "unclassified")
LEVELS = ("O0", "O2")

# One group of blocks: its kind, how many, which process (0 is the first one), and the
# innermost place on its stack that lies in the corpus; file "" if none does.
Found = collections.namedtuple("Found", "process kind blocks bytes file line")


@dataclasses.dataclass
class Run:
    arguments: list
    status: int  # exit status, or -N for signal N


@dataclasses.dataclass
class Program:
    name: str
    sources: list  # names of files, its own first
    runs: list
    processes: list  # names
    head: str  # the first sentence of its comment
    # {(process, file, line): [({kind, …}, blocks, bytes or None)], None for optional}
    labels: dict

    def path(self, level):
        directory = os.environ.get("MALLOGRAM_CORPUS", "")
        path = pathlib.Path(directory) / f"{self.name}_{level}"
        if not directory or not path.exists():
            raise SystemExit(f"MALLOGRAM_CORPUS={directory}: no {path.name} there; "
                             "build first")
        return str(path.resolve())


ENTRY = re.compile(rf"((?:{'|'.join(KINDS)})(?: or (?:{'|'.join(KINDS)}))*) (\d+) blocks?"
                   r"(?: (\d+) bytes)?")


def parse_label(text, processes, where):
    """(index of the process, entries)."""
    process = 0
    of_process = re.match(r"in (\w+) (.*)", text)
    if of_process:
        process = processes.index(of_process[1])
        text = of_process[2]
    if text == "optional":
        return process, None
    if text == "none":
        return process, []
    entries = []
    for part in text.split(", "):
        entry = ENTRY.fullmatch(part)
        if entry is None:
            raise ValueError(f"{where}: no label: {part!r}")
        entries.append((set(entry[1].split(" or ")), int(entry[2]),
                        None if entry[3] is None else int(entry[3])))
    return process, entries


def parse(path):
    """The program whose main source this is."""
    text = path.read_text(encoding="utf-8")
    runs = []
    for arguments, how, number in re.findall(r"^// RUN ?(.*): (exit|signal) (\d+)$", text,
                                             re.M):
        runs.append(Run(arguments.split(), -int(number) if how == "signal"
                        else int(number)))
    processes = re.search(r"^// PROCESSES (.+)$", text, re.M)
    processes = processes[1].split() if processes else ["it"]
    sources = [path.name, "threads.h"]
    for library in re.findall(r"libplugin_(\w+)\.so", text.split("#include")[0]):
        sources.append(f"plugin_{library}.c")
    labels = {}
    for source in sources:
        for number, line in enumerate(
                (path.parent / source).read_text(encoding="utf-8").splitlines(), 1):
            where = f"{source}:{number}"
            label = re.search(r"; *(?://|/\*) LEAK (.*?)(?: \*/)?$|"
                              r"\S +(?://|/\*) LEAK (.*?)(?: \*/)?$", line)
            if label is None:
                if "LEAK" in line and not line.startswith("//"):
                    raise ValueError(f"{where}: a label that is none")
                continue
            process, entries = parse_label(label[1] or label[2], processes, where)
            labels[process, source, number] = entries
    head = re.match(r"// (.*?[.])(\s|$)", text.replace("\n// ", " "))
    return Program(path.stem, sources, runs or [Run([], 0)], processes,
                   head[1] if head else "", labels)


def programs(selected=None):
    """All programs by name, or those that are selected."""
    files = sorted(p for p in SOURCES.iterdir() if p.suffix in (".c", ".cc")
                   and not p.stem.startswith("plugin_"))
    return [parse(p) for p in files if not selected or p.stem in selected]


def place(program, frames):
    """The innermost of the frames (file, line) that lies in one of its sources."""
    for file, line in frames:
        name = os.path.basename(file or "")
        if name in program.sources:
            return name, line
    return "", 0


def sums(found):
    """{(process, file, line): {kind: (blocks, bytes)}}"""
    result = collections.defaultdict(dict)
    for group in found:
        at = result[group.process, group.file, group.line]
        blocks, size = at.get(group.kind, (0, 0))
        at[group.kind] = blocks + group.blocks, size + group.bytes
    return result


def text_of(kinds):
    return ", ".join(f"{kind} {blocks} blocks {size} bytes"
                     for kind, (blocks, size) in sorted(kinds.items())) or "none"


def matches(entries, kinds, known=KINDS):
    """True if what was found at a line is what its label says, as far as a tool that
    knows only some kinds can see it."""
    if entries is None:
        return True
    kinds = dict(kinds)
    for allowed, blocks, size in entries:
        fitting = [k for k in allowed if k in kinds and kinds[k][0] == blocks and
                   size in (None, kinds[k][1])]
        if fitting:
            del kinds[fitting[0]]
        elif allowed <= set(known):
            return False
    return not kinds


def problems(program, found, known=KINDS):
    """One line of text for each place where the finds differ from the labels, as far
    as the kinds that the tool knows go."""
    result = []
    at = sums(group for group in found if group.kind in known)
    for (process, file, line), entries in sorted(program.labels.items()):
        seen = at.pop((process, file, line), {})
        if not matches(entries, seen, known):
            wanted = ", ".join(f"{' or '.join(sorted(allowed))} {blocks} blocks"
                               f"{'' if size is None else f' {size} bytes'}"
                               for allowed, blocks, size in entries) or "none"
            result.append(f"{file}:{line} in {program.processes[process]}: "
                          f"{text_of(seen)}; right is: {wanted}")
    for (process, file, line), seen in sorted(at.items()):
        if not file:  # the C library's own
            seen = {k: v for k, v in seen.items() if k != "reachable"}
        if seen:
            name = (program.processes[process] if process < len(program.processes)
                    else f"process {process}")
            result.append(f"{file or '(not in the corpus)'}:{line} in {name}: "
                          f"{text_of(seen)}; not in the labels")
    return result


def each(jobs, function, workers=2):
    """function(*job) of all jobs, in their order."""
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda job: function(*job), jobs))
