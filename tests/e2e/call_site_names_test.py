"""Names of call sites, as users read them: programs of several compilers and options,
recorded; what `report --json` calls the frames."""

import json
import pathlib
import re
import shutil
import subprocess
import unittest

import harness

SOURCES = pathlib.Path(__file__).resolve().parents[1] / "programs" / "names"
COMPILERS = [c for c in ("g++", "clang++") if shutil.which(c)]


class Names(harness.Case):

    def build(self, compiler, *arguments, sources=None):
        program = self.dir / "program"
        subprocess.run([compiler, *arguments, "-o", program, *sources], check=True, cwd=self.dir)
        return program

    def recorded(self, program, *arguments):
        """[(bytes, ["function:line", …] without plumbing)] of the sites."""
        trace = self.dir / "one.mgram"
        self.record([program, *arguments], "-q", "-o", trace)
        return self.sites(trace)

    def sites(self, trace):
        self.report = harness.report(trace)
        return [(site["bytes_allocated"],
                 [f"{f['function']}:{f['line']}" for f in site["stack"] if not f["folded"]])
                for site in self.report["sites"]]

    def test_lambdas(self):
        for compiler in COMPILERS:
            for options in (("-g", "-O1"), ("-g", "-O0"), ("-O1",)):
                with self.subTest(compiler=compiler, options=options):
                    program = self.build(compiler, "-std=c++17", *options,
                                         sources=[SOURCES / "lambdas.cc"])
                    stacks = [stack for size, stack in self.recorded(program, "50")
                              if size in (500 * 1000, 25 * 1000)]
                    self.assertEqual(len(stacks), 2)
                    for stack in stacks:
                        loads = "loadUsers" if "loadUsers" in stack[1] else "loadLogs"
                        self.assertRegex(stack[0], r"^(grow::\{lambda\(long\)#1\}|\$_0)::operator\(\)")
                        self.assertTrue(stack[1].startswith(f"{loads}(long)"), stack)
                        if "-g" in options and compiler == "g++":
                            number = 1 if loads == "loadUsers" else 2
                            self.assertIn(f"main::{{lambda()#{number}}}::operator()() const:"
                                          f"{14 + number}", stack)

    def test_lambdas_are_no_recursion(self):
        for compiler in COMPILERS:
            with self.subTest(compiler):
                program = self.build(compiler, "-g", "-std=c++17", "-O1",
                                     sources=[SOURCES / "lambdas.cc"])
                result = harness.command(
                    "sweep", "-q", "--fresh", "--json", "--param", "n=30,60,120,250,500,900", "--",
                    program, "{n}", cwd=self.dir, check=True)
                laws = {}
                for series in json.loads(result.stdout)["series"]:
                    names = " ".join(frame["function"] for frame in series["stack"])
                    if series["metric"] == "peak" and "load" in names:
                        laws["loadLogs" if "loadLogs" in names else "loadUsers"] = series["class"]
                self.assertEqual(laws, {"loadUsers": "linear", "loadLogs": "quadratic"})

    def test_statics_of_one_name(self):
        program = self.build("gcc", "-g", "-O1", sources=[SOURCES / "statics_a.c",
                                                          SOURCES / "statics_b.c"])
        self.recorded(program)
        text = harness.command("report", "--depth", "0", self.dir / "one.mgram").stdout.decode()
        self.assertNotIn("(recursive)", text)
        result = harness.command("fit", "--json", "--n", "1,2,3,4",
                                 *[self.dir / "one.mgram"] * 4)
        stacks = [[f["function"] for f in s["stack"] if not f["plumbing"]][:3]
                  for s in json.loads(result.stdout)["series"] if s["metric"] == "peak" and s["stack"]]
        self.assertIn(["helper", "b", "helper"], stacks)

    def test_cxx20(self):
        for compiler in COMPILERS:
            with self.subTest(compiler):
                program = self.build(compiler, "-std=c++20", "-g", "-O2",
                                     sources=[SOURCES / "cxx20.cc"])
                sites = [stack[0] for _, stack in self.recorded(program) if stack]
                self.assertFalse([s for s in sites if "construct_at" in s], sites)
                self.assertTrue([s for s in sites if re.match(r"loadNames\(.*:9$", s)], sites)

    def test_split_dwarf(self):
        for compiler in COMPILERS:
            for version in (4, 5):
                with self.subTest(compiler=compiler, version=version):
                    program = self.build(compiler, "-O2", "-g", "-gsplit-dwarf",
                                         f"-gdwarf-{version}",
                                         sources=[SOURCES / "split_dwarf.cc"])
                    for size, stack in self.recorded(program):
                        if 1000 <= size < 1003:
                            self.assertEqual([re.sub(r"\(.*\)", "", f).split("::")[-1]
                                              for f in stack[:2]], ["add:8", "fill:12"])
                            self.assertRegex(stack[2], r"hidden(\(int\))?:16$")
                    # Names without lines, not wrong ones.
                    for split in self.dir.glob("*.dwo"):
                        split.unlink()
                    functions = {stack[0] for size, stack in self.sites(self.dir / "one.mgram")
                                 if 1000 <= size < 1003}
                    self.assertEqual(functions, {"shop::(anonymous namespace)::hidden(int):None"})
                    self.assertIn("is split", " ".join(self.report["warnings"]))

    # Without a build-id, size and time of the file tell another build.
    def test_rebuilt(self):
        program = self.dir / "program"
        for first, second in ((1, 2), (2, 1)):
            self.build("gcc", "-g", "-O1", "-Wl,--build-id=none",
                       sources=[SOURCES / f"rebuilt_{first}.c"])
            before = self.recorded(program)
            named = [stack for _, stack in before if stack[0].startswith(("alpha", "beta"))]
            self.assertEqual(len(named), 2, before)
            self.assertEqual(self.sites(self.dir / "one.mgram"), before)
            self.assertNotIn("changed since", " ".join(self.report["warnings"]))
            self.build("gcc", "-g", "-O1", "-Wl,--build-id=none",
                       sources=[SOURCES / f"rebuilt_{second}.c"])
            after = self.sites(self.dir / "one.mgram")
            self.assertFalse([s for _, s in after if s[0].startswith(("alpha", "beta"))], after)
            self.assertIn(f"{program} has been changed since the recording",
                          " ".join(self.report["warnings"]))

    KINDS = {
        101: r"Tagged\[abi:v2\]::grab\(\)", 102: r"freeTagged\[abi:fast\]\(\)::.*operator\(\)",
        103: r"void \(\*picker<int>\(int\)\)\(int\)", 106: r"lit::operator\"\" ?_km\(",
        107: r"Conv::operator std::function<void \(int\)>\(\)", 109: r"Op::operator<\(",
        110: r"Op::operator\(\)\(int\)", 111: r"bool Op::operator><int>\(int\)",
        113: r"Conv::operator int\*\(\)", 114: r"Op::operator->\(\)",
        115: r"Op::operator,\(int\)", 116: r".*trailing<int>\(int\)",
        117: r"decltype\(auto\) deduced<long>\(long\)", 118: r"localClass\(\)::In::go",
    }

    def test_kinds_of_names(self):
        for compiler in COMPILERS:
            for options in (("-g", "-O1"), ("-g0", "-O1"), ("-g", "-O0")):
                with self.subTest(compiler=compiler, options=options):
                    program = self.build(compiler, "-std=c++20", "-w", *options,
                                         sources=[SOURCES / "names.cc"])
                    found = {size: stack[0] for size, stack in self.recorded(program) if stack}
                    for size, pattern in self.KINDS.items():
                        self.assertRegex(found[size], "^" + pattern)


if __name__ == "__main__":
    harness.main()
