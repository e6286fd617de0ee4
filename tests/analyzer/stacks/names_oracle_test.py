"""Names, inlined calls and lines of addresses, as llvm-symbolizer and addr2line give
them: one program in many debug formats, the instructions of its own code.

llvm-symbolizer must agree on all. It is asked before the program is changed to what it
cannot read (zstd, moved files), and of split builds about the same code unsplit:
version 14 misses inlined calls in split units whose ranges are relative to their
skeleton's address. Packages of g++'s DWARF 5 are not tested:
binutils' dwp 2.40 crashes on it, llvm-dwp 14 comes to no end.

addr2line (binutils 2.40) is a second witness where it reads the format at all: it
misses inlined calls of clang's DWARF 5 and of split DWARF. Elsewhere it may differ in
two ways, and in no more than a fifth of a build's addresses:
  name  of functions without linkage name it takes the symbol around them instead
  file  in DWARF 5 it numbers files of COMDAT and LTO code otherwise"""

import collections
import json
import pathlib
import re
import shutil
import subprocess
import sys

import harness

RESOLVE = sys.argv.pop(1)
ROOT = pathlib.Path(__file__).resolve().parents[3]
SOURCES = ROOT / "tests" / "programs" / "names" / "oracle"
OWN = re.compile(r"shelf|Shelf|Fill|Nest|Rare|main|Weigh")
PADDING = re.compile(r"nop|xchg +%ax,%ax|cs nop|data16|int3")
STEP = 2  # every second instruction

Frame = collections.namedtuple("Frame", "symbol name file line")


def run(*command, **options):
    return subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True,
                          timeout=60, **options).stdout


def instructions(program):
    """Addresses of instructions of the program's own functions."""
    addresses, own = [], False
    for line in run("objdump", "-d", "--no-show-raw-insn", "-j", ".text", program).splitlines():
        if match := re.match(r"[0-9a-f]{16} <(.*)>:", line):
            own = OWN.search(match[1])
        elif own and (match := re.match(r" +([0-9a-f]+):\t(.*)", line)):
            if not PADDING.match(match[2]):
                addresses.append(match[1])
    return addresses[::STEP]


def ours(program, addresses):
    lines = iter(run(RESOLVE, program, input="\n".join(addresses)).splitlines())
    stacks = []
    for count in lines:
        stack = []
        for _ in range(int(count)):
            symbol, name, file, line, _ = next(lines).split("\t")
            stack.append(Frame(symbol, name, pathlib.Path(file).name, int(line)))
        stacks.append(stack)
    return stacks


def llvm(program, addresses):
    stacks = []
    output = run("llvm-symbolizer", "--output-style=JSON", "--functions=linkage", "--no-demangle",
                 f"--obj={program}", input="\n".join("0x" + a for a in addresses))
    for line in output.splitlines():
        found = json.loads(line)
        found = found[0] if isinstance(found, list) else found
        stacks.append([Frame(s["FunctionName"], "", pathlib.Path(s["FileName"]).name, s["Line"])
                       for s in found["Symbol"]])
    return stacks


def addr2line(program, addresses):
    stacks = []
    lines = iter(run("addr2line", "-i", "-f", "-a", "-e", program,
                     input="\n".join(addresses)).splitlines())
    for line in lines:
        if line.startswith("0x"):
            stacks.append([])
            continue
        file, number = re.match(r"(.*):(\d+|\?)", next(lines)).groups()
        stacks[-1].append(Frame(line, "", pathlib.Path(file).name,
                                0 if number == "?" else int(number)))
    return stacks


def demangled(stacks):
    """{symbol: text}, without what the compiler adds to copies and parts."""
    symbols = sorted({frame.symbol for stack in stacks for frame in stack})
    plain = [re.sub(r"(\.(cold|part|isra|constprop|lto_priv|llvm)(\.\d+)*|@.*)+$", "", s)
             for s in symbols]
    texts = run("c++filt", "--no-strip-underscore", input="\n".join(plain)).splitlines()
    return dict(zip(symbols, texts))


def last(name):
    """The function's own name, without scopes, template arguments and parameters."""
    name = name.replace("operator()", "call").replace("(anonymous namespace)", "anonymous")
    for bracket in (r"<[^<>]*>", r"\([^()]*\)|\{[^{}]*\}"):
        while (shorter := re.sub(bracket, "", name)) != name:
            name = shorter
    return re.sub(r" const$", "", name).split("::")[-1].split(" ")[-1]


def same_name(mine, symbol, texts):
    """Where DWARF has no linkage name, an oracle has the short name or the symbol's."""
    text = texts[symbol]
    return mine.symbol == symbol or mine.name == text or (
        not mine.symbol.startswith(("_Z", "_R")) and last(mine.name) == last(text)) or (
        # "_ZN5ShelfD4Ev" is DWARF's for the symbols "…D2Ev" and "…D1Ev".
        last(mine.name) == last(text) and re.search("[CD][0-9]E", mine.symbol) is not None)


def differences(stack, oracle, texts):
    """What an oracle says otherwise: a set of "frames", "line", "file", "name"."""
    if len(stack) != len(oracle):
        return {"frames"}
    found = set()
    for mine, theirs in zip(stack, oracle):
        found |= {"line"} if mine.line != theirs.line else set()
        found |= {"file"} if mine.file != theirs.file else set()
        if not same_name(mine, theirs.symbol, texts):
            found.add("name" if not mine.symbol.startswith("_Z") else "symbol")
    return found


CPP = ["-I", ROOT, SOURCES / "main.cc", SOURCES / "shelf.cc"]
SPLIT = "-gsplit-dwarf"
LTO = {"g++": ["-flto"], "clang++": ["-flto", "-fuse-ld=lld"]}


class Oracle(harness.Case):
    asked = collections.Counter()
    builds = 0

    def setUp(self):
        super().setUp()
        self.program = self.dir / "program"

    def build(self, *command, second=False):
        """Asks the oracles, addr2line only if it is to be the `second`."""
        run(*[c for c in command if c != SPLIT], "-o", self.program, cwd=self.dir)
        self.addresses = instructions(self.program)
        self.assertGreater(len(self.addresses), 50)
        self.first = llvm(self.program, self.addresses)
        self.second = addr2line(self.program, self.addresses) if second else None
        if SPLIT in command:
            run(*command, "-o", self.program, cwd=self.dir)
            self.assertEqual(instructions(self.program), self.addresses)

    def compare(self, program=None):
        stacks = ours(program or self.program, self.addresses)
        self.assertEqual(len(stacks), len(self.addresses))
        texts = demangled(self.first)
        for address, stack, frames in zip(self.addresses, stacks, self.first):
            self.assertFalse(differences(stack, frames, texts), (address, stack, frames))
        Oracle.asked["llvm-symbolizer"] += len(stacks)
        Oracle.builds += 1
        if self.second is None:
            return
        texts, other = demangled(self.second), 0
        for address, stack, frames in zip(self.addresses, stacks, self.second):
            kinds = differences(stack, frames, texts)
            self.assertLessEqual(kinds, {"name", "file"}, (address, stack, frames))
            other += bool(kinds)
        self.assertLess(other, len(stacks) / 5)
        Oracle.asked["addr2line"] += len(stacks)

    def each(self, *compilers):
        """Those of the compilers that are installed, each in an empty directory."""
        for compiler in compilers:
            if shutil.which(compiler):
                shutil.rmtree(self.dir)
                self.dir.mkdir()
                yield compiler

    def test_levels(self):
        for level in ("-O0", "-O1", "-O2", "-O3"):
            for compiler in self.each("g++", "clang++"):
                self.build(compiler, "-g", level, *CPP, second=compiler == "g++")
                self.compare()

    def test_dwarf_4(self):
        for compiler in self.each("g++", "clang++"):
            self.build(compiler, "-g", "-gdwarf-4", "-O2", *CPP, second=True)
            self.compare()

    def test_link_time_optimization(self):
        for compiler in self.each("g++", "clang++"):
            self.build(compiler, "-g", "-O2", *LTO[compiler], *CPP, second=compiler == "g++")
            self.compare()

    def test_lines_only(self):
        for compiler in self.each("g++", "clang++"):
            self.build(compiler, "-g1", "-O2", *CPP, second=compiler == "g++")
            self.compare()

    def split(self, compiler, version, *options):
        self.build(compiler, "-g", SPLIT, f"-gdwarf-{version}", "-O2", *options, *CPP)
        self.assertEqual(len(list(self.dir.glob("*.dwo"))), 2)

    def test_split(self):
        for version in (4, 5):
            for compiler in self.each("g++", "clang++"):
                self.split(compiler, version)
                self.compare()

    # With ranges of several sections: relative to several addresses, and by number.
    def test_package(self):
        for compiler, version, pack in (("g++", 4, "dwp"), ("clang++", 4, "llvm-dwp"),
                                        ("clang++", 5, "llvm-dwp")):
            for _ in self.each(compiler):
                self.split(compiler, version, "-ffunction-sections")
                run(pack, "-e", self.program, "-o", f"{self.program}.dwp", cwd=self.dir)
                for file in self.dir.glob("*.dwo"):
                    file.unlink()
                self.compare()

    # The program and its .dwo files elsewhere than they were compiled.
    def test_moved(self):
        for compiler in self.each("g++", "clang++"):
            for version in (4, 5):
                self.split(compiler, version)
                moved = self.dir / "moved"
                moved.mkdir(exist_ok=True)
                for file in (self.program, *self.dir.glob("*.dwo")):
                    file.rename(moved / file.name)
                self.compare(moved / "program")

    # Linked from a folder of objects; their .dwo files then lie beside the program.
    def test_moved_flat(self):
        for compiler in self.each("g++", "clang++"):
            self.build(compiler, "-g", "-O2", *CPP)
            objects = []
            (self.dir / "objects").mkdir()
            for source in CPP[2:]:
                objects.append(f"objects/{source.stem}.o")
                run(compiler, "-g", SPLIT, "-O2", *CPP[:2], "-c", source, "-o", objects[-1],
                    cwd=self.dir)
            run(compiler, *objects, "-o", self.program, cwd=self.dir)
            for file in (self.dir / "objects").glob("*.dwo"):
                file.rename(self.dir / file.name)
            self.compare()

    def test_compressed(self):
        for kind in ("zlib", "zstd"):
            for compiler in self.each("g++", "clang++"):
                self.build(compiler, "-g", "-O2", *CPP)
                run("objcopy", f"--compress-debug-sections={kind}", self.program)
                self.assertRegex(run("readelf", "-SW", self.program), r"\.debug_info .* C ")
                self.compare()

    def test_compressed_split(self):
        for compiler in self.each("g++", "clang++"):
            self.split(compiler, 5)
            for file in (self.program, *self.dir.glob("*.dwo")):
                run("objcopy", "--compress-debug-sections=zstd", file)
            self.compare()

    def test_debug_files(self):
        for compress in ([], ["--compress-debug-sections=zstd"]):
            for compiler in self.each("g++"):
                self.build(compiler, "-g", "-O2", *CPP)
                debug = f"{self.program}.debug"
                run("objcopy", "--only-keep-debug", *compress, self.program, debug)
                run("strip", self.program)
                run("objcopy", f"--add-gnu-debuglink={debug}", self.program)
                self.compare()

    # What two programs have in common, in a third file.
    def test_dwz(self):
        for compiler in self.each("g++"):
            self.build(compiler, "-g", "-O2", *CPP)
            other = self.dir / "other"
            shutil.copy2(self.program, other)
            run("dwz", "-m", self.dir / "common", self.program, other, cwd=self.dir)
            self.assertTrue((self.dir / "common").exists())
            self.compare()

    def test_rust(self):
        for scheme in ([], ["-C", "symbol-mangling-version=v0"]):
            for compiler in self.each("rustc"):
                self.build(compiler, "-O", "-C", "debuginfo=2", *scheme, SOURCES / "shelf.rs")
                self.compare()

    @classmethod
    def tearDownClass(cls):
        print(f"{cls.builds} builds:", *(f"{n} addresses by {o}" for o, n in cls.asked.items()))


if __name__ == "__main__":
    harness.main()
