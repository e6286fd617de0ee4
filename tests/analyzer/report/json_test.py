"""`report --json` against its schema, and the schema against planted mistakes.

json_test.py MAKE_TRACE SCHEMA
"""

import copy
import json
import pathlib
import sys
import tempfile

import jsonschema

import harness
import report_json

MAKE_TRACE, SCHEMA = sys.argv[1:]
del sys.argv[1:]


class JsonTest(harness.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.scratch.cleanup)
        path = pathlib.Path(cls.scratch.name)
        cls.whole, cls.cut, cls.other = (path / n for n in ("a.mgram", "b.mgram", "c.mgram"))
        harness.run([MAKE_TRACE, cls.whole, "5000"], check=True)
        harness.run([MAKE_TRACE, cls.other, "3000", "999"], check=True)
        harness.run([MAKE_TRACE, cls.cut, "5000", "4711", "unfinished"], check=True)
        cls.schema = json.loads(pathlib.Path(SCHEMA).read_text())
        cls.validator = jsonschema.Draft7Validator(cls.schema)

    def valid(self, document):
        errors = [f"{list(e.absolute_path)}: {e.message}"
                  for e in self.validator.iter_errors(document)]
        self.assertEqual(errors, [])

    def test_schema_is_a_schema(self):
        jsonschema.Draft7Validator.check_schema(self.schema)

    def test_documents_are_valid(self):
        for files in ([self.whole], [self.cut], [self.whole, self.other],
                      [self.scratch.name], [self.whole, "--top", "3"]):
            with self.subTest(files=files):
                self.valid(harness.printed_report(*files))

    def test_planted_mistakes_are_found(self):
        """Every mistake of each kind, at every place of the document."""
        document = harness.printed_report(self.whole, "--top", "2")
        places = []

        def visit(node, path):
            if isinstance(node, dict):
                for key, value in node.items():
                    places.append((path, key))
                    visit(value, path + [key])
            elif isinstance(node, list) and node:
                visit(node[0], path + [0])

        visit(document, [])
        self.assertGreater(len(places), 110)

        def planted(path, change):
            copied = copy.deepcopy(document)
            node = copied
            for step in path:
                node = node[step]
            change(node)
            return not self.validator.is_valid(copied)

        for path, key in places:
            with self.subTest(path=path, key=key):
                optional = path[:1] == ["sites"] and key in report_json.ABSENT
                self.assertEqual(planted(path, lambda n: n.pop(key)), not optional)
                self.assertTrue(planted(path, lambda n: n.update({key: {"no": "such"}})))
                self.assertTrue(planted(path, lambda n: n.update({"unknown_key": 1})))
        for change in (lambda d: d["totals"].update(allocations=-1),
                       lambda d: d["totals"].update(frees=1.5),
                       lambda d: d["frames"][0].update(line=0),
                       lambda d: d.update(schema_version=1),
                       lambda d: d.update(command="made --with"),
                       lambda d: d["modules"][0].update(build_id="XYZ"),
                       lambda d: d.update(processes=[])):
            self.assertTrue(planted([], change))

    def test_sums(self):
        document = harness.report(self.whole)
        totals, sites = document["totals"], document["sites"]
        for total, field in (("allocations", "calls"), ("live_bytes", "live_bytes"),
                             ("live_blocks", "live_blocks"), ("frees", "frees"),
                             ("bytes_allocated", "bytes_allocated"),
                             ("peak_heap_bytes", "peak_bytes"),
                             ("temporary_allocations", "temporary")):
            self.assertEqual(totals[total], sum(s[field] for s in sites), total)
        self.assertEqual(totals["allocations"], sum(s["calls"] for s in document["sizes"]))
        self.assertEqual(totals["allocations"] - totals["frees"], totals["live_blocks"])
        self.assertEqual(document["command"], ["made", "--with", "two words"])
        self.assertEqual(document["end"]["reason"], "exited")
        self.assertEqual(sites, sorted(sites, key=lambda s: -s["peak_bytes"]))

    def test_merged_is_the_sum(self):
        one, two = harness.report(self.whole), harness.report(self.other)
        both = harness.report(self.other, self.whole)
        for key in ("allocations", "live_bytes", "peak_heap_bytes", "frees"):
            self.assertEqual(both["totals"][key], one["totals"][key] + two["totals"][key])
        self.assertEqual(both["peak_basis"], "sum_of_process_peaks")
        self.assertEqual(len(both["processes"]), 2)
        # The same stacks: merged, not listed twice.
        self.assertEqual(len(both["sites"]), len(one["sites"]))

        def calls(document):
            return {tuple(f["offset"] for f in s["stack"]): s["calls"]
                    for s in document["sites"]}
        first, second, merged = calls(one), calls(two), calls(both)
        for stack, count in merged.items():
            self.assertEqual(count, first[stack] + second[stack])

    def test_options(self):
        self.assertEqual(len(harness.report(self.whole, "--top", "3")["sites"]), 3)
        by_calls = harness.report(self.whole, "--by", "calls", "--top", "1")["sites"][0]
        self.assertEqual(by_calls["calls"],
                         max(s["calls"] for s in harness.report(self.whole)["sites"]))

    def test_unfinished(self):
        whole, cut = harness.report(self.whole), harness.report(self.cut)
        self.assertEqual(cut["end"]["reason"], "unknown")
        self.assertIn("no footer", " ".join(cut["warnings"]))
        for key in ("allocations", "peak_heap_bytes", "live_bytes", "temporary_allocations"):
            self.assertEqual(cut["totals"][key], whole["totals"][key])

    def test_info(self):
        result = harness.command("info", "--json", self.whole, check=True)
        info = json.loads(result.stdout)
        self.assertEqual(info["footer"], "intact")
        self.assertEqual(info["pid"], 4711)
        chunks = {c["type"]: c["count"] for c in info["chunks"]}
        self.assertEqual(chunks["events"], 8)
        self.assertEqual(chunks["summary"], 1)


if __name__ == "__main__":
    harness.main()
