"""Recordings that carry their names: they read the same when the binaries are gone."""

import json
import os
import shutil
import signal
import subprocess
import unittest

import harness

LIBRARY = r"""
#include <cstdlib>
#include <vector>
struct Shelf { std::vector<int*> books; };
Shelf* shelf = nullptr;
static inline int* Make(int pages) { return new int[pages]; }
extern "C" void Fill(int n) {
  if (shelf == nullptr) shelf = new Shelf;
  for (int i = 0; i < n; ++i) shelf->books.push_back(Make(10 + i % 3));
}
"""
MAIN = r"""
#include <cstdlib>
#include <unistd.h>
extern "C" void Fill(int n);
template <typename T> __attribute__((noinline)) void Lose(T) { new T[25]; }
extern "C" const char* __lsan_default_suppressions() { return "leak:Lose<char>\n"; }
int main(int argc, char** argv) {
  Fill(argc > 1 ? std::atoi(argv[1]) : 50);
  Lose(1.5);
  Lose('c');
  auto lambda = [](int n) { return std::malloc(n); };
  void* kept = lambda(77);
  if (argc > 2) pause();
  std::free(kept);
}
"""
RUST = r"""
use std::collections::HashMap;
#[inline(always)]
fn shelve(map: &mut HashMap<usize, Vec<u8>>, n: usize) { map.insert(n, vec![1; 100 + n]); }
fn main() {
    let mut map = HashMap::new();
    for n in 0..50 { shelve(&mut map, n); }
    std::mem::forget(map);
}
"""
SIZES = (10, 20, 40, 80, 160)


class Symbolize(harness.Case):

    def setUp(self):
        super().setUp()
        (self.dir / "bin").mkdir()
        self.library = harness.compile_c(self.dir / "bin", "libshelf.so", LIBRARY, "-fPIC",
                                         "-shared", language="c++")
        self.program = harness.compile_c(self.dir / "bin", "library", MAIN, self.library,
                                         f"-Wl,-rpath,{self.dir}/bin", "-O2", language="c++")
        self.trace = self.dir / "t.mgram"
        self.record([self.program], "-q", "-o", self.trace)

    def said(self, *arguments):
        result = harness.command(*arguments)
        return result.returncode, result.stdout.decode(), result.stderr.decode()

    def everything(self, *more):
        commands = [["report", self.trace], ["report", "--json", self.trace],
                    ["report", "--tree", self.trace], ["leaks", self.trace],
                    ["leaks", "--kinds", "all", self.trace],
                    ["leaks", "--json", self.trace],
                    ["leaks", "--gen-suppressions", self.trace], *more]
        return {" ".join(map(str, c)): self.said(*c) for c in commands}

    def symbolize(self, *arguments):
        result = harness.command("symbolize", *arguments, check=True)
        return result.stdout.decode()

    def forget(self):
        shutil.rmtree(self.dir / "bin")

    def without_file_bytes(self, told):
        """The file is larger than it was; all else must be the same."""
        def clean(text):
            if text.startswith("{"):
                document = json.loads(text)
                document.get("self", {}).pop("file_bytes", None)
                return document
            return [line for line in text.splitlines() if "Trace file" not in line
                    and "File" not in line]
        return {command: (status, clean(out), err)
                for command, (status, out, err) in told.items()}

    def test_reads_the_same_without_the_binaries(self):
        runs = []
        for n in SIZES:
            runs.append(self.dir / f"n={n}.mgram")
            self.record([self.program, str(n)], "-q", "-o", runs[-1])
        more = [["fit", *runs], ["fit", "--json", *runs], ["diff", runs[0], runs[-1]],
                ["diff", "--json", runs[0], runs[-1]]]
        before = self.everything(*more)
        said = self.symbolize(self.trace, *runs)
        self.assertRegex(said, r"t\.mgram: ([\d,]+) of \1 addresses named, in \d modules")
        self.assertEqual(self.without_file_bytes(self.everything(*more)),
                         self.without_file_bytes(before))
        self.forget()
        after = self.everything(*more)
        self.assertEqual(self.without_file_bytes(after), self.without_file_bytes(before))
        text = after[f"report {self.trace}"][1]
        self.assertIn("Make", text)           # inlined
        self.assertIn("libshelf.cc", text)    # its file
        leaks = after[f"leaks --kinds all {self.trace}"][1]
        self.assertIn("global `shelf`", leaks)
        self.assertIn("1 suppressed",
                      " ".join((leaks + after[f"leaks {self.trace}"][1]).split()))

    def test_rust(self):
        if shutil.which("rustc") is None:
            self.skipTest("no rustc")
        source = self.dir / "shelves.rs"
        source.write_text(RUST)
        program = self.dir / "bin" / "shelves"
        harness.run(["rustc", "-g", "-O", "-o", program, source], check=True,
                    cwd=self.dir)
        self.record([program], "-q", "-o", self.trace)
        before = self.everything()
        self.symbolize(self.trace)
        self.forget()
        after = self.everything()
        self.assertEqual(self.without_file_bytes(after), self.without_file_bytes(before))
        text = after[f"report {self.trace}"][1]
        self.assertIn("shelve", text)  # inlined
        self.assertIn("shelves.rs", text)

    def test_without_names_it_says_what_is_missing(self):
        """Planted: what the test above would see if names were not stored."""
        self.forget()
        _, text, _ = self.said("report", self.trace)
        self.assertIn("cannot be read here", text)
        self.assertNotIn("Make", text)

    def test_again(self):
        self.symbolize(self.trace)
        once = self.trace.read_bytes()
        self.symbolize(self.trace)
        self.assertEqual(self.trace.read_bytes(), once)
        # Without the binaries, what is known stays.
        self.forget()
        result = harness.command("symbolize", self.trace, check=True)
        self.assertNotIn(" 0 of", result.stdout.decode())
        self.assertEqual(self.trace.read_bytes(), once)
        self.assertEqual(harness.command("info", "--check", self.trace).returncode, 0)

    def test_output_links_and_permissions(self):
        before = self.trace.read_bytes()
        other = self.dir / "other.mgram"
        self.symbolize("-o", other, self.trace)
        self.assertEqual(self.trace.read_bytes(), before)
        self.assertGreater(len(other.read_bytes()), len(before))
        link = self.dir / "link.mgram"
        link.symlink_to("t.mgram")
        os.chmod(self.trace, 0o640)
        self.symbolize(link)
        self.assertTrue(link.is_symlink())
        self.assertEqual(self.trace.read_bytes(), other.read_bytes())
        self.assertEqual(self.trace.stat().st_mode & 0o777, 0o640)
        self.assertEqual([p.name for p in self.dir.glob("*.new.*")], [])

    def test_what_cannot_be_written_leaves_the_file(self):
        before = self.trace.read_bytes()
        result = harness.run(["sh", "-c", f"ulimit -f 1; trap '' XFSZ; exec "
                              f"{harness.mallogram()} symbolize {self.trace}"])
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"cannot be written", result.stderr)
        self.assertEqual(self.trace.read_bytes(), before)
        self.assertEqual([p.name for p in self.dir.glob("*.new.*")], [])
        status, _, message = self.said("symbolize", self.dir / "missing.mgram", self.trace)
        self.assertEqual(status, 1)
        self.assertIn("missing.mgram", message)
        self.assertNotEqual(self.trace.read_bytes(), before)  # the others are named

    def test_killed_and_torn(self):
        process = subprocess.Popen(
            [harness.mallogram(), "record", "-q", "-o", self.dir / "k.mgram", "--",
             self.program, "50", "wait"], env=harness.clean_env())
        trace = self.dir / "k.mgram"
        harness.wait_for(lambda: trace.exists() and
                         harness.command("report", trace).stdout.count(b"Fill"))
        # While it goes on, nobody may replace the file.
        status, _, message = self.said("symbolize", trace)
        self.assertEqual((status, "still being recorded" in message), (1, True), message)
        # As a killed collector leaves it; and with half a chunk at the end.
        copy, torn = self.dir / "copy.mgram", self.dir / "torn.mgram"
        shutil.copy(trace, copy)
        os.kill(json.loads(self.said("info", "--json", copy)[1])["pid"], signal.SIGKILL)
        process.wait(timeout=harness.LIMIT)
        data = copy.read_bytes()
        torn.write_bytes(data + data[data.rindex(b"MGCK"):][:50])
        for file in (copy, torn):
            _, before, _ = self.said("report", "--by", "live", file)
            self.symbolize(file)
            _, after, _ = self.said("report", "--by", "live", file)
            self.assertIn("no footer", after)
            self.assertNotIn("damaged", after)
            self.assertIn("libshelf.cc", after)
        self.forget()
        self.assertIn("libshelf.cc", self.said("report", "--by", "live", copy)[1])

    def test_damaged_names(self):
        """Are not used: a warning, and what files say instead."""
        before = self.said("report", self.trace)[1]
        plain = len(self.trace.read_bytes())
        self.symbolize(self.trace)
        data = bytearray(self.trace.read_bytes())
        # The names lie between what was there and the index.
        at = data.rindex(b"MGCK", 0, data.rindex(b"MGCK")) + 60
        self.assertGreater(at, plain // 2)
        data[at] ^= 0xff
        self.trace.write_bytes(data)
        text = self.said("report", self.trace)[1]
        self.assertIn("1 of", text)
        self.assertIn("damaged", text)
        for line in before.splitlines():
            if "libshelf.cc" in line:
                self.assertIn(line, text)


if __name__ == "__main__":
    unittest.main()
