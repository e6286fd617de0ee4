"""Sampling: estimates against a heap whose totals are known.

tests/programs/sampled.cc is recorded SAMPLED_RUNS times (20; the slow suite 200) with
another seed each time. Of every site and figure the mean estimate must be the truth
within its standard error, and the 95 % intervals must hold the truth as often as they
say: neither less, nor (where there are enough samples to be wrong) always.
"""

import json
import math
import os
import pathlib
import statistics

import jsonschema

import accounts
import harness

RUNS = int(os.environ.get("SAMPLED_RUNS", "20"))
INTERVAL = 64 << 10
FIELDS = ("calls", "bytes_allocated", "live_blocks", "live_bytes", "peak_bytes")
# The most that a site without a sample may hold: 97.5 % to the left.
UNSEEN = 3.69 * INTERVAL
SCHEMA = pathlib.Path(__file__).parents[2] / "analyzer" / "report" / "report.schema.json"


class Sampled(harness.Case):
    def sample(self, seed, size="64KiB"):
        """(accounts, report) of one run."""
        trace, truth = self.dir / "t.mgram", self.dir / "truth"
        truth.write_text("")
        self.record([accounts.program("sampled")], "-q", "-o", trace, "--sample", size,
                    env=harness.clean_env(TRUTH_FILE=truth, MALLOGRAM_SAMPLE_SEED=seed))
        [account] = accounts.read_truth(truth)
        return account["sites"], harness.report(trace)

    def sites(self, report, functions):
        """{function: its one site}"""
        found = {}
        for site in report["sites"]:
            for frame in site["stack"]:
                self.assertNotIn("libmallogram", frame["module"] or "",
                                 "a frame of the recorder's own")
            function = accounts.counted_function(site, functions)
            if function is not None:
                self.assertNotIn(function, found, "two sites of one function")
                found[function] = site
        return found

    def check_report(self, report):
        totals = report["totals"]
        self.assertEqual(totals["allocations"] - totals["frees"], totals["live_blocks"])
        for field in ("events_lost", "order_violations", "damaged_chunks"):
            self.assertEqual(report["loss"][field], 0, field)
        self.assertEqual(totals["unknown_frees"], 0)
        self.assertEqual(report["sampling"]["interval_bytes"], INTERVAL)
        self.assertEqual(report["sampling"]["samples"],
                         sum(site["samples"] for site in report["sites"]))
        for total, field in (("allocations", "calls"), ("live_bytes", "live_bytes"),
                             ("bytes_allocated", "bytes_allocated"),
                             ("peak_heap_bytes", "peak_bytes")):
            of_sites = sum(site[field] for site in report["sites"])
            self.assertAlmostEqual(of_sites, totals[total], delta=len(report["sites"]))
        for site in report["sites"]:
            for field, (low, high) in site["intervals"].items():
                # Outwards, and the estimate is rounded.
                self.assertTrue(low - 1 <= site[field] <= high + 1, (field, site))

    def test_estimates_and_intervals(self):
        estimates, covered = {}, {}
        truth = None
        for seed in range(1, RUNS + 1):
            truth, report = self.sample(seed)
            self.check_report(report)
            sites = self.sites(report, truth.keys())
            for function, account in truth.items():
                site = sites.get(function)
                for field in FIELDS:
                    if field not in account:
                        continue
                    key = function, field
                    estimates.setdefault(key, []).append(site[field] if site else 0)
                    if site is not None:
                        low, high = site["intervals"][field]
                    elif "bytes" in field:
                        low, high = 0, UNSEEN
                    else:  # no sample, no size, no statement
                        continue
                    covered.setdefault(key, []).append(low <= account[field] <= high)
        self.check_means(truth, estimates)
        self.check_coverage(truth, covered)

    def check_means(self, truth, estimates):
        wrong = []
        for (function, field), values in estimates.items():
            expected = truth[function][field]
            error = statistics.stdev(values) / math.sqrt(len(values))
            # A count is rounded to a whole number in each run.
            off = max(0, abs(statistics.mean(values) - expected) - 0.5)
            if off > 5 * error:
                wrong.append(f"{function} {field}: {statistics.mean(values):.0f}, not "
                             f"{expected} +- {error:.0f}")
        self.assertEqual(wrong, [])

    def check_coverage(self, truth, covered):
        lines, wrong, all_of_them = [], [], []
        for (function, field), hits in sorted(covered.items()):
            share = sum(hits) / len(hits)
            lines.append(f"{function:12} {field:16} {share:6.1%} of {len(hits)}")
            all_of_them += hits
            # Four standard errors below 95 %: never by chance, among sixty.
            if share < 0.95 - 4 * math.sqrt(0.95 * 0.05 / len(hits)):
                wrong.append(lines[-1])
        share = sum(all_of_them) / len(all_of_them)
        lines.append(f"all: {share:.2%} of {len(all_of_them)}")
        print("\n".join(lines), flush=True)
        self.assertEqual(wrong, [])
        self.assertGreater(share, 0.945 if RUNS >= 100 else 0.93)
        # Small blocks, enough of them: intervals that are never wrong are too wide.
        if RUNS >= 100:
            for function in ("SiteTiny", "SiteSmall", "SiteZeroed"):
                hits = covered[function, "bytes_allocated"]
                self.assertLess(sum(hits) / len(hits), 0.995, function)

    def test_reading_without_footer(self):
        """The reader's fold of the events says what the collector's says."""
        truth, report = self.sample(7)
        trace = self.dir / "t.mgram"
        cut = self.dir / "cut.mgram"
        data = trace.read_bytes()
        cut.write_bytes(data[:-24])  # no trailer, so no index; the summary is found
        info = json.loads(harness.command("info", "--json", trace, check=True).stdout)
        self.assertEqual(info["sample_interval_bytes"], INTERVAL)
        # Without the summary chunk, too: cut where it begins.
        summary = data.rindex(b"MGCK", 0, data.rindex(b"MGCK"))
        cut.write_bytes(data[:summary])
        again = harness.report(cut)
        key = lambda site: site["id"]
        for one, other in zip(sorted(report["sites"], key=key),
                              sorted(again["sites"], key=key)):
            one.pop("lifetime_s"), other.pop("lifetime_s")
            self.assertEqual(one, other)
        self.assertEqual(report["sampling"], again["sampling"])
        self.assertEqual(report["sizes"], again["sizes"])

    def valid(self, *traces):
        jsonschema.Draft7Validator(json.loads(SCHEMA.read_text())).validate(
            harness.printed_report(*traces))

    def test_reports(self):
        """JSON as its schema says; in text nothing but estimates that say so."""
        _, report = self.sample(11)
        self.valid(self.dir / "t.mgram")
        for entry in [report["totals"], *report["sites"], *report["sizes"]]:
            self.assertIsNone(entry.get("temporary", entry.get("temporary_allocations")))
            self.assertIsNone(entry.get("reallocations"))
        trace = self.dir / "t.mgram"
        text = harness.command("report", trace, check=True).stdout.decode()
        samples = report["sampling"]["samples"]
        self.assertIn(f"Sampled: one in 64.0 KiB, {samples:,} blocks; all figures are "
                      "estimates, with 95 % intervals", text)
        self.assertRegex(text, r"Peak heap +[\d.]+ MiB +[\d.]+ MiB to [\d.]+ MiB; in ")
        self.assertRegex(" ".join(text.split()),
                         r" [\d.]+ MiB \([\d.]+ MiB to [\d.]+ MiB\) in [^;]*;[^;]*; [\d,]+ sampled ")
        for word in ("Temporary", "Reallocations"):
            self.assertNotIn(word, text)
        calls = harness.command("report", "--by", "calls", trace, check=True).stdout
        self.assertRegex(calls.decode(), r"[\d,]+ calls \([\d,]+ to [\d,]+\); ")
        self.assertIn(b"one block in 64.0 KiB allocated; figures are estimates",
                      harness.command("info", trace, check=True).stdout)
        summary = self.record([accounts.program("sampled")], "-o", trace, "--sample",
                              "65536").stderr.decode()
        self.assertRegex(summary, r"sampled +one in 64.0 KiB, [\d,]+ blocks; estimates "
                                  r"with 95 % intervals\n")
        self.assertRegex(summary, r"allocated +[\d.]+ MiB \([\d.]+ MiB to [\d.]+ MiB\)")
        for word in ("temporary", "reallocation"):
            self.assertNotIn(word, summary)
        # With a recording that is not sampled: still estimates.
        self.record(["/bin/true"], "-q", "-o", self.dir / "whole.mgram")
        both = harness.report(trace, self.dir / "whole.mgram")
        self.valid(trace, self.dir / "whole.mgram")
        self.assertEqual(both["sampling"]["interval_bytes"], INTERVAL)
        self.assertEqual([p["sample_interval_bytes"] for p in both["processes"]],
                         [INTERVAL, None])

    def test_everything_at_interval_one(self):
        for size in ("0", "1", "1B"):
            with self.subTest(size=size):
                truth, report = self.sample(1, size)
                self.assertIsNone(report["sampling"])
                whole = {"role": "sampled", "sites": truth}
                self.assertEqual(accounts.differences(
                    whole, report, accounts.COUNTS + ("peak_bytes",)), [])

    def test_children_have_their_own(self):
        """A forked child frees its parent's blocks, which are not its own; a child's
        blocks are not its parent's; an exec keeps the option."""
        program = harness.compile_c(self.dir, "forks", """
            #include <stdlib.h>
            #include <sys/wait.h>
            #include <unistd.h>
            static void* blocks[2000];
            static void fill(void) { for (int i = 0; i < 2000; i++) blocks[i] = malloc(4000); }
            static void drain(void) { for (int i = 0; i < 2000; i++) free(blocks[i]); }
            int main(int argc, char** argv) {
              fill();
              if (fork() == 0) {
                drain(); fill();
                if (argc == 1) execl(argv[0], argv[0], "again", (char*)0);
                _exit(0);
              }
              wait(0);
              drain();
              return 0;
            }""")
        self.record([program], "-q", "-o", str(self.dir) + "/traces/", "--sample", "16K")
        reports = [r for rs in accounts.reports_by_pid(self.dir / "traces").values()
                   for r in rs]
        # Parent; its child; what that executes; its child.
        self.assertEqual(len(reports), 4)
        live = 0
        for report in reports:
            self.assertEqual(report["sampling"]["interval_bytes"], 16384)
            self.assertEqual(report["totals"]["unknown_frees"], 0)
            low, high = report["sampling"]["intervals"]["bytes_allocated"]
            self.assertTrue(low * 0.5 < 8_000_000 < high * 2, report["sampling"])
            live += report["totals"]["live_bytes"] > 4_000_000
        self.assertEqual(live, 2)  # the children's, which end with all alive

    def test_bad_sizes_are_refused(self):
        for size in ("", "x", "12parsec", "-1", "99999999999999999999", "2000GiB", "KiB",
                     "1KiB1"):
            with self.subTest(size=size):
                result = harness.record(["/bin/true"], "--sample", size, cwd=self.dir)
                self.assertEqual(result.returncode, 125)
                self.assertIn(b"--sample needs a size such as 512KiB", result.stderr)
                self.assertEqual(result.stderr.count(b"\n"), 1)

    def test_temporary_is_refused(self):
        self.sample(3)
        result = harness.command("report", "--by", "temporary", self.dir / "t.mgram")
        self.assertEqual(result.returncode, 2)
        self.assertIn(b"a sampled recording cannot tell", result.stderr)


if __name__ == "__main__":
    harness.main()
