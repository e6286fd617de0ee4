"""Filters on a program whose every block is known: what each option leaves, in every
verb that shows call sites, and that what it leaves out is told."""

import json
import re
import unittest

import harness

PROGRAM = r"""
#include <pthread.h>
#include <stdlib.h>
#include <stdio.h>
#include <unistd.h>
static void* kept[64];
static int count;
#define KEEP(call) (kept[count++] = (call))
__attribute__((noinline)) void* xmalloc(size_t size) {
  void* block = malloc(size);
  if (block == NULL) abort();
  return block;
}
__attribute__((noinline)) void parse_names(int n) {
  for (int i = 0; i < n; ++i) KEEP(xmalloc(100));
}
__attribute__((noinline)) void parse_values(int n) {
  for (int i = 0; i < n; ++i) KEEP(xmalloc(3000));
}
__attribute__((noinline)) void draw(void) {
  free(malloc(50));
  KEEP(malloc(20000));
}
static void* work(void* unused) {
  draw();
  return unused;
}
int main(int argc, char** argv) {
  int n = argc > 1 ? atoi(argv[1]) : 5;
  parse_names(2 * n);
  pthread_t thread;
  pthread_create(&thread, NULL, work, NULL);
  pthread_join(thread, NULL);
  parse_values(n);
  for (int i = 0; i < count; ++i) kept[i] = NULL;  /* all are lost */
  return 0;
}
"""
MINE = ("--module", "filtered$")  # not what libc allocates for a thread


class Filters(harness.Case):

    def setUp(self):
        super().setUp()
        self.program = harness.compile_c(self.dir, "filtered", PROGRAM, "-g", "-pthread")
        self.trace = self.dir / "t.mgram"
        self.record([self.program], "-q", "-o", self.trace)

    def sites(self, *options):
        """{user's own function: (calls, bytes)} of report --json."""
        report = harness.report(self.trace, options=(*MINE, *options))
        found = {}
        for site in report["sites"]:
            own = next(f["function"] for f in site["stack"] if not f["folded"])
            calls, size = found.get(own, (0, 0))
            found[own] = (calls + site["calls"], size + site["bytes_allocated"])
        self.assertEqual(report["filtered"]["shown"]["calls"],
                         sum(calls for calls, _ in found.values()))
        self.assertIn("--module", report["filtered"]["options"])
        return found

    def text(self, verb, *arguments, status=0):
        result = harness.command(verb, *arguments)
        self.assertEqual(result.returncode, status, result.stderr.decode())
        return result.stdout.decode()

    def painter(self):
        """The tid of the second thread. Its name is read when it is first seen, which
        may be before it has given itself one."""
        threads = json.loads(self.text("info", "--json", self.trace))["threads"]
        return str(threads[1]["tid"])

    def test_stacks(self):
        everything = {"xmalloc": (15, 16000), "draw": (2, 20050)}
        self.assertEqual(self.sites(), everything)
        self.assertEqual(self.sites("--focus", "^draw$"), {"draw": (2, 20050)})
        self.assertEqual(self.sites("--ignore", "parse_"), {"draw": (2, 20050)})
        wrapped = {"parse_names": (10, 1000), "parse_values": (5, 15000),
                   "draw": (2, 20050)}
        self.assertEqual(self.sites("--hide", "^xmalloc$"), wrapped)
        self.assertEqual(self.sites("--show", "parse|draw"), wrapped)
        rules = self.dir / "project.rules"
        rules.write_text("# wrappers\nhide ^xmalloc$\nignore ^draw$\n")
        del wrapped["draw"]
        self.assertEqual(self.sites("--rules", rules), wrapped)

    def test_blocks(self):
        self.assertEqual(self.sites("--size", "60..5000"), {"xmalloc": (15, 16000)})
        self.assertEqual(self.sites("--size", "50"), {"draw": (1, 50)})
        self.assertEqual(self.sites("--thread", self.painter()), {"draw": (2, 20050)})
        self.assertEqual(self.sites("--thread", "main"), {"xmalloc": (15, 16000)})
        self.assertEqual(self.sites("--size", "..60", "--focus", "draw"),
                         {"draw": (1, 50)})

    def test_text_says_what_is_left(self):
        text = self.text("report", "--focus", "^draw$", "--by", "allocated", self.trace)
        shown = re.search(r"Filtered: --focus '\^draw\$': ([\d.]+) % of ([\d.]+) KiB", text)
        self.assertIsNotNone(shown, text)
        self.assertNotIn("xmalloc", text)
        self.assertIn("Filtered", self.text("report", "--tree", "--hide", "xmalloc",
                                            self.trace))

    def test_identities(self):
        def count(*options):
            text = self.text("report", *MINE, "--hide", "^xmalloc$", *options, "--by",
                             "calls", self.trace)
            return int(re.search(r"by calls: all|by calls: (\d+)", text)[1] or
                       len(re.findall(r"^ +\d+  [█▏▎▍▌▋▊▉#]", text, re.M)))
        # draw allocates on two lines.
        self.assertEqual(count("--sites", "line"), 4)
        self.assertEqual(count("--sites", "function"), 3)
        self.assertEqual(count("--sites", "stack"), 4)
        self.assertEqual(count("--sites", "names"), 3)

    def test_leaks(self):
        def lost(*options):
            document = harness.whole_leaks(
                self.text("leaks", "--json", *options, self.trace))
            return {(next(f["function"] for f in r["stack"] if not f["folded"]),
                     r["blocks"], r["bytes"]) for r in document["records"]
                    if r["kind"] == "definite"}, document["warnings"]
        found, warnings = lost("--hide", "^xmalloc$", "--show", "parse|draw|main|work")
        self.assertEqual(found, {("parse_names", 10, 1000), ("parse_values", 5, 15000),
                                 ("draw", 1, 20000)})
        found, warnings = lost("--focus", "draw")
        self.assertEqual(found, {("draw", 1, 20000)})
        self.assertRegex(" ".join(warnings), r"--focus draw: left out \d records with 1[56]\.\d+ KiB")
        # Without their callers, two stacks are one record.
        self.assertEqual(lost("--show", "^xmalloc$")[0], {("xmalloc", 15, 16000)})
        self.assertEqual(lost("--size", "2000..")[0],
                         {("xmalloc", 5, 15000), ("draw", 1, 20000)})
        self.assertEqual(lost("--thread", self.painter())[0], {("draw", 1, 20000)})

    def test_diff_and_fit(self):
        other = self.dir / "other.mgram"
        self.record([self.program, "8"], "-q", "-o", other)
        document = json.loads(self.text("diff", "--json", "--hide", "^xmalloc$",
                                        "--focus", "parse_", self.trace, other))
        self.assertEqual({s["function"] for s in document["sites"]},
                         {"parse_names", "parse_values"})
        self.assertIn("filtered by --hide", " ".join(document["warnings"]))
        files = []
        for n in (2, 4, 6, 8, 12, 16):
            files.append(self.dir / f"n={n}.mgram")
            self.record([self.program, n], "-q", "-o", files[-1])
        document = json.loads(self.text("fit", "--json", "--hide", "^xmalloc$",
                                        "--focus", "parse_values", *files))
        functions = {s["stack"][0]["function"] for s in document["series"] if s["stack"]}
        self.assertEqual(functions, {"parse_values"})

    def test_mistakes(self):
        for words, message in (
                (("--focus", "("), "--focus: \"(\" is no regular expression"),
                (("--size", "big"), "--size takes MIN..MAX"),
                (("--size", "9..3"), "the first number is larger"),
                (("--lifetime", "..x"), "--lifetime takes MIN..MAX, as in 1ms..10s"),
                (("--thread", "nobody"), "has no thread \"nobody\""),
                (("--to", "loaded"), "--to takes a time"),
                (("--rules", "missing"), "missing"),
                (("--sites", "place"), "--sites takes stack, names, line or function"),
                (("--sites", "line", "--json"), "--sites is for")):
            with self.subTest(words=words):
                result = harness.command("report", *words, self.trace)
                self.assertNotEqual(result.returncode, 0)
                self.assertIn(message, result.stderr.decode())
        rules = self.dir / "bad.rules"
        rules.write_text("hide x\nhides y\n")
        result = harness.command("report", "--rules", rules, self.trace)
        self.assertIn("bad.rules:2: no rule \"hides\"", result.stderr.decode())


if __name__ == "__main__":
    unittest.main()
