"""Frees that do not fit: each kind planted, with both stacks; none where all is well.

Memcheck, where it is installed, says the same of the same programs.
"""

import json
import os
import pathlib
import re
import shutil
import unittest

import harness

PROGRAM = pathlib.Path(harness._path_of("MALLOGRAM_PROGRAMS")) / "mismatches"
THREAD_ROUNDS = int(os.environ.get("MISMATCH_ROUNDS", "25000"))

# case: type, allocated by, freed by (functions), kinds, size. What Memcheck says of it.
MISMATCHED = "Mismatched free() / delete / delete []"
INVALID = "Invalid free() / delete / delete[] / realloc()"
CASES = {
    "malloc_delete": ("wrong_function", "malloc", "delete", 40, MISMATCHED),
    "malloc_delete_array": ("wrong_function", "malloc", "delete[]", 40, MISMATCHED),
    "new_free": ("wrong_function", "new", "free", 40, MISMATCHED),
    "new_delete_array": ("wrong_function", "new", "delete[]", 40, MISMATCHED),
    "array_delete": ("wrong_function", "new[]", "delete", 40, MISMATCHED),
    "array_free": ("wrong_function", "new[]", "free", 40, MISMATCHED),
    "new_realloc": ("wrong_function", "new", "realloc", 40, MISMATCHED),
    # Memcheck 3.19 compares neither sizes nor alignments.
    "wrong_size": ("wrong_size", "new", "delete", 64, None),
    "wrong_alignment": ("wrong_alignment", "new", "delete", 128, None),
    "double_free": ("double_free", "malloc", "free", 40, INVALID),
    "interior": ("interior_pointer", "malloc", "free", 400, INVALID),
    "handed_over": ("wrong_function", "malloc", "delete", 40, MISMATCHED),
}


OWN_OPERATORS = """
#include <stdlib.h>
#include <new>
void* operator new(size_t bytes) {
  void* p = malloc(bytes + 32);
  if (p == nullptr) throw std::bad_alloc();
  return p;
}
void operator delete(void* p) noexcept { free(p); }
void operator delete(void* p, size_t) noexcept { free(p); }
"""
PLUGIN = """
#include <stdio.h>
#include <new>
#include <string>
#include <vector>
extern "C" void work() {
  std::vector<std::string> strings(100, std::string(50, 'x'));
  operator delete[](operator new(40));
  try {
    operator delete(operator new(~size_t{0} / 2));
  } catch (const std::bad_alloc&) {
    puts("threw");
  }
}
"""
HOST = """
#include <dlfcn.h>
int main(void) {
  void* plugin = dlopen("./plugin.so", RTLD_NOW | RTLD_LOCAL);
  ((void (*)(void))dlsym(plugin, "work"))();
  return 0;
}
"""


def functions(stack):
    return [frame["function"] for frame in stack]


class Mismatches(harness.Case):
    def found(self, *argv, options=("--mismatches", "on"), check=True, file=None,
              program=PROGRAM):
        """The mismatches of a run, and of its children if `file` is a directory."""
        trace = self.dir / (file or "one.mgram")
        harness.record([program, *argv], "-q", "--leak-check", "none", *options,
                       "-o", trace, check=check, cwd=self.dir)
        files = sorted(trace.glob("*.mgram")) if trace.is_dir() else [trace]
        result = harness.command("leaks", "--json", *files)
        self.assertEqual(result.returncode, 0, result.stderr)
        return harness.whole_leaks(result.stdout)["mismatches"]

    def test_each_kind_with_both_stacks(self):
        for case, (kind, allocated_by, freed_by, size, _) in CASES.items():
            with self.subTest(case):
                found = self.found(case)
                self.assertEqual([one["kind"] for one in found], [kind])
                one = found[0]
                self.assertEqual(one["count"], 1)
                self.assertEqual(one["allocated_by"], allocated_by)
                self.assertEqual(one["freed_by"], freed_by)
                self.assertEqual(one["size"], size)
                self.assertIn(f"allocate_{case}", functions(one["allocated"])[0:3])
                name = "again" if case == "double_free" else "free"
                self.assertEqual(functions(one["freed"])[0], f"{name}_{case}")
                self.assertEqual(bool(one["first_freed"]), case == "double_free")

    def test_first_free_of_a_double_free(self):
        found = self.found("double_free")[0]
        self.assertEqual(functions(found["first_freed"])[0], "free_double_free")
        self.assertEqual(found["first_freed_by"], "free")

    def test_distances_and_sizes(self):
        self.assertEqual(self.found("interior")[0]["offset"], 48)
        self.assertEqual(self.found("wrong_size")[0]["freed_size"], 40)
        wrong = self.found("wrong_alignment")[0]
        self.assertEqual((wrong["alignment"], wrong["freed_alignment"]), (128, 0))

    def test_addresses_that_nobody_gave_out(self):
        for case in ("foreign", "stack"):
            with self.subTest(case):
                found = self.found(case)
                self.assertEqual([one["kind"] for one in found], ["foreign_pointer"])
                self.assertEqual(found[0]["allocated"], [])
                self.assertEqual(functions(found[0]["freed"])[0], "free_foreign")

    def test_the_same_again_is_counted(self):
        found = self.found("many")
        self.assertEqual([one["count"] for one in found], [1000])

    def test_what_fits_is_not_reported(self):
        self.assertEqual(self.found("pairs"), [])

    def test_threads_that_hand_blocks_on(self):
        self.assertEqual(self.found("threads", str(THREAD_ROUNDS)), [])

    def test_inherited_blocks_are_no_strangers(self):
        (self.dir / "fork").mkdir()
        self.assertEqual(self.found("fork", file="fork"), [])
        (self.dir / "twice").mkdir()
        found = self.found("fork_twice", file="twice")
        self.assertEqual([one["kind"] for one in found], ["double_free"])
        self.assertEqual(functions(found[0]["freed"])[0], "again_double_free")

    # Kinds can't be told where the program brings operators of its own.
    def test_own_operators_give_no_false_mismatch(self):
        own = self.dir / "own.cc"
        own.write_text(OWN_OPERATORS)
        source = pathlib.Path(__file__).parents[1] / "programs" / "mismatches.cc"
        flags = ["-std=c++20", "-O2", "-w", "-fno-builtin", "-fsized-deallocation",
                 "-pthread"]
        for name, more in (("in the executable", [own]),
                           ("static libstdc++", ["-static-libstdc++"])):
            with self.subTest(name):
                program = self.dir / "program"
                harness.run(["g++", *flags, source, *more, "-o", program], check=True)
                self.assertEqual(self.found("pairs", program=program), [])

    # Nothing global has operator new; an allocation that fails throws all the same.
    def test_plug_in_of_a_c_program(self):
        (self.dir / "plugin.cc").write_text(PLUGIN)
        (self.dir / "host.c").write_text(HOST)
        harness.run(["g++", "-shared", "-fPIC", "-fno-builtin", "-w", "plugin.cc", "-o",
                     "plugin.so"], cwd=self.dir, check=True)
        harness.run(["gcc", "-w", "host.c", "-o", "host"], cwd=self.dir, check=True)
        result = harness.record([self.dir / "host"], "-q", "--mismatches", "on", "-o",
                                self.dir / "x.mgram", cwd=self.dir)
        self.assertEqual((result.returncode, result.stdout), (0, b"threw\n"))
        leaks = harness.command("leaks", "--json", self.dir / "x.mgram", check=True)
        self.assertEqual([one["freed_by"] for one in
                          harness.whole_leaks(leaks.stdout)["mismatches"]], ["delete[]"])

    def test_off_unless_asked(self):
        self.assertEqual(self.found("array_free", options=()), [])
        self.assertEqual(len(self.found("array_free",
                                        options=("--leak-check", "full"))), 1)
        self.assertEqual(self.found("array_free", options=(
            "--leak-check", "full", "--mismatches", "off")), [])

    def test_frames_of_the_library_are_not_in_stacks(self):
        one = self.found("array_free")[0]
        for frame in one["allocated"]:
            self.assertNotIn("libmallogram", frame["module"] or "")

    def test_the_program_behaves_as_without_us(self):
        plain = harness.run([PROGRAM, "double_free"])
        traced = harness.record([PROGRAM, "double_free"], "-q", "--mismatches", "on",
                                "-o", self.dir / "x.mgram")
        self.assertEqual(traced.returncode, plain.returncode)
        self.assertEqual(traced.stderr, plain.stderr)

    def test_sampling_is_refused(self):
        result = harness.record([PROGRAM], "--sample", "1K", "--mismatches", "on")
        self.assertEqual(result.returncode, 125)
        self.assertIn(b"--sample", result.stderr)

    @unittest.skipUnless(shutil.which("valgrind"), "no valgrind")
    def test_memcheck_agrees(self):
        for case, (*_, expected) in CASES.items():
            with self.subTest(case):
                result = harness.run(["valgrind", "-q", PROGRAM, case])
                said = re.findall(r"(Mismatched free\(\).*|Invalid free\(\).*)",
                                  result.stderr.decode())
                self.assertEqual(said, [] if expected is None else [expected])
        for case in ("pairs", "fork"):
            result = harness.run(["valgrind", "-q", PROGRAM, case])
            self.assertNotIn(b"free()", result.stderr)


if __name__ == "__main__":
    harness.main()
