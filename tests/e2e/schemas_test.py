"""Every --json against its schema, and the schemas against planted mistakes."""

import copy
import json
import pathlib
import unittest

import jsonschema

import harness

ANALYZER = pathlib.Path(__file__).parents[2] / "analyzer"
SCHEMAS = {"report": "report/report", "info": "report/info", "leaks": "leaks/leaks",
           "diff": "diff/diff", "fit": "scaling/fit"}
PROGRAM = r"""
#include <cstdlib>
#include <thread>
#include <vector>
#include <unistd.h>
__attribute__((noinline)) void Keep(int n) { for (int i = 0; i < n; ++i) new char[100]; }
int main(int argc, char** argv) {
  const int n = argc > 1 ? std::atoi(argv[1]) : 10;
  static std::vector<void*>* kept = new std::vector<void*>;
  for (int i = 0; i < n; ++i) kept->push_back(std::malloc(50));
  std::thread(Keep, n).join();
  if (fork() == 0) { Keep(2); _exit(0); }
  if (argc > 2) std::abort();
}
"""


def places(node, path=()):
    """(path, key) of every field; of lists, the fields of one of each shape."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield path, key
            yield from places(value, (*path, key))
    elif isinstance(node, list):
        seen = set()
        for i, item in enumerate(node):
            shape = tuple(item) if isinstance(item, dict) else ()
            if shape not in seen:
                seen.add(shape)
                yield from places(item, (*path, i))


class Schemas(harness.Case):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.validators = {}
        for verb, name in SCHEMAS.items():
            schema = json.loads((ANALYZER / f"{name}.schema.json").read_text())
            jsonschema.Draft7Validator.check_schema(schema)
            cls.validators[verb] = jsonschema.Draft7Validator(schema)

    def setUp(self):
        super().setUp()
        self.program = harness.compile_c(self.dir, "kept", PROGRAM, "-pthread", language="c++")

    def record_as(self, name, *arguments, options=(), status=0):
        path = self.dir / name
        self.record([self.program, *arguments], "-q", "-o", path, *options, status=status)
        return path

    def valid(self, verb, *arguments, schema=None):
        result = harness.command(verb, "--json", *arguments, check=True)
        document = json.loads(result.stdout)
        errors = [f"{list(e.absolute_path)}: {e.message}"
                  for e in self.validators[schema or verb].iter_errors(document)]
        self.assertEqual(errors[:5], [], (verb, arguments))
        return document

    def test_documents_are_valid(self):
        one = self.record_as("one.mgram")
        sampled = self.record_as("sampled.mgram", "2000", options=("--sample", "4096"))
        aborted = self.record_as("aborted.mgram", "10", "abort", status=-6)
        cut = self.dir / "cut.mgram"
        cut.write_bytes(one.read_bytes()[:-200])
        deep = self.record_as("cut-stacks.mgram", options=("--max-depth", "2"))
        for file in (one, sampled, aborted, cut, deep):
            self.valid("report", file)
            self.valid("info", file)
            self.valid("leaks", file)
        self.valid("report", self.dir)
        self.valid("report", "--focus", "Keep", "--size", "1..", one)
        self.valid("leaks", "--focus", "Keep", one)
        self.valid("diff", one, aborted)
        self.valid("diff", one, "--from", "start", "--to", "end")
        self.valid("diff", "--by", "calls", "--top", "1", one, sampled)

    def test_fits_are_valid(self):
        runs = [self.record_as(f"n={n}.mgram", n) for n in (10, 20, 40, 80, 160)]
        self.valid("fit", *runs)
        self.valid("fit", "--budget", "1MB", "--predict", "1000,100k", *runs)
        self.valid("fit", "--sites", "function", "--by", "calls", *runs[:4])
        table = self.dir / "data.tsv"
        table.write_text("id\tn\tbytes\n" + "".join(
            f"{name}\t{n}\t{value}\n" for n in (10, 20, 40, 80, 160, 320)
            for name, value in (("line", 100 * n), ("flat", 7), ("wild", n * n % 37))))
        self.valid("fit", "--data", table)
        self.valid("fit", "--data", table, "--budget", "1MB", "--predict", "5000")
        self.valid("sweep", "--param", "n=10,20,40,80", "-o", self.dir / "sweep", "-q", "--",
                   self.program, "{n}", schema="fit")

    def test_planted_mistakes_are_found(self):
        one, two = self.record_as("one.mgram"), self.record_as("two.mgram", "30")
        runs = [self.record_as(f"n={n}.mgram", n) for n in (10, 20, 40, 80)]
        documents = {"info": self.valid("info", one), "diff": self.valid("diff", one, two),
                     "fit": self.valid("fit", "--top", "2", *runs)}
        documents["fit"]["series"] = documents["fit"]["series"][:7]
        for verb, document in documents.items():
            validator = self.validators[verb]

            def refuses(path, change, document=document, validator=validator):
                planted = copy.deepcopy(document)
                node = planted
                for step in path:
                    node = node[step]
                change(node)
                return not validator.is_valid(planted)

            fields = list(places(document))
            self.assertGreater(len(fields), 25)
            for path, key in fields:
                # What is named by the data: laws' parameters and weights.
                free = path and path[-1] in ("parameters", "weights")
                with self.subTest(verb=verb, path=path, key=key):
                    self.assertTrue(refuses(path, lambda n: n.update({key: {"no": "such"}})))
                    if not free:
                        self.assertTrue(refuses(path, lambda n: n.update(unknown_key=1)))
            self.assertTrue(refuses((), lambda d: d.update(schema_version=99)))
            self.assertTrue(refuses((), lambda d: d.pop("schema_version")))


if __name__ == "__main__":
    unittest.main()
