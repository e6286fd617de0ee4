"""Growth laws of call sites, through real recordings: tests/programs/laws.cc says by
construction how each of its sites grows, `mallogram fit` must find out."""

import json
import math
import os
import pathlib

import harness

# Seven sizes over two and a half decades, no powers of two.
SIZES = [100, 316, 1000, 3160, 10000, 17800, 31600]
CLASSES = {
    "SiteConstant": "constant",
    "SiteLogarithmic": "logarithmic",
    "SiteLinear": "linear",
    "SiteLinearithmic": "linearithmic",
    "SiteQuadratic": "quadratic",
    "SiteBounded": "bounded",
    "SiteStepped": "linear",
    "SiteEven": "linear",
    "SiteOdd": "linear",
}


def bare(name):
    """The function without namespaces and parameters."""
    return (name or "").split("(anonymous namespace)::")[-1].split("(")[0]


class Laws(harness.Case):
    def record_sizes(self, program, *more, sizes=SIZES):
        """Records the program at every size; what it printed, by size."""
        truth = {}
        for n in sizes:
            out = self.record([program, n, *more], "-o", f"n={n}.mgram").stdout
            truth[n] = {name: int(value) for name, value in
                        (line.split() for line in out.decode().splitlines()
                         if len(line.split()) == 2)}
        return truth

    def fit(self, *args, **kwargs):
        result = harness.command("fit", "--json", *args, cwd=self.dir, check=True,
                                 **kwargs)
        return json.loads(result.stdout)

    def files(self, sizes=SIZES):
        return [f"n={n}.mgram" for n in sizes]

    def check_sites(self, fitted, truth):
        series = {bare(s["function"]): s for s in fitted["series"]
                  if s["metric"] == "peak" and s["site"] is not None}
        for name, growth in CLASSES.items():
            with self.subTest(site=name):
                found = series[name]
                # To the byte.
                self.assertEqual([(int(s["n"]), int(s["bytes"])) for s in found["sizes"]],
                                 [(n, truth[n][name]) for n in SIZES])
                self.assertEqual(found["class"], growth, found["law"])
                self.assertIn(found["word"], ("high", "likely"))
        self.assertTrue(any(m.startswith("stepped")
                            for m in series["SiteStepped"]["modifiers"]))
        alarms = {(bare(s["function"]), s["metric"]) for s in fitted["series"]
                  if s["alarm"] and s["site"] is not None}
        # What a site allocates in all grows as what it holds does.
        self.assertEqual({name for name, _ in alarms}, {"SiteQuadratic"})
        self.assertIn(("SiteQuadratic", "peak"), alarms)

    def check_sums(self, fitted):
        """The terms of all sites and the remainder are the program's, exactly."""
        peak = [s for s in fitted["series"] if s["metric"] == "peak"]
        program = next(s for s in peak if s["site"] is None)
        self.assertEqual(program["id"], "program")
        sites = [s for s in peak if s["site"] is not None]
        parts = fitted["decomposition"]
        steep = [s for s in sites if s["term"]["exponent"] > 1]
        self.assertEqual([s["site"] for s in parts["steep"]], [s["site"] for s in steep])
        self.assertEqual([bare(s["function"]) for s in steep], ["SiteQuadratic"])
        n = fitted["sizes"]
        total = [s["bytes"] for s in program["sizes"]]
        # The recorder accounts for every byte: nothing is left over.
        for i in range(len(n)):
            self.assertAlmostEqual(sum(s["sizes"][i]["bytes"] for s in sites), total[i])
        self.assertLess(parts["largest_remainder"], 1e-9)
        # The line through what is not steep, by weights 1/total².
        rest = [total[i] - sum(s["sizes"][i]["bytes"] for s in steep)
                for i in range(len(n))]
        weights = [1 / t ** 2 for t in total]
        mean_n = sum(w * x for w, x in zip(weights, n)) / sum(weights)
        mean_y = sum(w * y for w, y in zip(weights, rest)) / sum(weights)
        slope = (sum(w * (x - mean_n) * (y - mean_y)
                     for w, x, y in zip(weights, n, rest)) /
                 sum(w * (x - mean_n) ** 2 for w, x in zip(weights, n)))
        intercept = mean_y - slope * mean_n
        flat = [s["term"] for s in sites if s["term"]["exponent"] <= 1]
        flat.append(parts["remainder"])
        self.assertAlmostEqual(sum(t["factor"] for t in flat), slope, delta=1e-6)
        self.assertAlmostEqual(sum(t["constant"] for t in flat), intercept, delta=1e-3)
        self.assertAlmostEqual(parts["constant"] + parts["remainder"]["constant"],
                               intercept, delta=1e-3)
        self.assertAlmostEqual(parts["linear"] + parts["remainder"]["factor"], slope,
                               delta=1e-6)

    def test_every_site_by_its_law(self):
        program = os.path.join(os.environ["MALLOGRAM_PROGRAMS"], "laws")
        truth = self.record_sizes(program, "0.1")
        fitted = self.fit(*self.files())
        self.check_sites(fitted, truth)
        self.check_sums(fitted)
        self.assertEqual(fitted["decomposition"]["dominant"], "steep")
        # The order of the recordings is of no matter, nor how sites are told apart:
        # every site here is a function of its own.
        again = self.fit(*reversed(self.files()))
        self.assertEqual(again["series"], fitted["series"])
        by_function = self.fit("--sites", "function", *self.files())
        self.check_sites(by_function, truth)

    def test_a_quadratic_site_of_one_percent(self):
        program = os.path.join(os.environ["MALLOGRAM_PROGRAMS"], "laws")
        largest = SIZES[-1]
        out = harness.run([program, largest, "0"], check=True).stdout.decode()
        rest = sum(int(line.split()[1]) for line in out.splitlines())
        factor = rest / 99 / largest ** 2
        truth = self.record_sizes(program, f"{factor:.9f}")
        total = sum(truth[largest].values())
        self.assertAlmostEqual(truth[largest]["SiteQuadratic"] / total, 0.01, delta=1e-4)
        fitted = self.fit("--predict", "300k", *self.files())
        self.check_sites(fitted, truth)
        self.check_sums(fitted)
        # Nobody sees it in the sum, but it will be most of it.
        self.assertFalse(fitted["series"][0]["alarm"])
        self.assertEqual(fitted["decomposition"]["dominant"], "linear")
        self.assertTrue(math.isclose(fitted["decomposition"]["crossover"], 99 * largest,
                                     rel_tol=0.3))
        sites = [s for s in fitted["series"]
                 if s["metric"] == "peak" and s["site"] is not None]
        at_target = [s["at_target"] for s in sites]
        self.assertEqual(at_target, sorted(at_target, reverse=True))
        order = [bare(s["function"]) for s in sites]
        # A hundredth now; 9.5² times that at the target.
        self.assertEqual(order[:3], ["SiteLinearithmic", "SiteLinear", "SiteQuadratic"])

    def test_a_rebuild_matches_by_names(self):
        source = pathlib.Path(self.dir) / "grow.cc"
        code = """
            #include <cstdio>
            #include <cstdlib>
            #include <string>
            #include <vector>
            %s
            static void* volatile sink;
            [[gnu::noinline]] void Leaf(long n) { sink = malloc(100 * n); }
            struct Item { std::string name; };
            std::vector<Item>* items;
            [[gnu::noinline]] void Fill(long n) {
              items = new std::vector<Item>;
              for (long i = 0; i < n; ++i) {
                items->push_back({std::string(40, 'x')});
              }
            }
            int main(int, char** argv) {
              const long n = atol(argv[1]);
              Leaf(n);
              Fill(n);
            }
            """
        for build, (filler, flags) in {
                "a": ("", ["-O0"]),
                "b": ("\n" * 40 + "int shifted;", ["-O2", "-fno-omit-frame-pointer"])}.items():
            source.write_text(code % filler)
            harness.run([*os.environ.get("CXX", "g++").split(), "-g", *flags, "-o",
                         self.dir / build, source], check=True)
        sizes = [100, 300, 1000, 3000, 10000, 30000]
        for i, n in enumerate(sizes):
            self.record([self.dir / "ab"[i % 2], n], "-o", f"n={n}.mgram")
        names = self.fit("--sites", "names", *self.files(sizes))
        series = {bare(s["function"]): s for s in names["series"]
                  if s["metric"] == "allocated" and s["site"] is not None}
        for name in ("Leaf", "Fill"):
            self.assertEqual(series[name]["class"], "linear", name)
            self.assertTrue(all(s["bytes"] > 0 for s in series[name]["sizes"]))
        self.assertTrue(any("another program" in w for w in names["warnings"]))
        # With lines, either build's sites are missing in the other's runs.
        stacks = self.fit(*self.files(sizes))
        leaves = [s for s in stacks["series"]
                  if s["metric"] == "allocated" and bare(s["function"]) == "Leaf"]
        self.assertEqual(len(leaves), 2)
        self.assertEqual({s["class"] for s in leaves}, {"erratic"})


class Sizes(harness.Case):
    """Where --n comes from."""

    def setUp(self):
        super().setUp()
        self.program = os.path.join(os.environ["MALLOGRAM_PROGRAMS"], "laws")

    def record_as(self, *names):
        for i, name in enumerate(names):
            (self.dir / name).parent.mkdir(exist_ok=True, parents=True)
            self.record([self.program, 100 * 3 ** i], "-o", name)

    def sizes(self, *args):
        result = harness.command("fit", "--json", *args, cwd=self.dir)
        if result.returncode != 0:
            error = result.stderr.decode()
            self.assertEqual(error.count("\n"), 1, error)
            return result.returncode, error
        fitted = json.loads(result.stdout)
        return fitted["sizes"], [s["replicates"] for s in fitted["series"][0]["sizes"]]

    def test_from_names(self):
        self.record_as("run-2-10.mgram", "run-2-20.mgram", "run-2-5k.mgram")
        names = ["run-2-10.mgram", "run-2-20.mgram", "run-2-5k.mgram"]
        self.assertEqual(self.sizes(*names), ([10, 20, 5000], [1, 1, 1]))
        self.assertEqual(self.sizes("."), ([10, 20, 5000], [1, 1, 1]))
        self.assertEqual(self.sizes("--n", "1,2,0.5", *names), ([0.5, 1, 2], [1, 1, 1]))
        self.assertEqual(self.sizes("--n-from-name", "run-([0-9]+)-", *names),
                         ([2], [3]))
        (self.dir / "sizes.tsv").write_text(
            "# by hand\nfile\tn\trep\n" + "".join(
                f"{name}\t{n}\t{rep}\n" for name, n, rep in zip(names, (7, 7, 9), (1, 2, 1))))
        self.assertEqual(self.sizes("--n-table", "sizes.tsv"), ([7, 9], [2, 1]))
        self.assertEqual(self.sizes("--n-table", "sizes.tsv", *names[1:]),
                         ([7, 9], [1, 1]))

    def test_directories(self):
        self.record_as("runs/n=10,rep=1/a.1.mgram", "runs/n=10,rep=2/a.2.mgram",
                       "runs/n=30,rep=1/a.3.mgram", "runs/n=30,rep=1/b.4.mgram")
        self.assertEqual(self.sizes("runs"), ([10, 30], [2, 1]))
        self.assertEqual(self.sizes(*(f"runs/n={x}" for x in
                                      ("10,rep=1", "10,rep=2", "30,rep=1"))),
                         ([10, 30], [2, 1]))
        # Two processes of one run are added up.
        fitted = json.loads(harness.command("fit", "--json", "runs", cwd=self.dir,
                                            check=True).stdout)
        parts = [harness.totals(self.dir / "runs/n=30,rep=1" / name)["peak_heap_bytes"]
                 for name in ("a.3.mgram", "b.4.mgram")]
        self.assertEqual(fitted["series"][0]["sizes"][1]["bytes"], sum(parts))
        self.assertTrue(any("several processes" in w for w in fitted["warnings"]))

    def test_refusals(self):
        self.record_as("a.mgram", "b-1-2.mgram", "b-3-4.mgram")
        harness.record([self.program, 10], cwd=self.dir)
        own = next(f.name for f in harness.traces(self.dir) if f.name.startswith("laws."))
        for args, status, text in (
                (["a.mgram"], 2, "no number in the name"),
                (["b-1-2.mgram", "b-3-4.mgram"], 2, "1 or 2"),
                ([own], 2, "process id"),
                (["--n", "1,2", "a.mgram"], 2, "2 sizes for 1 run"),
                (["--n", "0", "a.mgram"], 2, "above 0"),
                (["--n-from-name", "(", "a.mgram"], 2, "--n-from-name"),
                (["--n-from-name", "a", "a.mgram"], 2, "one group"),
                (["--n-from-name", "([0-9]+)", "a.mgram"], 2, "does not match"),
                (["--n-table", "none.tsv", "a.mgram"], 1, "none.tsv"),
                (["--n", "1", "--n-table", "none.tsv"], 2, "leave one out"),
                (["--n", "1", "missing.mgram"], 1, "missing.mgram"),
                (["--by", "peek", "a.mgram"], 2, "did you mean peak"),
                (["--by", "rss", "a.mgram"], 2, "--by takes"),
                (["--data", "x.tsv", "--top", "3"], 2, "--top is for recordings"),
                ([], 2, "recordings"),
        ):
            with self.subTest(args=args):
                got, error = self.sizes(*args)
                self.assertEqual(got, status, error)
                self.assertIn(text, error)

    def test_text(self):
        sizes = [100, 316, 1000, 3160, 10000]
        for n in sizes:
            self.record([self.program, n], "-o", f"n={n}.mgram")
        text = harness.command("fit", "--budget", "100MB", "--predict", "100k", ".",
                               cwd=self.dir, check=True).stdout.decode()
        for needed in ("live at the peak", "allocated in all", "resident set",
                       "RSS beside the heap", "n = 100,000", "budget of 95.4 MiB: n up to",
                       "What it is made of", "SiteQuadratic", "laws.cc:", "quadratic",
                       "steeper"):
            self.assertIn(needed, text)
        self.assertTrue(text.isascii())  # LC_ALL=C
        # The figures, then the call site on a line of its own.
        lines = text.splitlines()
        at = next(i for i, line in enumerate(lines) if "SiteQuadratic" in line)
        self.assertTrue(lines[at - 1].startswith("!"), lines[at - 1:at + 1])


if __name__ == "__main__":
    harness.main()
