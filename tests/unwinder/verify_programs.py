"""Records real programs with MALLOGRAM_VERIFY=1: every stack is compared with libunwind.

usage: verify_programs.py [--quick] MALLOGRAM THROWER

Prints a table (program, stacks, equal, each class of difference) and fails if a
difference is unexplained, a program fails, or fewer stacks than promised were
compared. THROWER is the program built from thrower.cc.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile

# preload/unwinder/verify.h, enum VerifyClass, with the reasons.
CLASSES = [
    ("equal", ""),
    ("unexplained", ""),
    ("libunwind stopped early", "its frames are an inner part of ours"),
    ("beyond libunwind's buffer", "131,072 frames"),
    ("cut", "by --max-depth or for want of memory"),
    ("both guessed", "no CFI: frame pointers, other plausibility checks"),
]
FULL_TOTAL = 10_000_000
QUICK_TOTAL = 200_000


def write_inputs(folder, scale):
    """Deterministic inputs; `scale` 1 is the full size."""
    rng = random.Random(7)
    with open(f"{folder}/big.xml", "w") as out:
        out.write("<root>")
        for i in range(int(250_000 * scale)):
            out.write(f'<entry id="{i}" kind="k{rng.randrange(20)}"><b>text {i}</b></entry>\n')
        out.write("</root>")
    with open(f"{folder}/big.json", "w") as out:
        json.dump([{"id": i, "name": f"name {i}", "tags": [str(rng.random())] * 3}
                   for i in range(int(60_000 * scale))], out)
    with open(f"{folder}/job.py", "w") as out:
        out.write("import json, re, collections\n"
                  f"data = json.load(open({folder + '/big.json'!r}))\n"
                  "words = collections.Counter(w for d in data for w in re.split(r'\\W', d['name']))\n"
                  "class Node:\n"
                  "    def __init__(self, v): self.v, self.next = v, None\n"
                  "def walk(n): return [str(n)] + (walk(n - 1) if n else [])\n"
                  f"for i in range(int({int(600 * scale)})): walk(i % 90)\n"
                  "print(len(json.dumps(data)), len(words), sum(1 for d in data if Node(d)))\n")
    with open(f"{folder}/job.pl", "w") as out:
        out.write(f"my $n = {int(450_000 * scale)};\n"
                  "my %h; for my $i (1 .. $n) { $h{\"k$i\"} = { a => $i, b => [1, 2, $i] }; }\n"
                  "my @k = sort { $h{$a}{a} <=> $h{$b}{a} } keys %h;\n"
                  "sub deep { my $d = shift; $d ? deep($d - 1) : die \"out\\n\" }\n"
                  "eval { deep($_ % 60) } for 1 .. $n / 500;\n"
                  "my $s = join ',', map { \"$_=$h{$_}{a}\" } @k; $s =~ s/(\\d+)/<$1>/g;\n"
                  "if (!fork) { my @copy = map { [$_] } 1 .. $n / 100; exit 0 } wait;\n"
                  "print length($s), \"\\n\";\n")
    with open(f"{folder}/job.sql", "w") as out:
        out.write("create table t(a integer primary key, b text, c real);\n"
                  "with recursive n(x) as (select 1 union all select x + 1 from n\n"
                  f"  where x < {int(200_000 * scale)}) insert into t select x, 's' || (x * 7919 % 10007), x / 3.0 from n;\n"
                  "create index i on t(b);\n"
                  "select count(*) from (select b, sum(c) from t group by b order by 2 desc);\n"
                  "select count(*) from t x join t y on x.a = y.a + 1 where x.b > y.b;\n")
        for i in range(int(3000 * scale)):
            out.write(f"select max(a), group_concat(b) from t where a between {i} and {i + 50};\n")
    with open(f"{folder}/job.cc", "w") as out:
        headers = ["vector", "map", "string", "iostream", "regex"] if scale == 1 else ["map", "string"]
        out.write("".join(f"#include <{h}>\n" for h in headers))
        out.write("int main() { std::map<std::string, int> m; m[\"a\"] = 1; return m.size(); }\n")
    write_repository(f"{folder}/repository", int(400 * scale) + 20, rng)


def write_repository(folder, commits, rng):
    os.mkdir(folder)
    lines = [f"line {i}" for i in range(300)]
    stream = []
    for n in range(commits):
        for _ in range(12):
            lines[rng.randrange(len(lines))] = f"changed in {n}: {rng.random()}"
        text = "\n".join(lines) + "\n"
        message = f"Commit number {n}"
        stream.append(f"commit refs/heads/main\ncommitter A <a@example> {1_700_000_000 + n} +0000\n"
                      f"data {len(message)}\n{message}\n"
                      f"M 644 inline file{n % 5}\ndata {len(text)}\n{text}\n")
    environment = dict(os.environ, GIT_CONFIG_NOSYSTEM="1", HOME=folder)
    subprocess.run(["git", "init", "-q", "-b", "main", folder], check=True, env=environment)
    subprocess.run(["git", "-C", folder, "fast-import", "--quiet"], check=True,
                   input="".join(stream).encode(), env=environment)


def commands(folder, thrower, scale):
    return [
        ("jq", ["jq", "[.[] | {id, n: (.name | ascii_upcase), t: (.tags | map(length) | add)}] "
                      "| group_by(.t) | map(length)", f"{folder}/big.json"], {}),
        ("xmllint", ["xmllint", "--noout", f"{folder}/big.xml"], {}),
        ("python3", ["/usr/bin/python3", f"{folder}/job.py"], {"PYTHONMALLOC": "malloc"}),
        ("sqlite3", ["sqlite3", "-init", f"{folder}/job.sql", ":memory:", ".quit"], {}),
        ("git", ["git", "--no-pager", "-C", f"{folder}/repository", "log", "-p", "--stat", "-M"], {}),
        ("perl", ["perl", f"{folder}/job.pl"], {}),
        ("clang++", ["clang++", "-std=c++17", "-fsyntax-only", f"{folder}/job.cc"], {}),
        ("thrower", [thrower, str(int(20_000 * scale))], {}),
    ]


def record(mallogram, name, command, extra, folder):
    """Returns (walks, full walks, class counts, details) over all processes of the run."""
    traces = f"{folder}/{name}.traces"
    os.mkdir(traces)
    environment = dict(os.environ, MALLOGRAM_VERIFY="1", LC_ALL="C", HOME=folder, **extra)
    run = subprocess.run([mallogram, "record", "-q", "-o", f"{traces}/x.mgram", "--", *command],
                         env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                         stdin=subprocess.DEVNULL)
    if run.returncode != 0:
        sys.exit(f"{name}: exit status {run.returncode}: {run.stderr.decode()[-500:]}")
    report = json.loads(subprocess.run([mallogram, "report", "--json", traces], check=True,
                                       stdout=subprocess.PIPE).stdout)
    details = [p["end"]["detail"] for p in report["processes"] if p["end"].get("detail")]
    own = report["self"]
    return own["walks"], own["full_walks"], own["verify_classes"], details


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("mallogram")
    parser.add_argument("thrower")
    options = parser.parse_args()
    scale = 0.02 if options.quick else 1
    failures = []
    total = 0
    with tempfile.TemporaryDirectory() as folder:
        write_inputs(folder, scale)
        used = range(len(CLASSES))
        print(f"{'program':10}{'stacks':>12}" + "".join(f"{CLASSES[c][0]:>27}" for c in used))
        for name, command, extra in commands(folder, options.thrower, scale):
            if shutil.which(command[0]) is None:
                sys.exit(f"{command[0]} is not installed; tools/packages.txt names its package")
            walks, full, counts, details = record(options.mallogram, name, command, extra, folder)
            counts = (counts + [0] * len(CLASSES))[:max(len(counts), len(CLASSES))]
            stacks = sum(counts)
            total += stacks
            print(f"{name:10}{stacks:12,}" + "".join(f"{counts[c]:27,}" for c in used), flush=True)
            if counts[1] != 0:
                failures.append(f"{name}: {counts[1]} unexplained: {details}")
            if sum(counts[len(CLASSES):]) != 0:
                failures.append(f"{name}: classes that this table does not know: {counts}")
            # libunwind is loaded by our constructor: what the constructors of the
            # program's libraries allocate before it (clang: 4,300) is not compared.
            if stacks < walks * 0.99 - 5000:
                failures.append(f"{name}: {walks} walks, but {stacks} were compared")
    print(f"{'all':10}{total:12,}")
    for name, reason in CLASSES[2:]:
        print(f"  {name}: {reason}")
    promised = QUICK_TOTAL if options.quick else FULL_TOTAL
    if total < promised:
        failures.append(f"{total} stacks are fewer than the {promised} promised")
    for failure in failures:
        print("FAILED:", failure)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
