"""Against the truth: allocations known by construction are reported exactly.

tests/programs/truth.cc at 1, 2, 4 and 16 threads: every count, size, live and
temporary block, and what each function held at the peak. TRUTH_RUNS says how
often (3; the slow suite 100).
"""

import os

import accounts
import harness

RUNS = int(os.environ.get("TRUTH_RUNS", "3"))
ROUNDS = int(os.environ.get("TRUTH_ROUNDS", "60"))


class Truth(harness.Case):
    def check(self, threads, run):
        directory = self.dir / f"{threads}-{run}"
        directory.mkdir()
        truth_file = directory / "truth"
        truth_file.touch()
        result = self.record([accounts.program("truth"), threads, ROUNDS], cwd=directory,
                             env=harness.clean_env(TRUTH_FILE=truth_file))
        self.assertEqual(result.stdout, b"done\n")
        [truth] = accounts.read_truth(truth_file)
        # The account itself, against what its source says.
        rounds = threads * ROUNDS
        for function, calls in (("SiteTemporary", 3 * rounds), ("SiteChain", 10 * rounds),
                                ("SiteHanded", 4 * rounds), ("SiteKept", 4 * threads),
                                ("SiteHandedMoved", threads * (4 * ROUNDS // 3)),
                                ("SitePeak", 1)):
            self.assertEqual(truth["sites"][function]["calls"], calls, function)
        report = harness.report(self.trace(directory))
        found = accounts.differences(truth, report, accounts.EXACT)
        found += accounts.inconsistencies(report)
        peak = sum(site["peak_bytes"] for site in truth["sites"].values())
        # What the libc allocates for itself comes on top: buffers, thread vectors.
        over = report["totals"]["peak_heap_bytes"] - peak
        if not 0 <= over < 200_000:
            found.append(f"peak_heap_bytes exceeds the accounts by {over}")
        self.assertEqual(found, [], f"{threads} threads, run {run}")

    def runs(self, threads):
        for run in range(RUNS):
            self.check(threads, run)

    def test_1_thread(self):
        self.runs(1)

    def test_2_threads(self):
        self.runs(2)

    def test_4_threads(self):
        self.runs(4)

    def test_16_threads(self):
        self.runs(16)


if __name__ == "__main__":
    harness.main()
