"""`mallogram leaks` on recordings with known checks: text, JSON, JUnit, SARIF,
suppressions, exit statuses, comparisons, mistakes.

leaks_test.py MAKE_LEAKS LIBRARY SCHEMA DIRECTORY [DEFAULTS_LIBRARY...]
MALLOGRAM_UPDATE_GOLDENS=1 writes the golden files anew.
"""

import copy
import json
import os
import pathlib
import sys
import xml.etree.ElementTree

import jsonschema

import harness

MAKE_LEAKS, LIBRARY, SCHEMA, HERE, *DEFAULTS = map(os.path.abspath, sys.argv[1:])
del sys.argv[1:]
FOUND, USAGE, NOT_JUDGED = 23, 2, 3
GOLDEN = pathlib.Path(HERE) / "golden"


def output(*command):
    return harness.run(command, check=True).stdout.decode()


def address_of(symbol):
    for line in output("nm", LIBRARY).splitlines():
        if line.split()[-1] == symbol:
            return int(line.split()[0], 16)
    raise AssertionError(f"no {symbol} in {LIBRARY}")


def return_address_in(symbol):
    """Behind the function's first call."""
    lines = output("objdump", "-d", "--no-show-raw-insn", f"--disassemble={symbol}",
                   LIBRARY).splitlines()
    for line, after in zip(lines, lines[1:]):
        if "call" in line:
            return int(after.split(":")[0], 16)
    raise AssertionError(f"{symbol} calls nothing")


ADDRESSES = {"main": return_address_in("outermost"),
             "a": return_address_in("_ZN5cache4MakeEm"),
             "b": return_address_in("_ZN5cache4KeepEi"),
             "root": address_of("_ZN5cache6table_E")}


class LeaksTest(harness.Case):
    def make(self, shape, name=None, library=LIBRARY, **more):
        path = self.dir / (name or f"{shape}.mgram")
        words = [f"{k}={v}" for k, v in {**ADDRESSES, **more}.items()]
        harness.run([MAKE_LEAKS, path, shape, library, *words], check=True)
        return path

    def run_leaks(self, *arguments, **kwargs):
        kwargs.setdefault("env", harness.clean_env(LC_ALL="C.UTF-8"))
        return harness.command("leaks", *arguments, cwd=self.dir, **kwargs)

    def text(self, *arguments, status=0):
        result = self.run_leaks(*arguments)
        self.assertEqual(result.returncode, status, result.stderr.decode())
        return result.stdout.decode()

    def printed(self, *arguments):
        document = json.loads(self.text("--json", *arguments))
        self.valid(document)
        return document

    def json(self, *arguments):
        return harness.whole_leaks(json.dumps(self.printed(*arguments)))

    def valid(self, document):
        schema = json.loads(pathlib.Path(SCHEMA).read_text())
        errors = [f"{list(e.absolute_path)}: {e.message}" for e in
                  jsonschema.Draft7Validator(schema).iter_errors(document)]
        self.assertEqual(errors, [])

    def write(self, name, text):
        (self.dir / name).write_text(text)
        return name

    # ---- text -------------------------------------------------------------

    def test_golden_texts(self):
        self.make("all")
        self.make("two")
        self.make("killed")
        self.golden(GOLDEN / "all.txt", self.text("--kinds", "all", "all.mgram"))
        self.golden(GOLDEN / "default.txt", self.text("all.mgram"))
        self.golden(GOLDEN / "since.txt", self.text("--since", "1", "--kinds", "all", "two.mgram"))
        self.golden(GOLDEN / "killed.txt", self.text("killed.mgram"))
        self.golden(GOLDEN / "several.txt", self.text("all.mgram", "killed.mgram", "--top", "1"))

    def test_clean_is_one_line(self):
        text = self.text(self.make("clean"))
        self.assertEqual(text.count("\n"), 1)
        self.assertTrue(text.startswith("no leaks: made (pid 4711)"), text)

    def test_many_clean_processes_are_told_together(self):
        paths = [self.make("clean", f"{i}.mgram", pid=100 + i) for i in range(8)]
        paths += [self.make("execed", "e.mgram", pid=200), self.make("all", pid=300)]
        text = self.text(*paths)
        self.assertEqual(text.count("no leaks: made (pid"), 1)
        self.assertIn("\nno leaks: 7 made\n", text)
        self.assertIn("\nreplaced by another program, not checked: made\n", text)
        self.assertIn("Leaks of made (pid 300)", text)

    def test_ascii(self):
        result = self.run_leaks("--kinds", "all", self.make("all"),
                                env=harness.clean_env(LC_ALL="C"))
        self.assertTrue(result.stdout.isascii())
        self.assertIn(b" -> ", result.stdout)

    def test_depth_and_top(self):
        path = self.make("all")
        self.assertIn("more caller", self.text("--depth", "1", "--kinds", "all", path))
        self.assertIn("more; --top 0", self.text("--top", "1", path))
        self.assertNotIn("more;", self.text("--top", "0", path))

    def test_not_classified_says_why(self):
        self.assertIn("killed by SIGKILL", self.text(self.make("killed")))
        self.assertIn("the kernel forbids it", self.text(self.make("refused")))
        self.assertIn("without a leak check", self.text(self.make("bare")))
        self.assertIn("replaced by another program", self.text(self.make("execed")))

    # ---- JSON -------------------------------------------------------------

    def test_json(self):
        document = self.json(self.make("all"))
        summary = document["summary"]
        self.assertEqual(summary["definite"], {"blocks": 2, "bytes": 200, "records": 1})
        self.assertEqual(summary["indirect"]["bytes"], 90)
        self.assertEqual(summary["possible"]["blocks"], 1)
        self.assertEqual(summary["reachable"]["bytes"], 500 + 4096 + 40)
        self.assertEqual(summary["ignored"]["bytes"], 7)
        self.assertEqual([r["kind"] for r in document["records"]],
                         ["definite", "possible", "indirect", "reachable", "reachable",
                          "reachable", "ignored"])
        definite, possible, indirect = document["records"][:3]
        self.assertEqual(definite["indirect_bytes"], 90)
        self.assertEqual(definite["oldest_age_s"], 3)
        self.assertEqual(definite["thread"], "worker")
        line = next(i for i, text in enumerate(
            (pathlib.Path(HERE) / "named_lib.cc").read_text().split("\n"), 1) if "MAKE" in text)
        frame = definite["stack"][0]
        self.assertEqual((frame["function"], frame["line"]),
                         ("cache::Make(unsigned long)", line))
        self.assertTrue(frame["file"].endswith("named_lib.cc"))
        self.assertEqual(definite["stack"][1]["function"], "outermost")
        self.assertEqual(possible["pointer"], "interior")
        self.assertIn("24 bytes past its start", possible["why"])
        self.assertIn("stack of thread", possible["why"])
        self.assertIn("cache::Make", indirect["head"])
        self.assertEqual(document["checks"][0]["scanned_bytes"], 3 << 20)
        self.assertEqual(document["checks"][0]["warnings"], ["a mapping could not be read"])
        self.assertEqual(document["mismatches"], [])

    def test_variables_are_named(self):
        """Every kind of variable, and what is none."""
        names = [line.split()[-1] for line in output("nm", LIBRARY).splitlines()]
        for part, name in (("table_", "cache::table_"), ("c_global", "c_global"),
                           ("hidden_", "cache::(anonymous namespace)::hidden_"),
                           ("8instance", "cache::Instance()::instance"),
                           ("c_local", None)):
            symbol, = (n for n in names if part in n)
            if name is None:
                name = "c_local"  # gcc: c_local.0; clang: c_function.c_local
            with self.subTest(symbol=symbol):
                document = self.json(self.make("all", root=address_of(symbol)))
                here, = [r["root"] for r in document["records"]
                         if r["root"] and r["root"]["address"] == address_of(symbol)]
                self.assertTrue(here["name"].endswith(name), here)
                self.assertEqual(here["offset"], 0)
        document = self.json(self.make("all", root=1))  # nothing is there
        self.assertTrue(all(r["root"]["name"] is None for r in document["records"]
                            if r["root"] and r["root"]["kind"] == "global"))

    def test_planted_mistakes_are_found(self):
        document = self.printed(self.make("all"))
        validator = jsonschema.Draft7Validator(json.loads(pathlib.Path(SCHEMA).read_text()))
        for place in ([], ["summary"], ["process"], ["checks", 0], ["records", 0],
                      ["records", 3, "root"], ["records", 4, "way", 0],
                      ["frames", 0], ["processes", 0, "end"]):
            node = document
            for step in place:
                node = node[step]
            for key in list(node):
                for change in (lambda n, k: n.pop(k), lambda n, k: n.update({k: {"no": 1}})):
                    broken = copy.deepcopy(document)
                    node = broken
                    for step in place:
                        node = node[step]
                    change(node, key)
                    self.assertFalse(validator.is_valid(broken), (place, key))

    def test_kinds(self):
        path = self.make("all")
        for kinds in ("definite", "indirect,possible", "all"):
            found = {r["kind"] for r in self.json("--kinds", kinds, path)["records"]}
            wanted = set(kinds.split(",")) if kinds != "all" else {
                "definite", "indirect", "possible", "reachable", "ignored"}
            self.assertEqual(found, wanted)

    def test_several_processes(self):
        document = self.json(self.make("all"), self.make("killed", pid=5000))
        self.assertEqual([p["pid"] for p in document["processes"]], [4711, 5000])
        self.assertEqual(document["summary"]["unclassified"]["bytes"], 310)
        self.assertEqual(document["summary"]["definite"]["bytes"], 200)
        self.assertEqual({r["process"] for r in document["records"]}, {0, 1})

    def test_written_files_and_output(self):
        path = self.make("all")
        text = self.text("--json=out.json", path)
        self.assertIn("Leak summary", text)
        self.valid(json.loads((self.dir / "out.json").read_text()))
        self.assertEqual(self.text("--output", "report.txt", path), "")
        self.assertEqual((self.dir / "report.txt").read_text(), text)
        self.assertEqual(self.text("--json", "--output", "two.json", path), "")
        self.assertEqual((self.dir / "two.json").read_text(),
                         (self.dir / "out.json").read_text())

    # ---- CI ---------------------------------------------------------------

    def test_exit_statuses(self):
        everything, clean, killed = self.make("all"), self.make("clean"), self.make("killed")
        for kinds, status in (("definite", FOUND), ("possible", FOUND), ("indirect", FOUND),
                              ("reachable", FOUND), ("growth", 0), ("mismatch", 0),
                              ("unclassified", 0), ("none", 0), ("definite,growth", FOUND),
                              ("all", FOUND)):
            self.text("--fail-on", kinds, everything, status=status)
        self.text(everything)
        self.text("--fail-on", "definite,possible", clean)
        self.text("--fail-on", "reachable", clean, status=FOUND)
        self.text("--fail-on", "definite", killed, status=NOT_JUDGED)
        self.text("--fail-on", "unclassified", killed, status=FOUND)
        self.text("--fail-on", "definite", self.make("execed"))
        supp = self.write("s.supp", "leak:cache::Make\n")
        self.text("--fail-on", "definite", "--suppressions", supp, everything)
        two = self.make("two")
        self.text("--since", "1", "--fail-on", "definite", two, status=FOUND)  # grew
        self.text("--since", "1", "--fail-on", "reachable", two)  # shrank

    def test_junit(self):
        path = self.make("all")
        self.text("--junit", "all.xml", "--fail-on", "definite,possible", path,
                  status=FOUND)
        root = xml.etree.ElementTree.parse(self.dir / "all.xml").getroot()
        self.assertEqual((root.tag, root.get("tests"), root.get("failures")),
                         ("testsuites", "2", "2"))
        cases = root.findall("testsuite/testcase")
        self.assertIn("cache::Make", cases[0].get("name"))
        failure = cases[0].find("failure")
        self.assertEqual(failure.get("type"), "definite")
        self.assertIn("outermost", failure.text)
        self.text("--junit", "clean.xml", self.make("clean"))
        root = xml.etree.ElementTree.parse(self.dir / "clean.xml").getroot()
        self.assertEqual((root.get("tests"), root.get("failures")), ("1", "0"))
        self.text("--junit", "killed.xml", "--fail-on", "definite", self.make("killed"),
                  status=NOT_JUDGED)
        root = xml.etree.ElementTree.parse(self.dir / "killed.xml").getroot()
        self.assertEqual(root.get("errors"), "1")

    def test_sarif(self):
        supp = self.write("s.supp", "leak:cache::Keep\n")
        self.text("--sarif", "all.sarif", "--suppressions", supp, self.make("all"))
        sarif = json.loads((self.dir / "all.sarif").read_text())
        self.assertEqual(sarif["version"], "2.1.0")
        run, = sarif["runs"]
        rules = run["tool"]["driver"]["rules"]
        self.assertEqual(run["tool"]["driver"]["name"], "mallogram")
        self.assertEqual(len({r["id"] for r in rules}), len(rules))
        definite, possible = run["results"]
        for result in run["results"]:
            self.assertEqual(rules[result["ruleIndex"]]["id"], result["ruleId"])
            self.assertIn(result["level"], ("none", "note", "warning", "error"))
            self.assertTrue(result["message"]["text"])
            self.assertRegex(result["partialFingerprints"]["callStack/v1"], "^[0-9a-f]{16}$")
        self.assertEqual(definite["ruleId"], "leak/definite")
        self.assertNotIn("suppressions", definite)
        self.assertEqual(possible["suppressions"][0]["kind"], "external")
        place = definite["locations"][0]["physicalLocation"]
        self.assertTrue(place["artifactLocation"]["uri"].endswith("named_lib.cc"))
        self.assertGreater(place["region"]["startLine"], 1)
        self.assertEqual(len(definite["stacks"][0]["frames"]), 2)

    # ---- suppressions -----------------------------------------------------

    def test_suppressed_records_are_marked_and_not_counted(self):
        path = self.make("all")
        supp = self.write("s.supp", "leak:cache::Make$\n")
        document = self.json("--suppressions", supp, path)
        definite = document["records"][0]
        self.assertEqual(definite["suppressed"], "leak:cache::Make$")
        self.assertEqual(document["summary"]["definite"]["blocks"], 0)
        # The indirect one hangs on it; what Keep() allocated below Make() as well.
        self.assertEqual(document["summary"]["indirect"]["blocks"], 0)
        self.assertEqual(document["summary"]["suppressed"]["records"], 4)
        use, = document["suppressions"]
        self.assertEqual((use["source"], use["records"]), ("s.supp:1", 4))
        text = self.text("--suppressions", supp, path)
        self.assertIn("leak:cache::Make$ (s.supp:1)", text)

    def test_valgrind_syntax(self):
        path = self.make("all")
        supp = self.write("v.supp", """
{
   made by Make
   Memcheck:Leak
   match-leak-kinds: definite
   fun:malloc
   fun:_ZN5cache4Make*
   fun:outermost
}
""")
        document = self.json("--suppressions", supp, path)
        marked = [(r["kind"], r["suppressed"]) for r in document["records"] if r["suppressed"]]
        self.assertEqual(marked, [("definite", "made by Make"), ("indirect", "made by Make")])

    def test_generated_ones_suppress_all(self):
        path = self.make("all")
        self.write("gen.supp", self.text("--gen-suppressions", "--kinds", "all", path))
        self.assertIn("fun:_ZN5cache4MakeEm", (self.dir / "gen.supp").read_text())
        document = self.json("--suppressions", "gen.supp", path)
        left = [r["kind"] for r in document["records"] if not r["suppressed"]]
        self.assertEqual(left, [])

    def test_print_and_switch_off_built_in_ones(self):
        text = self.text("--print-suppressions")
        self.assertIn("libstdc++", text)
        self.assertNotIn("definite", text)
        self.write("b.supp", text)  # a file like any other
        self.json("--suppressions", "b.supp", "--no-builtin-suppressions", self.make("all"))

    def test_default_suppressions_of_the_program(self):
        for library in DEFAULTS:
            with self.subTest(library=library):
                document = self.json(self.make("all", library=library))
                if "computed" in library:
                    self.assertIn("no constant", " ".join(document["warnings"]))
                    self.assertEqual(document["suppressions"], [])
                else:
                    use, = document["suppressions"]
                    self.assertEqual(use["name"], "leak:cache::Keep")
                    self.assertIn("__lsan_default_suppressions", use["source"])

    def test_mistakes_in_suppressions(self):
        path = self.make("all")
        self.fails("x.supp:2: expected leak:PATTERN or {", "leaks", "--suppressions",
                   self.write("x.supp", "leak:a\nthread:b\n"), path)
        self.fails("cannot open none.supp", "leaks", "--suppressions", "none.supp", path)

    # ---- comparisons ------------------------------------------------------

    def test_since(self):
        document = self.json("--since", "1", self.make("two"))
        changes = {(r["kind"], r["stack"][0]["function"].split("(")[0], len(r["stack"])):
                   (r["change"], r["before_bytes"], r["bytes"]) for r in document["records"]}
        self.assertEqual(changes, {
            ("definite", "cache::Make", 2): ("grown", 200, 300),
            ("definite", "cache::Keep", 2): ("same", 50, 50),
            ("possible", "cache::Make", 3): ("new", 0, 70),
            ("possible", "cache::Keep", 2): ("gone", 60, 0),
            ("reachable", "outermost", 1): ("shrunk", 400, 100)})
        self.assertEqual(document["process"]["since"], 1)

    def test_check(self):
        path = self.make("two")
        self.assertEqual(self.json("--check", "1", path)["summary"]["definite"]["bytes"], 250)
        self.assertEqual(self.json(path)["summary"]["definite"]["bytes"], 350)
        self.fails("there is no check 3", "leaks", "--check", "3", path)
        self.fails("does not come before", "leaks", "--since", "2", path)
        self.fails("has no leak checks", "leaks", "--since", "1", self.make("bare"))

    # ---- mistakes ---------------------------------------------------------

    def test_bad_command_lines(self):
        path = self.make("all")
        self.fails("needs a FILE, a PROGRAM, or --pid", "leaks")
        self.fails("did you mean definite?", "leaks", "--kinds", "definit", path)
        self.fails("did you mean mismatch?", "leaks", "--fail-on", "mismatsh", path)
        self.fails("not \"mismatch\"", "leaks", "--kinds", "mismatch", path)
        self.fails("did you mean --junit?", "leaks", "--junt", "x", path)
        self.fails("needs a number", "leaks", "--top", "x", path)
        self.fails("needs a number above 0", "leaks", "--check", "0", path)
        self.fails("exit or full", "leaks", "--leak-check", "ful", path)
        self.fails("--pid takes the place", "leaks", "--pid", "1", path)
        self.fails("--recording is for a PROGRAM", "leaks", "--recording", "x", path)
        self.fails("--recording FILE keeps", "leaks", "-o", "x.mgram", "true")
        self.fails("is a directory", "leaks", "-o", ".", path)
        self.fails("No such file", "leaks", "-o", "none/x", path, status=1)
        self.fails("takes the place of --json", "leaks", "--json", "--gen-suppressions", path)
        self.fails("neither a recording nor a program", "leaks", "no-such-thing")
        self.fails("neither a recording nor a program", "leaks", self.write("notes", "text"))

    def test_bad_files(self):
        self.fails("nothere.mgram", "leaks", "nothere.mgram")
        (self.dir / "cut.mgram").write_bytes(self.make("all").read_bytes()[:10])
        self.fails("cut.mgram", "leaks", "cut.mgram")
        (self.dir / "empty").mkdir()
        self.fails("no .mgram file", "leaks", self.dir / "empty")
        # One good and one bad: the good one is reported, the status tells.
        result = self.run_leaks("all.mgram", "nothere.mgram")
        self.assertEqual(result.returncode, USAGE)
        self.assertIn(b"Leak summary", result.stdout)

    def test_output_that_cannot_be_written(self):
        self.fails("cannot be written", "leaks", "--output", "/no/such/dir/x", self.make("all"),
                   status=1)

    def test_damaged_files_never_crash(self):
        whole = self.make("all").read_bytes()
        for at in range(0, len(whole), 13):
            broken = bytearray(whole)
            broken[at] ^= 0x55
            (self.dir / "broken.mgram").write_bytes(broken)
            result = self.run_leaks("--kinds", "all", "broken.mgram")
            self.assertIn(result.returncode, (0, USAGE), (at, result.stderr))


if __name__ == "__main__":
    harness.main()
