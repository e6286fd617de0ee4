"""Memcheck and LeakSanitizer over the labelled programs: a table of who agrees with
the labels, and every difference explained.

  reference.py           the programs as written, one way to run each, without the slow
  REFERENCE=all          all of them, and as the optimizer leaves them
  reference.py --table   prints the table alone (Markdown)

What a tool says otherwise than the labels must match a line of DIFFERENCES, and each
line there must be needed: the labels are the truth only as long as nobody of repute
disagrees without a known reason.
"""

import os
import re
import sys
import unittest

import corpus
import harness
import peers

ALL = os.environ.get("REFERENCE") == "all"
# Many blocks or much address space: half a minute under Memcheck.
SLOW = {"deep_lists", "million_lost", "sparse_mapping"}

INHERITED = ("the child's copies of blocks that its parent allocated are counted as the "
             "child's leaks")
NO_REPORT = "it reports from a handler of exit, which this ending does not run"
NO_ROOTS = "mappings that the program made itself are no roots"
NO_HEAD = "blocks of a lost cycle are all indirect: nothing is at its head"
STALE = "copies in dead frames, which exit's frames cover, count as pointers"
ONE_BYTE = "a block of no bytes counts as one byte"
LATER = "it has reported before later handlers and destructors lose anything"

# (tool, program, what it says, why)
DIFFERENCES = [
    ("memcheck", "daemon", r"not in the labels", INHERITED),
    ("memcheck", "fork_child", r"in child: .*not in the labels", INHERITED),
    ("memcheck", "killed", r"right is: unclassified",
     "raise(SIGKILL) in the program itself is seen and waits for its check; from "
     "outside, it is not"),
    ("memcheck", "library_holders", r"c:\d+ in it: definite 1 blocks 11 bytes",
     "before it looks, it makes the C library free what that owns, here `environ`"),
    ("memcheck", "page_allocators", r"right is", "it ends the program at pvalloc"),
    ("memcheck", "plugins", r"plugin_third.*possible 2 blocks",
     "a thread's TLS hangs on its vector of modules, which the C library points past "
     "the start of: so that is possible, and all of another thread's dynamic TLS"),
    ("memcheck", "pointer_idioms", r"possible 1 blocks 208 bytes",
     "a count of 16 bytes before elements aligned to 16 is not among its idioms"),
    ("memcheck", "pointer_idioms", r"possible 1 blocks 271 bytes",
     "nor are blocks aligned by hand"),
    ("memcheck", "thread_exits", r"possible 1 blocks 272 bytes",
     "the vector of modules of a living thread, see plugins"),
    ("memcheck", "thread_registers", r"possible 1 blocks 272 bytes",
     "the vector of modules of a living thread, see plugins"),
    ("memcheck", "deep_lists", r"deep_lists",
     "under it blocks have low addresses, which hashes of symbol versions in the "
     "dynamic linker's memory happen to equal (who_points_at)"),
    ("memcheck", "million_lost", r"possible 2 blocks",
     "low addresses, see deep_lists"),

    ("lsan", "big_chunks", r"definite 3 blocks 276", NO_ROOTS),
    ("lsan", "fibers", r"definite 1 blocks 44", NO_ROOTS),
    ("lsan", "mappings", r"definite", NO_ROOTS),
    ("lsan", "protected_page", r"definite", NO_ROOTS),
    ("lsan", "sparse_mapping", r"definite 1 blocks 99", NO_ROOTS),
    ("lsan", "containers", r"indirect", NO_HEAD),
    ("lsan", "deep_lists", r"indirect 100000", NO_HEAD),
    ("lsan", "lost_cycles", r"indirect", NO_HEAD),
    ("lsan", "shared_ptr_cycle", r"indirect 2 blocks", NO_HEAD),
    ("lsan", "daemon", r"", INHERITED + "; and _exit runs no handler"),
    ("lsan", "fork_child", r"in child", INHERITED),
    ("lsan", "endings", r"none; right is", NO_REPORT),
    ("lsan", "signal_stack", r"none; right is", NO_REPORT),
    ("lsan", "uncaught", r"none; right is", NO_REPORT),
    ("lsan", "dead_frames", r"definite 39\d blocks", STALE),
    ("lsan", "dead_main", r"definite 49\d blocks", STALE),
    ("lsan", "juliet_flows", r"definite 1 blocks 123", STALE),
    ("lsan", "live_main", r"definite 9\d blocks", STALE),
    ("lsan", "lost_list", r"indirect 1\d blocks", STALE),
    ("lsan", "thread_stacks", r"definite 14\d blocks", STALE),
    ("lsan", "ownership", r"definite 2 blocks 64",
     "the freed array of pointers has been used again by a block that keeps them"),
    ("lsan", "failed_realloc", r"none; right is",
     "realloc has forgotten the old block when it refuses the new one"),
    ("lsan", "late_frees", r"none; right is", LATER),
    ("lsan", "static_objects", r"none; right is", LATER),
    ("lsan", "zero_sizes", r"1 bytes; right is: definite 1 blocks 0 bytes", ONE_BYTE),
    ("lsan", "plugins", r"",
     "what unloaded plug-ins lost is called by the names of the one that lies there now"),
]
# What the optimizer, or the day, makes come and go.
SOMETIMES = {STALE, LATER, DIFFERENCES[10][3], DIFFERENCES[11][3], NO_HEAD}
TOOLS = {"memcheck": (peers.memcheck, corpus.KINDS),
         "lsan": (peers.lsan, ("definite", "indirect"))}


def levels():
    return corpus.LEVELS if ALL else corpus.LEVELS[:1]


def judged(tool):
    """[(program, level, run, problems)] of all programs."""
    look, known = TOOLS[tool]
    jobs = [(program, level, run) for program in corpus.programs() for level in levels()
            for run in program.runs
            if ALL or program.name not in SLOW and run is program.runs[0]]

    def one(program, level, run):
        _, found = look(program, level, run, harness.clean_env())
        return program, level, run, corpus.problems(program, found, known)
    return corpus.each(jobs, one)


def explained(tool, program, problem):
    """The numbers of the lines of DIFFERENCES that say why."""
    return [i for i, (t, name, pattern, _) in enumerate(DIFFERENCES)
            if t == tool and name == program and re.search(pattern, problem)]


def table():
    """Markdown: a line a program, and the reasons below."""
    verdicts = {tool: {} for tool in TOOLS}
    reasons = {}
    for tool in TOOLS:
        for program, _, _, problems in judged(tool):
            notes = verdicts[tool].setdefault(program.name, set())
            for problem in problems:
                found = explained(tool, program.name, problem)
                text = DIFFERENCES[found[0]][3] if found else "not explained: " + problem
                notes.add(reasons.setdefault(text, len(reasons) + 1))
    lines = ["| program | Memcheck | LeakSanitizer | of |", "|---|---|---|---|"]
    heads = {program.name: program.head for program in corpus.programs()}
    for name in verdicts["memcheck"]:
        cells = [", ".join(map(str, sorted(verdicts[tool][name]))) for tool in TOOLS]
        lines.append(f"| {name} | {cells[0] and 'no: ' + cells[0] or 'yes'} | "
                     f"{cells[1] and 'no: ' + cells[1] or 'yes'} | {heads[name]} |")
    lines.append("")
    lines += [f"{number}. {text}" for text, number in reasons.items()]
    agree = {tool: sum(not notes for notes in by.values())
             for tool, by in verdicts.items()}
    lines.append(f"\n{len(verdicts['memcheck'])} of {len(heads)} programs; agree with all "
                 f"labels: Memcheck {agree['memcheck']}, LeakSanitizer {agree['lsan']}"
                 + ("" if ALL else f" (not run: {', '.join(sorted(SLOW))})"))
    return "\n".join(lines)


class Reference(unittest.TestCase):
    def check(self, tool):
        used, unexplained = set(), []
        for program, level, run, problems in judged(tool):
            for problem in problems:
                reasons = explained(tool, program.name, problem)
                used.update(reasons)
                if not reasons:
                    unexplained.append(f"{program.name}_{level} "
                                       f"{' '.join(run.arguments)}: {problem}")
        self.assertEqual(unexplained, [], "\n".join(unexplained))
        unneeded = [difference[:3] for i, difference in enumerate(DIFFERENCES)
                    if difference[0] == tool and i not in used and
                    difference[3] not in SOMETIMES and
                    (ALL or difference[1] not in SLOW)]
        self.assertEqual(unneeded, [], "differences that there are none of any more")

    @unittest.skipIf(peers.memcheck_program() is None, "valgrind is not installed")
    def test_memcheck(self):
        self.check("memcheck")

    @unittest.skipUnless(os.path.exists(peers.LSAN_LIBRARY), "liblsan0 is not installed")
    def test_lsan(self):
        self.check("lsan")


if __name__ == "__main__":
    if "--table" in sys.argv:
        print(table())
    else:
        harness.main()
