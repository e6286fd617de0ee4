"""Programs of the distribution under Memcheck and under Mallogram: the same blocks
are definitely lost, at the same sites, or it is explained.

  real_programs.py       four of them
  REAL_PROGRAMS=all      all that are installed
  real_programs.py --table

A site is what can be compared of stripped programs: the exported functions and the
libraries of the three innermost frames below the allocator. Programs whose
allocations depend on addresses or on the day are given what keeps them still.
"""

import collections
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import corpus
import harness
import peers

ALL = os.environ.get("REAL_PROGRAMS") == "all"
FEW = ("jq", "perl", "sort", "tar")
STILL = {"PERL_HASH_SEED": "0", "PYTHONHASHSEED": "0", "PYTHONMALLOC": "malloc",
         "G_SLICE": "always-malloc", "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1",
         "GIT_CONFIG_GLOBAL": "/dev/null", "TERM": "dumb"}

# (program, why); what is found there needs not be the same.
DIFFERENCES = {
}


def make_inputs(directory):
    """The files that the programs work on."""
    records = [{"id": i, "name": f"name {i}", "tags": ["a", "b", {"deep": [i] * 5}]}
               for i in range(300)]
    (directory / "in.json").write_text(json.dumps(records))
    (directory / "in.xml").write_text(
        "<?xml version='1.0'?><all>" + "".join(
            f"<item id='{i}'><name>n{i}</name><!-- c --></item>" for i in range(300)) +
        "</all>")
    (directory / "in.txt").write_text("".join(f"{i * 7919 % 1000} line {i}\n"
                                              for i in range(500)))
    (directory / "in.c").write_text(
        "struct s { int a, b; };\nstatic int f(struct s *p) { return p->a * p->b; }\n"
        "int g(int n) { struct s x = {n, 2}; return f(&x); }\n")
    home = directory / "gnupg"
    home.mkdir(mode=0o700)
    repository = directory / "repository"
    repository.mkdir()
    (repository / "file").write_text("text\n")
    git = ["git", "-c", "user.name=n", "-c", "user.email=e@x", "-C", str(repository)]
    if shutil.which("git"):
        env = {**harness.clean_env(), **STILL}
        subprocess.run([*git, "init", "-q"], env=env, check=True)
        subprocess.run([*git, "add", "file"], env=env, check=True)
        subprocess.run([*git, "commit", "-q", "-m", "one"], env=env, check=True)


def compiler_proper():
    if shutil.which("gcc") is None:
        return "cc1"
    return subprocess.run(["gcc", "-print-prog-name=cc1"], stdout=subprocess.PIPE,
                          text=True, check=True).stdout.strip()


SQL = ("create table t(a integer primary key, b text); "
       "with recursive n(i) as (select 1 union all select i+1 from n where i < 500) "
       "insert into t select i, 'row ' || i from n; "
       "create index i on t(b); select count(*), max(b) from t where b like 'row 1%';")
PROGRAMS = {
    "xmllint": ["/usr/bin/xmllint", "--noout", "in.xml"],
    "jq": ["/usr/bin/jq", "[.[] | select(.id % 3 == 0) | {name}] | length", "in.json"],
    "sqlite3": ["/usr/bin/sqlite3", ":memory:", SQL],
    "git": ["/usr/bin/git", "-C", "repository", "log", "--stat"],
    "perl": ["/usr/bin/perl", "-e",
             "my %h; $h{$_ % 97} .= $_ for 1..2000; print join ',', sort keys %h"],
    "python3": ["/usr/bin/python3", "-I", "-S", "-c",
                "import json; print(len(json.dumps([{'a': i} for i in range(500)])))"],
    "curl": ["/usr/bin/curl", "-s", "file:///etc/passwd"],
    "gpg": ["/usr/bin/gpg", "--homedir", "gnupg", "--no-autostart", "--list-keys"],
    "openssl": ["/usr/bin/openssl", "dgst", "-sha256", "in.txt"],
    "tar": ["/usr/bin/tar", "cf", "out.tar", "in.txt", "in.xml", "repository"],
    "rsync": ["/usr/bin/rsync", "-a", "--dry-run", "in.txt", "copy/"],
    "vim": ["/usr/bin/vim", "-u", "NONE", "-i", "NONE", "-es", "-c", "g/9/d",
            "-c", "q!", "in.txt"],
    "cc1": [compiler_proper(), "-quiet", "-O1", "in.c", "-o", "out.s"],
    "bash": ["/bin/bash", "--norc", "-c",
             "a=(); for i in {1..200}; do a+=(\"x$i\"); done; f() { local b=$1; echo "
             "${b^^}; }; f \"${a[*]}\" | { read -r l; echo ${#l}; }"],
    "awk": ["/usr/bin/awk", "{ n[$1 % 10] += length($0) } END { for (k in n) print k, n[k] }",
            "in.txt"],
    "sort": ["/usr/bin/sort", "-n", "in.txt"],
    "sed": ["/bin/sed", "-E", "s/(line) ([0-9]+)/\\2 \\1/", "in.txt"],
    "grep": ["/bin/grep", "-nE", "9.*(1|7)+$", "in.txt"],
    "find": ["/usr/bin/find", ".", "-name", "*.x*", "-newer", "in.txt"],
}
# Outside of the programs: the frames of the tools' own allocation functions.
ALLOCATORS = {"malloc", "calloc", "realloc", "memalign", "posix_memalign",
              "aligned_alloc", "reallocarray", "valloc", "pvalloc", "operator new",
              "operator new[]", "free", "strdup"}


def installed():
    return [name for name, argv in PROGRAMS.items() if os.path.exists(argv[0])]


def site(frames):
    """frames: [(function or None, object)], innermost first."""
    below = [(function.split("(")[0].split("@")[0] or None if function else None,
              os.path.basename(module or "?")) for function, module in frames]
    while below and (below[0][0] in ALLOCATORS or
                     "vgpreload" in below[0][1] or "mallogram" in below[0][1]):
        del below[0]
    return tuple(below[:3])


def same_site(one, other):
    """Equal as far as both know the functions."""
    return len(one) == len(other) and all(
        module == other_module and (function is None or other_function is None or
                                    function == other_function)
        for (function, module), (other_function, other_module) in zip(one, other))


def frames_of_memcheck(path):
    import xml.etree.ElementTree as trees  # pylint: disable=import-outside-toplevel
    for error in trees.parse(path).getroot().findall("error"):
        if error.findtext("kind") != "Leak_DefinitelyLost":
            continue
        blocks = int(error.findtext("xwhat/leakedblocks"))
        message = error.findtext("xwhat/text").replace(",", "").split()
        size = int(message[1].strip("(") if message[1].startswith("(") else message[0])
        yield blocks, size, [(f.findtext("fn"), f.findtext("obj"))
                             for f in error.findall("stack/frame")]


def memcheck(argv, directory, env):
    """{site: [blocks, bytes]} of the first process's definite losses."""
    out = directory / "memcheck.xml"
    subprocess.run([*peers.MEMCHECK[:2], "--xml=yes", "-q", "--num-callers=40",
                    f"--xml-file={out}", "--child-silent-after-fork=yes", *argv],
                   cwd=directory, env=env, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300,
                   check=False)
    return summed(frames_of_memcheck(out))


def summed(records):
    sites = collections.defaultdict(lambda: [0, 0])
    for blocks, size, frames in records:
        total = sites[site(frames)]
        total[0] += blocks
        total[1] += size
    return dict(sites)


def mallogram(argv, directory, env):
    out = directory / "leaks.json"
    result = subprocess.run(
        [harness.mallogram(), "leaks", f"--json={out}", "--", *argv], cwd=directory,
        env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, timeout=300, check=False)
    if not out.exists():
        raise AssertionError(result.stderr.decode(errors="replace"))
    report = harness.whole_leaks(out.read_text())
    first = min(range(len(report["processes"])),
                key=lambda i: report["processes"][i]["pid"])
    return summed((r["blocks"], r["bytes"],
                   [(f["function"], f["module"]) for f in r["stack"]])
                  for r in report["records"] if r["kind"] == "definite" and
                  r["process"] == first and not r["suppressed"])


def differences(theirs, ours):
    """Lines; sites are matched one by one."""
    left = dict(ours)
    lines = []
    for place, (blocks, size) in sorted(theirs.items(), key=str):
        match = next((s for s in left if same_site(place, s) and
                      left[s] == [blocks, size]), None)
        if match is None:
            match = next((s for s in left if same_site(place, s)), None)
            lines.append(f"{place}: Memcheck {blocks} blocks {size} bytes, "
                         f"we {left[match] if match else 'nothing'}")
        if match is not None:
            del left[match]
    lines += [f"{place}: Memcheck nothing, we {what}"
              for place, what in sorted(left.items(), key=str)]
    return lines


def compare(name):
    """(name, sites of Memcheck, ours, differences)."""
    with tempfile.TemporaryDirectory(prefix="real-") as path:
        directory = pathlib.Path(path)
        make_inputs(directory)
        env = {**harness.clean_env(), **STILL}
        theirs = memcheck(PROGRAMS[name], directory, env)
        ours = mallogram(PROGRAMS[name], directory, env)
        return name, theirs, ours, differences(theirs, ours)


class RealPrograms(unittest.TestCase):
    @unittest.skipIf(peers.memcheck_program() is None, "valgrind is not installed")
    def test_same_definite_sites(self):
        names = [name for name in installed() if ALL or name in FEW]
        wrong = []
        for name, _, _, lines in corpus.each([(n,) for n in names], compare):
            if name in DIFFERENCES:
                continue
            wrong += [f"{name}: {line}" for line in lines]
        self.assertEqual(wrong, [], "\n" + "\n".join(wrong))


def table():
    print("| program | definite sites, Memcheck | Mallogram | same |\n|---|--:|--:|---|")
    for name, theirs, ours, lines in corpus.each([(n,) for n in installed()], compare):
        print(f"| {name} | {len(theirs)} | {len(ours)} | "
              f"{'yes' if not lines else 'no: ' + DIFFERENCES.get(name, '; '.join(lines))} |")


if __name__ == "__main__":
    if "--table" in sys.argv:
        table()
    else:
        harness.main()
