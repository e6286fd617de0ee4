"""The contracts of the allocation functions are the same with and without us.

tests/programs/contract.cc prints what every entry point does to its result, errno,
alignment, contents and usable size. The transcript of a plain run and of a traced
one must be the same, on the libc's allocator and on others behind the tracer.
"""

import os
import re
import unittest

import accounts
import harness

DIRECTORY = "/usr/lib/x86_64-linux-gnu"
ALLOCATORS = {"jemalloc": f"{DIRECTORY}/libjemalloc.so.2",
              "tcmalloc": f"{DIRECTORY}/libtcmalloc_minimal.so.4",
              "mimalloc": next((path for path in (f"{DIRECTORY}/libmimalloc.so.2",
                                                  f"{DIRECTORY}/libmimalloc.so.3")
                                if os.path.exists(path)), "libmimalloc is not installed"),
              "bump": None}


class Contract(harness.Case):
    def plain_and_skip(self, preload):
        """The plain transcript, and the names that this allocator can't do."""
        env = harness.clean_env(**({"LD_PRELOAD": preload} if preload else {}))
        contract = accounts.program("contract")
        missing = harness.run([contract, "missing"], env=env, check=True)
        skip = missing.stdout.decode().split()
        if preload and ("mimalloc" in preload or "bump" in preload):
            skip.append("bad_alloc")  # they don't throw it
        plain = harness.run([contract, *skip], env=env, check=True)
        again = harness.run([contract, *skip], env=env, check=True)
        self.assertEqual(plain.stdout, again.stdout, "the plain run itself varies")
        self.assertGreater(len(plain.stdout.splitlines()), 200)
        for bad in (b"TOO SMALL", b"CONTENTS LOST", b"NOT ZEROED"):
            self.assertNotIn(bad, plain.stdout)
        return plain.stdout.decode().splitlines(), skip

    def check(self, preload, *options, env, usable=True, whole=True):
        plain, skip = self.plain_and_skip(preload)
        result = self.record([accounts.program("contract"), *skip], *options, env=env)
        traced = result.stdout.decode().splitlines()
        if not usable:
            plain, traced = ([re.sub(r"usable \d+", "", line) for line in lines]
                             for lines in (plain, traced))
        self.assertEqual(plain, traced)
        report = harness.report(self.trace())
        if whole:
            self.assertEqual(accounts.inconsistencies(report), [])
        # The failures left nothing behind: no block of half the address space. (In
        # tcmalloc pvalloc(SIZE_MAX - 10) wraps around and succeeds.)
        if "tcmalloc" not in (preload or ""):
            self.assertLess(report["totals"]["peak_heap_bytes"], 1 << 30)

    def check_allocator(self, name, whole=True):
        preload = ALLOCATORS[name] or accounts.program("libbump_allocator.so")
        if not os.path.exists(preload):
            self.skipTest(f"{preload} is not installed")
        with self.subTest("the user's own LD_PRELOAD"):
            self.check(preload, env=harness.clean_env(LD_PRELOAD=preload), whole=whole)
        for trace in harness.traces(self.dir):
            trace.unlink()
        option = name if ALLOCATORS[name] else preload
        with self.subTest("--allocator"):
            self.check(preload, "--allocator", option, env=harness.clean_env(),
                       whole=whole)

    def test_libc(self):
        self.check(None, env=harness.clean_env())

    def test_verify_mode(self):
        # libunwind walks along, and allocates: what glibc has left over of a block
        # depends on what was there before.
        self.check(None, env=harness.clean_env(MALLOGRAM_VERIFY="1"), usable=False)

    def test_jemalloc(self):
        self.check_allocator("jemalloc")

    def test_tcmalloc(self):
        self.check_allocator("tcmalloc")

    def test_mimalloc(self):
        self.check_allocator("mimalloc")

    def test_operator_new_of_allocators(self):
        """jemalloc, tcmalloc and mimalloc bring an operator new that does not call
        malloc: libmallogram_new.so records it."""
        truth_file = self.dir / "truth"
        for name in ("jemalloc", "tcmalloc", "mimalloc"):
            truth_file.write_text("")
            self.record([accounts.program("truth"), 1, 10], "--allocator", name,
                        env=harness.clean_env(TRUTH_FILE=truth_file))
            [truth] = accounts.read_truth(truth_file)
            report = harness.report(self.trace())
            self.assertEqual(accounts.differences(truth, report), [])
            self.trace().unlink()

    def test_8_byte_aligned_allocator(self):
        self.check_allocator("bump")


if __name__ == "__main__":
    harness.main()
