"""Against heaptrack: tools/compare finds no difference without a name.

COMPARE=all takes every command (the slow suite), else two of them.
"""

import importlib.machinery
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import unittest

import harness

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "compare"
QUICK = [] if os.environ.get("COMPARE") == "all" else ["--only", "jq", "--only", "xmllint"]


def tool_as_module():
    loader = importlib.machinery.SourceFileLoader("compare", str(TOOL))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("compare", loader))
    loader.exec_module(module)
    return module


class Compare(harness.Case):
    def test_against_heaptrack(self):
        rows = self.dir / "rows.json"
        result = subprocess.run([TOOL, *QUICK, "--json", rows], stdout=subprocess.PIPE,
                                env=harness.clean_env(MALLOGRAM=harness.mallogram()),
                                timeout=300)
        if result.returncode == harness.SKIPPED:
            self.skipTest("heaptrack is not installed")
        print(result.stdout.decode(), file=sys.stderr)
        self.assertEqual(result.returncode, 0)
        for row in json.loads(rows.read_text()):
            self.assertGreater(row["mallogram"]["calls"], 1000, row)
            self.assertEqual(row["unexplained"], [])


class Rules(unittest.TestCase):
    """The comparison itself, on a recording of three lines."""

    def explain(self, calls, peak, function="main", modules=("libc.so.6",)):
        raw = harness.tempfile.NamedTemporaryFile("w+")
        with raw:
            # Two modules; an allocation of the program, and one in libstdc++.
            raw.write("m 1 x 1000 0 1000\nm 1 /lib/libstdc++.so.6 5000 0 1000\n"
                      "t 10ff 0\nt 50ff 0\n+ 40 1 a\n+ 100 2 b\n- a\n")
            raw.flush()
            tool = tool_as_module()
            stack = [{"module": "/bin/prog", "offset": 0x100, "function": function}]
            report = {"totals": {"allocations": calls, "peak_heap_bytes": peak},
                      "modules": [{"path": f"/lib/{m}"} for m in modules],
                      "sites": [{"calls": calls, "stack": stack}]}
            return tool.explain("test", tool.Heaptrack(pathlib.Path(raw.name)), report,
                                "prog", same_output=True)

    def test_own_allocation_is_named(self):
        row = self.explain(calls=1, peak=0x40)
        self.assertEqual(row["unexplained"], [])
        self.assertEqual(row["explained"], [{"rule": "own", "calls": 1, "peak": 0x100}])

    def test_the_programs_own_libstdcxx_is_no_excuse(self):
        row = self.explain(calls=1, peak=0x40, modules=("libstdc++.so.6",))
        self.assertNotEqual(row["unexplained"], [])

    def test_a_call_too_many(self):
        self.assertNotEqual(self.explain(calls=2, peak=0x40)["unexplained"], [])

    def test_calls_at_exit_are_named(self):
        row = self.explain(calls=2, peak=0x40, function="__run_exit_handlers")
        self.assertEqual(row["unexplained"], [])

    def test_another_peak(self):
        self.assertNotEqual(self.explain(calls=1, peak=0x41)["unexplained"], [])


if __name__ == "__main__":
    harness.main()
