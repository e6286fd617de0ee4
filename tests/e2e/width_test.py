"""Every text fits the terminal: at 40, 80, 120 columns and in a pipe."""

import re
import unicodedata
import unittest

import harness

PROGRAM = r"""
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <vector>
namespace a_namespace_of_a_rather_long_name {
template <typename Key, typename Value>
struct Cupboard {
  std::map<Key, std::vector<Value>> shelves;
  __attribute__((noinline)) void PutSomethingOntoTheShelfOf(const Key& key, int n) {
    for (int i = 0; i < n; ++i) shelves[key].push_back(Value(300, 'x'));
  }
};
}  // namespace
using Store = a_namespace_of_a_rather_long_name::Cupboard<std::string, std::string>;
static void Recurse(Store& store, int depth) {
  if (depth > 0) Recurse(store, depth - 1);
  store.PutSomethingOntoTheShelfOf("depth " + std::to_string(depth), 5);
}
int main(int argc, char** argv) {
  static Store* kept = new Store;
  Recurse(*kept, argc > 1 ? std::atoi(argv[1]) : 30);
  new std::vector<int>(argc > 1 ? std::atoi(argv[1]) : 30);
  free(std::malloc(10));
}
"""
VERBS = ("record", "report", "info", "leaks", "check", "diff", "fit", "study", "sweep",
         "symbolize")


def columns(line):
    line = re.sub(r"\x1b\[[0-9;]*m", "", line)
    return sum(0 if unicodedata.combining(c) else
               2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


def too_wide(text, width):
    return [line for line in text.splitlines() if columns(line) > width]


STUDY = """
program = "{}"
[[table]]
id = "growth"
title = "Growth of what the cupboard holds"
arguments = ["{{n}}"]
n = [10, 20, 40, 80, 160]
reps = 2
budget = "1MB"
predict = [1000]
"""


class Width(harness.Case):
    def setUp(self):
        super().setUp()
        program = harness.compile_c(self.dir, "cupboard", PROGRAM, "-O0", language="c++")
        self.runs = []
        for n in (10, 20, 40, 80, 160):
            self.runs.append(self.dir / f"n={n}.mgram")
            self.record([program, n], "-q", "-o", self.runs[-1])
        one = self.runs[0]
        self.commands = [
            ["report", one], ["report", "--tree", one], ["report", "--full-names", one],
            ["report", *self.runs], ["report", "--focus", "Shelf", "--size", "10..", one],
            ["info", one], ["leaks", one], ["leaks", "--kinds", "all", one],
            ["diff", one, self.runs[-1]], ["fit", *self.runs],
            ["report", "--color", "always", one], *(["help", verb] for verb in VERBS), ["help"]]
        self.study = self.dir / "cupboard.toml"
        self.study.write_text(STUDY.format(program))
        for name in ("old", "new"):
            self.text(["study", "-q", "--no-plots", "-o", self.dir / name, self.study], None)
        self.program = program
        self.runs_again = [  # what ran already is only read
            ["study", "-q", "--no-plots", "-o", self.dir / "old", self.study],
            ["study", "--compare", self.dir / "old", self.dir / "new"],
            ["study", "--check", self.study],
            ["sweep", "-q", "--param", "n=10,20,40,80,160", "-o", self.dir / "runs", "--",
             program, "{n}"],
            ["sweep", "--depth", "4", self.dir / "runs"]]

    def text(self, command, width, encoding="C.UTF-8"):
        env = harness.clean_env(LC_ALL=encoding)
        env.pop("COLUMNS", None)
        if width is not None:
            env["COLUMNS"] = str(width)
        result = harness.command(*command, env=env)
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        return result.stdout.decode()

    def test_no_line_is_wider(self):
        for width in (40, 80, 120, None):
            for command in self.commands + self.runs_again:
                with self.subTest(command=command, width=width):
                    text = self.text(command, width)
                    self.assertEqual(too_wide(text, width or 100), [])
        for command in self.commands[:4]:
            self.assertEqual(too_wide(self.text(command, 60, "C"), 60), [])

    def test_findings_of_check(self):
        for width in (40, 80, 120, None):
            env = harness.clean_env(LC_ALL="C.UTF-8")
            if width is not None:
                env["COLUMNS"] = str(width)
            result = harness.command("check", "--max-peak", "1", "--max-leak", "0", "--max-allocations",
                                     "1", "--", self.program, "20", env=env)
            self.assertEqual(result.returncode, 23, result.stderr.decode())
            text = result.stderr.decode()
            self.assertIn("FAILED", text)
            self.assertEqual(too_wide(text, width or 100), [])

    def test_nothing_is_lost(self):
        """The same figures, whatever the width."""
        def figures(text):
            return sorted(re.findall(r"\d[\d.,]* (?:[KMG]iB|[kMG]B|%|B)(?![\w])",
                                     " ".join(text.split())))
        for command in (["report", self.runs[0]], ["leaks", self.runs[0]],
                        ["diff", self.runs[0], self.runs[-1]], self.runs_again[0],
                        self.runs_again[3]):
            wide = figures(self.text(command, 120))
            self.assertGreater(len(wide), 8)
            self.assertEqual(figures(self.text(command, 80)), wide)
            self.assertEqual(figures(self.text(command, 40)), wide)

    def test_planted(self):
        self.assertEqual(too_wide("x" * 81 + "\n" + "y" * 80, 80), ["x" * 81])
        self.assertEqual(too_wide("\u4e00" * 41, 80), ["\u4e00" * 41])
        self.assertEqual(too_wide("\x1b[1m" + "é" * 80 + "\x1b[0m", 80), [])

    def test_si(self):
        """One unit system in every text; figures in JSON are the same."""
        old, new = self.dir / "old", self.dir / "less"
        smaller = self.dir / "less.toml"
        smaller.write_text(self.study.read_text().replace('"{n}"', '"{n}0"'))
        self.text(["study", "-q", "--no-plots", "-o", new, smaller], None)
        one = self.runs[0]
        for command in (["report", one], ["report", "--tree", one], ["leaks", one], ["info", one],
                        ["diff", one, self.runs[-1]], ["fit", *self.runs], self.runs_again[3],
                        self.runs_again[0], ["study", "--compare", old, new]):
            with self.subTest(command=command):
                binary = self.text(command, None)
                si = self.text([command[0], "--si", *command[1:]], None)
                self.assertRegex(binary, r"\d [KM]iB")
                self.assertNotRegex(binary.replace("(--si: kB, MB)", ""), r"\d [kM]B")
                self.assertRegex(si, r"\d [kM]B")
                # Bounds of size classes are powers of two, in either system.
                self.assertNotRegex(si.split("Block sizes")[0], r"\d [KM]iB")
        for verb in ("report", "leaks", "info"):
            self.assertEqual(self.text([verb, "--json", one], None),
                             self.text([verb, "--json", "--si", one], None))


if __name__ == "__main__":
    unittest.main()
