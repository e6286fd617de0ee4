"""tools/bench runs, with every tool and workload that is here, and adds up.

Says nothing of how fast anything is: timings never decide a test.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

import harness

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "bench"
BUILD = pathlib.Path(os.environ.get("MALLOGRAM_PROGRAMS", "/nonexistent")).parents[1]

sys.path.insert(0, str(ROOT / "tools"))
from bench_lib import chart, goals, services, workloads  # noqa: E402  pylint: disable=C0413


class Bench(harness.Case):
    def run_tool(self, *args):
        return subprocess.run([TOOL, "--build", BUILD, *args], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=150,
                              env=harness.clean_env(MALLOGRAM=harness.mallogram()))

    def measure(self, *args, status=0):
        figures = self.dir / "figures.json"
        result = self.run_tool("--quick", "--json", figures, *args)
        self.assertEqual(result.returncode, status, result.stderr.decode())
        return result, json.loads(figures.read_text())

    def check_ordered(self, entry):
        self.assertLessEqual(entry["min"], entry["median"])
        self.assertLessEqual(entry["median"], entry["max"])

    def test_quick(self):
        result, data = self.measure("--only", "micro", "--only", "jq", "--only", "start",
                                    "--markdown")
        self.assertTrue(result.stdout.startswith(b"| workload |"))
        self.assertIn(b"\n| S1 |", result.stdout)
        self.assertEqual([r["workload"] for r in data["results"]], ["micro", "jq"])
        for field in ("cpu", "kernel", "commit", "date", "build"):
            self.assertTrue(data["machine"][field], field)
        micro = data["results"][0]
        # A pair is two events, and the program's own start a few hundred.
        self.assertTrue(800_000 <= micro["events"] < 801_000, micro["events"])
        self.assertGreater(micro["stored"], 0)
        self.assertEqual(micro["order_violations"], 0)
        for tool in micro["tools"].values():
            for measure in ("wall", "cpu", "whole", "other_cpu"):
                self.check_ordered(tool[measure])
            # The program runs within the tool's command.
            self.assertLessEqual(tool["wall"]["min"], tool["whole"]["min"])
        for tool in ("plain", "mallogram"):
            self.check_ordered(data["start"][tool])
        self.assertEqual([g["goal"] for g in data["goals"]], [f"S{i}" for i in range(1, 12)])
        by_name = {g["goal"]: g for g in data["goals"]}
        self.assertIsNotNone(by_name["S11"]["met"])
        for name in ("S4", "S5", "S10"):
            self.assertIsNone(by_name[name]["met"])
            self.assertEqual(by_name[name]["verdict"], "not measured")
        self.assertEqual(data["failures"], [])

    def test_rows_have_the_columns_of_their_head(self):
        result, _ = self.measure("--rounds", "1", "--only", "micro", "--markdown")
        widths = {}
        for line in result.stdout.decode().splitlines():
            if line.startswith("|"):
                widths.setdefault(line.count("|"), []).append(line)
        # Two tables: programs and goals.
        self.assertEqual(len(widths), 2, widths)

    def test_a_program_of_ones_own(self):
        _, data = self.measure("--rounds", "1", "--workload", "mine=/bin/echo 'a b' c")
        self.assertEqual([r["workload"] for r in data["results"]], ["mine"])
        self.assertGreater(data["results"][0]["events"], 0)

    def test_a_failing_workload_is_reported_and_the_others_go_on(self):
        result, data = self.measure(
            "--rounds", "1", "--workload", "broken=/bin/sh -c 'echo no luck >&2; exit 3'",
            "--workload", "fine=/bin/echo", status=1)
        self.assertEqual([r["workload"] for r in data["results"]], ["fine"])
        self.assertIn("broken under plain ended with status 3 (no luck)", data["failures"])
        self.assertIn(b"broken under plain ended with status 3", result.stderr)

    def test_refusals(self):
        for args, words in ((["--only", "nothing"], b"there are micro"),
                            (["--rounds", "0"], b"at least one"),
                            (["--workload", "nameless"], b"say NAME=COMMAND"),
                            (["--chart", "chart.pdf"], b"end with .svg or .png")):
            result = self.run_tool(*args)
            self.assertEqual(result.returncode, 2, args)
            self.assertIn(words, result.stderr)

    def test_no_build(self):
        result = subprocess.run([TOOL, "--build", self.dir], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, timeout=60, env=harness.clean_env())
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"does not exist: build first", result.stderr)

    @unittest.skipUnless(shutil.which("gnuplot"), "no gnuplot")
    def test_chart(self):
        picture = self.dir / "chart.svg"
        self.measure("--rounds", "1", "--only", "micro", "--chart", picture)
        text = picture.read_text()
        self.assertIn("micro", text)
        self.assertIn("Mallogram", text)


class Servers(harness.Case):
    """The workers of a server are recorded too."""

    def serve(self, service):
        if any(shutil.which(p, path="/usr/bin:/bin:/usr/sbin:/sbin") is None
               for p in service.needs):
            self.skipTest(f"{service.name} is not installed")
        figures = self.dir / "figures.json"
        result = subprocess.run(
            [TOOL, "--build", BUILD, "--quick", "--rounds", "1", "--only", service.name,
             "--json", figures], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=150,
            env=harness.clean_env(MALLOGRAM=harness.mallogram()))
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        [entry] = json.loads(figures.read_text())["services"]
        return entry

    def test_redis(self):
        entry = self.serve(services.Redis)
        self.assertEqual(entry["processes"], 1)
        # At least one block a request: the command's argument vector.
        self.assertGreater(entry["events"], 5_000)
        self.assertEqual(entry["order_violations"], 0)

    def test_nginx(self):
        entry = self.serve(services.Nginx)
        self.assertEqual(entry["processes"], 2)  # the master and its worker
        # The master alone makes some hundreds at its start.
        self.assertGreater(entry["events"], entry["tools"]["mallogram"]["throughput"]["min"])
        self.assertEqual(entry["order_violations"], 0)


class Handoff(harness.Case):
    """The workload of S4 knows what it allocates and frees."""

    def test_the_recording_agrees(self):
        result = harness.run([BUILD / "tests" / "programs" / "handoff", "50000", "4"],
                             check=True)
        truth = json.loads(result.stdout)
        trace = self.dir / "handoff.mgram"
        recorded = harness.command("record", "-q", "-o", trace,
                                   BUILD / "tests" / "programs" / "handoff", "50000", "4")
        self.assertEqual(json.loads(recorded.stdout), truth)
        report = harness.report(trace)
        self.assertEqual(report["loss"]["order_violations"], 0)
        self.assertEqual(report["loss"]["events_lost"], 0)
        [site] = [s for s in report["sites"]
                  if any("MakeBlock" in (f["function"] or "") for f in s["stack"])]
        self.assertEqual(site["calls"], truth["allocations"])
        self.assertEqual(site["bytes_allocated"], truth["bytes"])
        self.assertEqual(site["frees"], truth["frees"])
        self.assertEqual(site["live_blocks"], 0)


class Arithmetic(unittest.TestCase):
    def test_goals(self):
        check = goals.Check("a pair", "", 120.0, 80, " ns", 0)
        row = goals.row("S1", "text", [check])
        self.assertEqual(row["verdict"], "missed: a pair: 120 ns (1.5 × the limit)")
        self.assertIs(row["met"], False)
        check.value = 80.0
        self.assertEqual(goals.row("S1", "text", [check])["verdict"], "met")
        check.value = None
        row = goals.row("S1", "text", [check])
        self.assertEqual((row["verdict"], row["met"]), ("not measured", None))
        high = goals.Check("rate", "", 96.0, 95, " %", 0, at_least=True)
        row = goals.row("S5", "text", [high, check])
        self.assertEqual((row["verdict"], row["met"]), ("met where measured", None))

    def test_latencies_of_wrk(self):
        for text, value in (("870.00us", 0.87), ("1.25ms", 1.25), ("2.00s", 2000.0)):
            self.assertAlmostEqual(services.milliseconds(text), value)

    def test_names_are_those_of_the_workloads(self):
        names = workloads.names()
        self.assertEqual(len(names), len(set(names)))
        self.assertLessEqual({"micro", "handoff", "redis", "nginx", "reading", "start"},
                             set(names))

    def test_bars_of_nothing(self):
        self.assertEqual(chart.label(-3.0), "<0.5")
        self.assertEqual(chart.label(0.7), "0.7")
        self.assertEqual(chart.label(123.4), "123")


if __name__ == "__main__":
    harness.main()
