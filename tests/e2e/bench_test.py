"""tools/bench runs, with every tool and workload that is here, and adds up.

Says nothing of how fast anything is: timings never decide a test.
"""

import json
import os
import pathlib
import subprocess

import harness

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "bench"
BUILD = pathlib.Path(os.environ.get("MALLOGRAM_PROGRAMS", "/nonexistent")).parents[1]


class Bench(harness.Case):
    def run_tool(self, *args):
        return subprocess.run([TOOL, "--build", BUILD, *args], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=150,
                              env=harness.clean_env(MALLOGRAM=harness.mallogram()))

    def test_quick(self):
        figures = self.dir / "figures.json"
        result = self.run_tool("--quick", "--only", "micro", "--only", "jq", "--markdown",
                               "--json", figures)
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        self.assertTrue(result.stdout.startswith(b"| workload |"))
        data = json.loads(figures.read_text())
        self.assertEqual([r["workload"] for r in data["results"]], ["micro", "jq"])
        for field in ("cpu", "kernel", "commit", "date", "build"):
            self.assertTrue(data["machine"][field], field)
        micro = data["results"][0]
        # A pair is two events, and the program's own start a few hundred.
        self.assertTrue(800_000 <= micro["events"] < 801_000, micro["events"])
        for tool in micro["tools"].values():
            for measure in tool.values():
                self.assertLessEqual(measure["min"], measure["median"])
                self.assertLessEqual(measure["median"], measure["max"])

    def test_unknown_workload(self):
        result = self.run_tool("--only", "nothing")
        self.assertEqual(result.returncode, 2)
        self.assertIn(b"there are micro", result.stderr)


if __name__ == "__main__":
    harness.main()
