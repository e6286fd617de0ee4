"""Every label of the corpus against `mallogram leaks`: kind, blocks, bytes and line.

  corpus_test.py                     as the meson test runs it
  CORPUS=all                         also as the optimizer leaves the programs, and in
                                     the mode that looks only at exits
  CORPUS=rest                        only what the short run leaves out
  corpus_test.py --only NAME,…       those programs
  corpus_test.py --plant FROM:TO     with a scanner that says TO where it should say
                                     FROM: must fail, or the labels prove nothing

Beside the labels each report must add up: its summary is the sum of its records, each
indirect block is charged to one head, and what is reachable or possible says why.
"""

import collections
import json
import os
import resource
import sys
import tempfile
import unittest

import corpus
import harness

ALL = os.environ.get("CORPUS") in ("all", "rest")
REST = os.environ.get("CORPUS") == "rest"
# At -O2 too, even in the short run: where leftovers of pointers make the difference.
BOTH_LEVELS = {"dead_frames", "dead_main", "fibers", "juliet_flows", "juliet_types",
               "live_main", "lost_cycles", "lost_list", "ownership", "plugins",
               "pointer_idioms", "thread_registers", "thread_stacks", "threads_ended"}
ONLY, PLANT = None, None


def leaks(program, level, run, mode="full"):
    """(exit status, report) of `mallogram leaks`."""
    with tempfile.TemporaryDirectory(prefix="corpus-") as directory:
        out = os.path.join(directory, "leaks.json")
        result = harness.command(
            "leaks", "--json=" + out, "--leak-check", mode, "--", program.path(level),
            *run.arguments, cwd=directory, stdout=harness.subprocess.DEVNULL,
            # Programs of the corpus die on purpose.
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)))
        try:
            with open(out, encoding="utf-8") as f:
                return result.returncode, harness.whole_leaks(f.read())
        except OSError:
            return result.returncode, {"error": result.stderr.decode(errors="replace")}


def ranks(report):
    """Index of a process in the report → its place in the order of births."""
    order = sorted(range(len(report["processes"])),
                   key=lambda i: report["processes"][i]["pid"])
    return {index: rank for rank, index in enumerate(order)}


def found(program, report):
    """Founds of all records that are not suppressed."""
    rank = ranks(report)
    result = []
    for record in report["records"]:
        if record["suppressed"]:
            continue
        kind = "reachable" if record["kind"] == "growth" else record["kind"]
        file, line = corpus.place(program, [(f["file"], f["line"])
                                            for f in record["stack"]])
        result.append(corpus.Found(rank[record["process"]], planted(kind),
                                   record["blocks"], record["bytes"], file, line or 0))
    return result


def planted(kind):
    return PLANT[1] if PLANT and kind == PLANT[0] else kind


def contradictions(report):
    """What does not add up in a report."""
    wrong = []
    sums = collections.Counter()
    charged, indirect = collections.Counter(), collections.Counter()
    for record in report["records"]:
        kind = record["kind"]
        if not record["suppressed"]:
            sums[kind, "blocks"] += record["blocks"]
            sums[kind, "bytes"] += record["bytes"]
        if kind in ("definite", "indirect"):
            charged[record["process"]] += record["indirect_blocks"]
        if kind == "indirect":
            indirect[record["process"]] += record["blocks"]
        if kind in ("possible", "reachable") and not record["why"]:
            wrong.append(f"a {kind} record does not say why")
        if kind == "possible" and not record["interior_offset"] and \
                not record["way"] and record["pointer"] != "interior":
            wrong.append(f"a possible record without an interior pointer: {record['why']}")
    for kind in corpus.KINDS:
        for unit in ("blocks", "bytes"):
            if report["summary"][kind][unit] != sums[kind, unit]:
                wrong.append(f"summary says {report['summary'][kind][unit]} {unit} "
                             f"{kind}, records {sums[kind, unit]}")
    for process in charged | indirect:
        if charged[process] != indirect[process]:
            wrong.append(f"{indirect[process]} indirect blocks, {charged[process]} "
                         "charged to heads")
    return wrong


def jobs():
    for program in corpus.programs(ONLY):
        for level in corpus.LEVELS:
            short = level == "O0" or program.name in BOTH_LEVELS
            if not short and not ALL:
                continue
            for run in program.runs:
                if not short or not REST:
                    yield program, level, run, "full"
                if ALL and run.status >= 0:
                    yield program, level, run, "exit"


def judge(program, level, run, mode):
    """What is wrong with one run, in lines."""
    what = " ".join([f"{program.name}_{level}", *run.arguments,
                     *(["in mode " + mode] if mode != "full" else [])])
    status, report = leaks(program, level, run, mode)
    wanted = 128 - run.status if run.status < 0 else run.status
    wrong = []
    if status != wanted:
        wrong.append(f"ended with {status} instead of {wanted}")
    if "error" in report:
        wrong.append(f"no report: {report['error']}")
    else:
        wrong += corpus.problems(program, found(program, report))
        wrong += contradictions(report)
    return [f"{what}: {text}" for text in wrong]


class Corpus(unittest.TestCase):
    maxDiff = None

    def test_labels(self):
        wrong = [line for lines in corpus.each(jobs(), judge) for line in lines]
        self.assertEqual(wrong, [], "\n" + "\n".join(wrong))

    def test_suppressed(self):
        """Trap 1: the two are there, counted, under their own names."""
        program, = corpus.programs({"output_buffers"})
        _, report = leaks(program, "O0", program.runs[0])
        names = {r["suppressed"]: r["bytes"] for r in report["records"]
                 if r["suppressed"]}
        # 71 KiB of gcc 12's, 72 KiB of gcc 14's.
        self.assertIn(names.get("libstdc++: emergency pool for exceptions"),
                      (72704, 73728), names)
        self.assertGreaterEqual(len(names), 2, names)
        self.assertEqual(report["summary"]["suppressed"]["bytes"],
                         sum(r["bytes"] for r in report["records"] if r["suppressed"]))


class Labels(unittest.TestCase):
    """A scanner that errs at any one label fails."""

    def perfect(self, program):
        return [corpus.Found(process, sorted(allowed)[0], blocks, 8 * blocks if size is None else size,
                             file, line)
                for (process, file, line), entries in program.labels.items()
                for allowed, blocks, size in entries or ()]

    def test_each_label_can_fail(self):
        labels = 0
        for program in corpus.programs():
            perfect = self.perfect(program)
            self.assertEqual(corpus.problems(program, perfect), [])
            for i, group in enumerate(perfect):
                labels += 1
                entries = program.labels[group[0], group.file, group.line]
                others = [kind for kind in corpus.KINDS
                          if not any(kind in allowed for allowed, _, _ in entries)]
                wrong = [group._replace(kind=kind) for kind in others]
                wrong += [group._replace(blocks=group.blocks + 1),
                          group._replace(line=100000), group._replace(file="")]
                if all(size is not None for _, _, size in entries):
                    wrong.append(group._replace(bytes=group.bytes + 1))
                for one in wrong:
                    founds = [*perfect[:i], one, *perfect[i + 1:]]
                    if one.file == "" and one.kind == "reachable":
                        continue  # and missing, which the next line shows
                    self.assertNotEqual(corpus.problems(program, founds), [], one)
                self.assertNotEqual(
                    corpus.problems(program, [*perfect[:i], *perfect[i + 1:]]), [], group)
        self.assertGreater(labels, 300)

    def test_none_can_fail(self):
        for program in corpus.programs():
            for (process, file, line), entries in program.labels.items():
                if entries == []:
                    one = corpus.Found(process, "definite", 1, 8, file, line)
                    self.assertNotEqual(
                        corpus.problems(program, [*self.perfect(program), one]), [])


if __name__ == "__main__":
    for option in ("--only", "--plant"):
        if option in sys.argv:
            at = sys.argv.index(option)
            value = sys.argv[at + 1]
            del sys.argv[at:at + 2]
            if option == "--only":
                ONLY = set(value.split(","))
            else:
                PLANT = value.split(":")
    harness.main()
