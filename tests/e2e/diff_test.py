"""`mallogram diff`: two recordings of a program, before and after a change, and two
moments of one recording."""

import json

import harness

PROGRAM = r"""
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef AFTER
/* Moves every line below. */


#endif
static char* volatile kept[4];
__attribute__((noinline)) char* Grows(size_t n) { char* p = malloc(n); return p; }
__attribute__((noinline)) char* Stays(size_t n) { char* p = malloc(n); return p; }
#ifdef AFTER
__attribute__((noinline)) char* Comes(size_t n) { char* p = malloc(n); return p; }
#else
__attribute__((noinline)) char* Goes(size_t n) { char* p = malloc(n); return p; }
#endif
int main(void) {
  kept[0] = Grows(EXTRA);
  write(2, "phase half 1.0\n", 15);
  kept[1] = Stays(5000);
#ifdef AFTER
  kept[2] = Comes(70000);
#else
  kept[2] = Goes(900);
#endif
  for (int i = 0; i < 20; ++i) free(Stays(10));
  return 0;
}
"""


class Diff(harness.Case):
    def record_as(self, program, name, *arguments):
        self.record([program, *arguments], "-o", self.dir / name)
        return self.dir / name

    def diff(self, *arguments):
        result = harness.command("diff", *arguments)
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        return result.stdout.decode()

    def by_function(self, *arguments):
        difference = json.loads(self.diff("--json", *arguments))
        return difference, {site["function"]: site for site in difference["sites"]}

    def setUp(self):
        super().setUp()
        self.old_program = harness.compile_c(self.dir, "old", PROGRAM, "-DEXTRA=1000")
        self.new_program = harness.compile_c(self.dir, "new", PROGRAM, "-DAFTER",
                                             "-DEXTRA=31000")
        self.old = self.record_as(self.old_program, "old.mgram")
        self.new = self.record_as(self.new_program, "new.mgram")

    def test_two_builds(self):
        difference, sites = self.by_function(self.old, self.new)
        # Lines have moved, names have not: the site that stays is not there.
        self.assertEqual(set(sites), {"Grows", "Comes", "Goes"})
        self.assertEqual(sites["Grows"]["live"],
                         {"before": 1000, "after": 31000, "change": 30000})
        self.assertEqual(sites["Comes"]["peak"]["change"], 70000)
        self.assertEqual(sites["Goes"]["allocated"]["change"], -900)
        self.assertEqual([s["function"] for s in difference["sites"]],
                         ["Comes", "Grows", "Goes"])
        self.assertEqual(difference["call_sites"],
                         {"new": 1, "gone": 1, "larger": 1, "smaller": 0,
                          "as_before": difference["call_sites"]["as_before"]})
        self.assertGreaterEqual(difference["call_sites"]["as_before"], 1)
        self.assertEqual(difference["totals"]["live"]["change"], 30000 + 70000 - 900)
        self.assertEqual(difference["totals"]["calls"]["change"], 0)
        for name in ("peak", "live", "allocated", "calls"):
            self.assertEqual(sum(s[name]["change"] for s in difference["sites"]),
                             difference["totals"][name]["change"], name)

    def test_text(self):
        text = self.diff(self.old, self.new)
        self.assertIn("without lines: ", " ".join(text.split()) + " ")
        self.assertIn("+68.4 KiB", text)
        self.assertIn("1 new, 1 gone, 1 larger", text)
        self.assertRegex(text, r"x 31")
        self.assertLess(text.index("Comes"), text.index("Grows"))
        one = self.diff("--top", "1", self.old, self.new)
        self.assertNotIn("Grows", one)
        self.assertIn("2 more call sites", one)

    def test_the_same_twice(self):
        again = self.record_as(self.old_program, "again.mgram")
        difference, sites = self.by_function(self.old, again)
        self.assertEqual(sites, {})
        self.assertEqual(difference["totals"]["peak"]["change"], 0)
        self.assertIn("none changed", self.diff(self.old, again))

    def test_by_lines_all_sites_are_others(self):
        _, sites = self.by_function("--sites", "stack", self.old, self.new)
        self.assertIn("Stays", sites)

    def test_moments(self):
        _, sites = self.by_function(self.new, "--from", "half", "--to", "end")
        self.assertEqual(set(sites), {"Stays", "Comes"})
        self.assertEqual(sites["Stays"]["live"]["change"], 5000)
        self.assertEqual(sites["Stays"]["blocks"]["change"], 1)
        # A moment alone: all that is alive.
        _, sites = self.by_function(self.new, "--to", "half")
        self.assertEqual(sites["Grows"]["live"]["after"], 31000)
        self.assertNotIn("Comes", sites)
        self.assertIn("at half, t = ", self.diff(self.new, "--to", "half"))
        backwards, _ = self.by_function(self.new, "--from", "end", "--to", "half")
        self.assertLess(backwards["totals"]["live"]["change"], 0)

    def test_times(self):
        _, sites = self.by_function(self.new, "--to", "1h".replace("1h", "3600s"))
        self.assertIn("Comes", sites)
        _, sites = self.by_function(self.new, "--to", "0ms")
        self.assertEqual(sites, {})

    def refused(self, words, *arguments, status=2):
        result = harness.command("diff", *arguments)
        self.assertEqual(result.returncode, status, arguments)
        self.assertEqual(result.stdout, b"")
        self.assertEqual(result.stderr.count(b"\n"), 1, result.stderr)
        self.assertIn(words, result.stderr.decode())

    def test_mistakes(self):
        old, new = self.old, self.new
        self.refused("two recordings")
        self.refused("--from and --to", old)
        self.refused("not 3", old, new, old)
        self.refused("give one FILE", old, new, "--to", "half")
        self.refused("did you mean half?", new, "--to", "hslf")
        self.refused("did you mean live?", old, new, "--by", "livee")
        self.refused("live, blocks", new, "--to", "half", "--by", "peak")
        self.refused("did you mean names?", old, new, "--sites", "name")
        self.refused("--marks", old, new, "--marks", "x")
        self.refused("nonesuch", old, self.dir / "nonesuch.mgram", status=1)
        self.refused("nonesuch", new, "--to", "half", "--marks",
                     self.dir / "nonesuch", status=1)

    def test_no_phases(self):
        plain = self.record_as("/bin/true", "true.mgram")
        self.refused("has no phases", plain, "--to", "stored")


if __name__ == "__main__":
    harness.main()
