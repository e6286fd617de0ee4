"""Whole sweeps: what is run, in which order, and what is left in the directory."""

import json
import os

import harness
from grow import Case


class Runs(Case):
    def test_replicates_in_turns_after_a_warm_up(self):
        self.sweep("--param", "n=300,10,1k", "--reps", "2", "--warm-up", "--",
                   self.grow, "{n}")
        self.assertEqual(self.starts(),
                         ["10", "10", "300", "1000", "10", "300", "1000"])
        self.assertEqual(self.runs(), [f"n={n},rep={r}" for n in (10, 1000, 300)
                                       for r in (1, 2)])
        for run in self.runs():
            directory = self.path("grow.sweep") / run
            n = int(run[2:run.index(",")])
            self.assertEqual((directory / "stdout").read_text(), f'{{"n": {n}}}\n')
            self.assertEqual((directory / "stderr").read_text(), f"phase done {n}.5\n")
            facts = json.loads((directory / "run.json").read_text())
            self.assertEqual((facts["n"], facts["exit_status"]), (n, 0))
            self.assertEqual(facts["command"], [self.grow, str(n)])
            totals = harness.totals(directory / "program.mgram")
            self.assertGreaterEqual(totals["peak_heap_bytes"], n * 108)
            self.assertLess(totals["peak_heap_bytes"], n * 108 + 20000)
        manifest = self.manifest()
        self.assertEqual(manifest["plan"]["sizes"], ["10", "300", "1000"])
        self.assertEqual([r["directory"] for r in manifest["runs"]],
                         [f"n={n},rep={r}" for n in (10, 300, 1000) for r in (1, 2)])
        self.assertEqual(manifest["machine"]["host"], os.uname().nodename)
        self.assertEqual(sorted(os.listdir(self.path("grow.sweep"))),
                         self.runs() + ["sweep.json"])

    def test_a_finished_sweep_is_only_reported(self):
        args = ["--param", "n=10,20", "--", self.grow, "{n}"]
        first = self.sweep(*args)
        again = self.sweep(*args)
        self.assertEqual(len(self.starts()), 2)
        self.assertEqual(self.sweep("grow.sweep").stdout, again.stdout)
        self.assertEqual(first.stdout, again.stdout)
        # Without a terminal, only results are printed.
        self.assertEqual(first.stderr + again.stderr, b"")

    def test_more_sizes_and_replicates_later(self):
        command = ["--", self.grow, "{n}"]
        self.sweep("--param", "n=10,20", *command)
        self.sweep("--param", "n=10,15,20", *command)
        self.assertEqual(self.starts(), ["10", "20", "15"])
        self.sweep("--param", "n=10,15,20", "--reps=2", *command)
        self.assertEqual(self.starts()[3:], ["10", "15", "20"])
        self.refuses("--param", "n=10,20", "--reps=2", *command, status=2,
                     says=["holds runs of n=15", "--fresh", "-o DIR"])
        self.refuses("--param", "n=10,15,20", *command, status=2,
                     says="holds 2 replicates of each size, not 1")
        self.sweep("--param", "n=10,20", "--fresh", *command)
        self.assertEqual(self.runs(), ["n=10,rep=1", "n=20,rep=1"])

    def test_jobs_run_at_once(self):
        # Each waits until all four have been started: one at a time would hang.
        result = self.sweep("--param", "n=10,20,30,40", "-j4", "-o", "par", "--",
                            self.grow, "{n}", "meet", "4")
        self.assertEqual(len(self.runs("par")), 4)
        self.assertIn(b"heap figures stay exact", result.stderr)

    def test_one_job_means_one_at_a_time(self):
        # The second of two would have to be started before the first has ended.
        self.sweep("--param", "n=10,20", "--", "sh", "-c",
                   "[ ! -e busy ] && touch busy && sleep 0.2 && rm busy # {n}")

    def test_ranges_and_other_names(self):
        self.sweep("--param", "size=1..1000:4", "--", self.grow, "{size}")
        self.assertEqual(self.starts(), ["1", "10", "100", "1000"])
        self.assertIn("size=100,rep=1", self.runs())

    def test_braces(self):
        self.sweep("--param", "n=5,6", "--define", "word=x y", "--reps", "2", "--",
                   "awk", 'BEGIN {print "{n}/{word}/{rep}/{}/{m}"; print 1 > "{dir}/out"}')
        directory = self.path("awk.sweep/n=6,rep=2")
        self.assertEqual((directory / "stdout").read_text(), "6/x y/2/{}/{m}\n")
        self.assertEqual((directory / "out").read_text(), "1\n")

    def test_standard_input(self):
        for n in (3, 4):
            self.path(f"in-{n}").write_text("line\n" * n)
        self.sweep("--param", "n=3,4", "--stdin", "in-{n}", "--", "wc", "-l")
        self.assertEqual(self.path("wc.sweep/n=4,rep=1/stdout").read_text(), "4\n")
        self.sweep("--param", "n=3,4", "-o", "none", "--", "sh", "-c", "wc -c # {n}")
        self.assertEqual(self.path("none/n=4,rep=1/stdout").read_text(), "0\n")

    def test_recordings_of_children(self):
        self.sweep("--param", "n=5,6", "--", "sh", "-c", f"{self.grow} {{n}}; :")
        files = sorted(p.name for p in self.path("sh.sweep/n=5,rep=1").glob("*.mgram"))
        self.assertEqual(len(files), 2)
        self.assertRegex(files[0], r"^program\.grow\.\d+\.mgram$")
        self.assertEqual(files[1], "program.mgram")

    def test_record_options_are_passed_on(self):
        self.sweep("--param", "n=100,20000", "--sample", "4K", "--", self.grow, "{n}")
        report = harness.report(self.path("grow.sweep/n=20000,rep=1/program.mgram"))
        self.assertEqual(report["sampling"]["interval_bytes"], 4096)
        self.refuses("--param", "n=100,20000", "--", self.grow, "{n}", status=2,
                     says="recorded with the options `--sample=4K`, not none")

    def test_a_changed_program_is_noticed(self):
        args = ["--param", "n=10,20", "--", self.grow, "{n}"]
        self.sweep(*args)
        os.utime(self.grow, (1, 1))
        self.refuses(*args, status=2, says=["grow was changed on", "--fresh"])
        self.sweep("--fresh", *args)
        self.assertEqual(self.starts(), ["10", "20", "10", "20"])

    def test_a_changed_input_is_noticed_and_output_is_none(self):
        self.path("in").write_text("a")
        args = ["--param", "n=1,2", "--", "sh", "-c", 'cat "$0" > "$1" # {n}', "in", "out"]
        self.path("out").write_text("")
        self.sweep(*args)
        self.sweep(*args)
        self.path("in").write_text("other")
        self.refuses(*args, status=2, says="in was changed on")

    def test_verbose_tells_every_run(self):
        result = self.sweep("--param", "n=1,2", "-v", "--reps", "2", "--", self.grow,
                            "{n}")
        lines = result.stderr.decode().splitlines()
        self.assertEqual(len(lines), 4)
        self.assertRegex(lines[3], r"^n=2 \(replicate 2 of 2\): \d")

    def test_a_sweep_can_be_moved(self):
        args = ["--param", "n=1,2", "--", self.grow, "{n}"]
        self.sweep(*args)
        os.rename(self.path("grow.sweep"), self.path("elsewhere"))
        self.sweep("elsewhere")
        self.sweep("-o", "elsewhere", *args)
        self.assertEqual(len(self.starts()), 2)


if __name__ == "__main__":
    harness.main()
