"""mallogram.h: compiles everywhere without a warning, does nothing in a program that is
not recorded, and says what it is for in one that is.
"""

import json
import os
import pathlib
import re
import shutil
import unittest

import harness

HEADERS = os.environ.get("MALLOGRAM_HEADERS") or str(
    pathlib.Path(__file__).parents[2] / "preload" / "client")

C_PROGRAM = r"""
#include "mallogram.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

char *keep[8];
static char arena[256];

void *allocate_plain(void) { return malloc(101); }
void *allocate_ignored(void) { return malloc(102); }
void *allocate_paused(void) { return malloc(103); }
void *allocate_resumed(void) { return malloc(104); }
void take_from_pool(uint32_t pool, const void *block, size_t size) {
  mallogram_pool_alloc(pool, block, size);
}

int main(int argc, char **argv) {
  uint32_t pool, other;
  int checked = 0;
  char *backing;
  errno = 77;
  mallogram_mark("start", 0);
  keep[0] = (char *)allocate_plain();
  keep[1] = (char *)allocate_ignored();
  mallogram_ignore(keep[1]);

  mallogram_pause();
  mallogram_pause();
  keep[2] = (char *)allocate_paused();
  mallogram_resume();
  free(keep[0]); /* recorded: its block was */
  free(allocate_paused());
  keep[2] = (char *)realloc(keep[2], 5000);
  mallogram_resume();
  free(keep[2]);
  mallogram_resume(); /* one too many is none */
  keep[3] = (char *)allocate_resumed();

  pool = mallogram_pool_create("a pool of nodes, with a name");
  other = mallogram_pool_create("other");
  backing = (char *)malloc(1000);
  take_from_pool(pool, backing, 10); /* the same address as the block around it */
  take_from_pool(pool, backing + 16, 20);
  take_from_pool(pool, backing + 48, 40);
  mallogram_pool_free(pool, backing + 16);
  mallogram_pool_free(pool, backing + 17); /* never given out */
  take_from_pool(other, arena, 80);
  mallogram_pool_destroy(other);
  keep[4] = backing;
  mallogram_mark("end of the program, which is long", 2.5);
  if (argc > 1 && argv[1][0] == 'c') checked = mallogram_leak_check_now();
  printf("%d %d %d\n", mallogram_is_recording(), checked, errno);
  return 0;
}
"""

CC_PROGRAM = C_PROGRAM.replace("int main(", """
struct Node { int value; };
void *allocate_raii() {
  mallogram::Pause pause;
  return allocate_paused();
}
int main(""").replace("  errno = 77;", """
  mallogram::Pool raii("raii");
  Node node = {0};
  raii.Alloc(&node, sizeof(node));
  raii.Free(&node);
  free(allocate_raii());
  errno = 77;""")

MODES = {"pie": ["-fPIE", "-pie"], "no-pie": ["-fno-pie", "-no-pie"],
         "static": ["-static"]}


class Client(harness.Case):
    def build(self, compiler, language, *flags):
        suffix = "c" if language == "c" else "cc"
        (self.dir / f"second.{suffix}").write_text(
            '#include "mallogram.h"\nint second(void);\n'
            "int second(void) { return mallogram_is_recording(); }\n")
        source = self.dir / f"client.{suffix}"
        source.write_text(C_PROGRAM if language == "c" else CC_PROGRAM)
        out = self.dir / "client"
        harness.run([compiler, "-Wall", "-Wextra", "-pedantic", "-Werror", "-g", "-O1",
                     "-fno-optimize-sibling-calls", "-fno-builtin", "-fno-inline",
                     "-I", HEADERS, *flags, source, self.dir / f"second.{suffix}",
                     "-o", out], check=True)
        return out

    def leaks(self, trace):
        result = harness.command("leaks", "--json", "--kinds", "all", trace)
        self.assertEqual(result.returncode, 0, result.stderr)
        return harness.whole_leaks(result.stdout)

    def check_recording(self, program):
        trace = self.dir / "client.mgram"
        trace.unlink(missing_ok=True)
        result = harness.record([program, "check"], "-q", "-o", trace, check=True,
                                cwd=self.dir)
        self.assertEqual(result.stdout.split(), [b"1", b"0", b"77"])
        totals = harness.totals(trace)
        self.assertEqual(totals["unknown_frees"], 0)
        # plain, ignored, resumed, backing; the buffer of stdout; libstdc++'s pool
        self.assertIn(totals["allocations"], (5, 6))
        self.assertEqual(totals["frees"], 1)
        document = self.leaks(trace)
        names = json.dumps(document)
        self.assertNotIn("allocate_paused", names)
        self.assertIn("allocate_resumed", names)
        return document

    def check_pools(self, document, raii):
        pools = {pool["name"]: pool for pool in document["pools"]}
        self.assertEqual(list(pools), (["raii"] if raii else []) +
                         ["a pool of nodes, with a name", "other"])
        nodes = pools["a pool of nodes, with a name"]
        self.assertEqual([nodes[key] for key in ("blocks", "bytes", "peak_bytes",
                                                 "unknown_frees")], [2, 50, 70, 1])
        frame = next(f for f in nodes["sites"][0]["stack"] if not f["folded"])
        self.assertEqual(frame["function"].split("(")[0], "take_from_pool")
        other = pools["other"]
        self.assertEqual([other["blocks"], other["destroyed"], other["peak_bytes"]],
                         [0, True, 80])

    def test_c_and_cc_in_every_way(self):
        compilers = [c for c in ("gcc", "clang") if shutil.which(c)]
        for compiler in compilers:
            cc = {"gcc": "g++", "clang": "clang++"}[compiler]
            for language, tool, standard in (("c", compiler, "c99"),
                                             ("c", compiler, "c11"),
                                             ("c++", cc, "c++11"),
                                             ("c++", cc, "c++20")):
                for mode, flags in MODES.items():
                    with self.subTest(f"{tool} {standard} {mode}"):
                        program = self.build(tool, language, f"-std={standard}", *flags)
                        plain = harness.run([program], check=True)
                        self.assertEqual(plain.stdout.split(), [b"0", b"0", b"77"])
                        self.assertEqual(plain.stderr, b"")
                        if mode == "static":
                            continue  # cannot be recorded: refused by the launcher
                        document = self.check_recording(program)
                        self.check_pools(document, raii=language == "c++")

    def test_marks_have_scales(self):
        program = self.build("gcc", "c", "-std=c99")
        self.check_recording(program)
        info = harness.command("info", "--json", self.dir / "client.mgram", check=True)
        marks = json.loads(info.stdout)["marks"]
        self.assertEqual([(mark["name"], mark["scale"], mark["events"] > 0)
                          for mark in marks],
                         [("start", None, False),
                          ("end of the program, whic", 2.5, True)])

    def test_leak_check_now_and_ignored_blocks(self):
        program = self.build("gcc", "c", "-std=c99")
        document = self.check_recording(program)
        causes = [check["cause"] for check in document["checks"]]
        self.assertEqual(causes[0], "client")
        ignored = [record for record in document["records"]
                   if record["kind"] == "ignored"]
        self.assertEqual([(record["blocks"], record["bytes"]) for record in ignored],
                         [(1, 102)])

    def test_in_a_library_of_a_program_that_knows_nothing(self):
        source = self.dir / "lib.c"
        source.write_text('#include "mallogram.h"\n#include <stdlib.h>\n'
                          "void work(void);\nvoid work(void) { mallogram_pause();"
                          " free(malloc(7)); mallogram_resume(); free(malloc(8)); }\n")
        main = self.dir / "main.c"
        main.write_text("void work(void);\nint main(void) { work(); return 0; }\n")
        harness.run(["gcc", "-fno-builtin", "-shared", "-fPIC", "-I", HEADERS, source,
                     "-o", self.dir / "libwork.so"], check=True)
        harness.run(["gcc", main, "-L", self.dir, "-lwork", f"-Wl,-rpath,{self.dir}",
                     "-o", self.dir / "main"], check=True)
        harness.record([self.dir / "main"], "-q", "-o", self.dir / "x.mgram", check=True)
        self.assertEqual(harness.totals(self.dir / "x.mgram")["allocations"], 1)


if __name__ == "__main__":
    harness.main()
