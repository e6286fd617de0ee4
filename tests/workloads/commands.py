#!/usr/bin/python3
"""The four workloads as commands: truth on standard output, one line per mistake."""

import json
import re
import subprocess
import sys

SESSION, CHUNKS, AGENT, ENCODER = sys.argv[1:5]
SMALL = {
    SESSION: ["--sessions", "3", "--transport", "socket"],
    CHUNKS: ["--chunks", "50", "--store", "sqlite"],
    AGENT: ["--agents", "2", "--steps", "10", "--history", "zlib"],
    ENCODER: ["--bytes", "3000", "--streaming"],
}
SITES = {
    SESSION: ["evicted-message", "dropped-session", "routing-log"],
    CHUNKS: ["fetched-chunk", "replaced-chunk", "activation-log"],
    AGENT: ["belief-snapshot", "observation", "plan"],
    ENCODER: ["glyph-buffer", "subtree", "stale-glyph"],
}
failures = []


def run(program, *arguments):
    return subprocess.run([program, *arguments], capture_output=True, text=True)


def expect(condition, what):
    if not condition:
        failures.append(what)
        print("FAILED:", what)


for program, small in SMALL.items():
    name = program.rsplit("/", 1)[-1]
    plain = run(program, *small)
    expect(plain.returncode == 0 and plain.stderr == "", f"{name}: runs quietly")
    truth = json.loads(plain.stdout)
    expect(truth["workload"] == name, f"{name}: says its name")
    expect(truth["leaks"] == [] and truth["end_bytes"] == 0, f"{name}: no leaks")
    expect(run(program, *small).stdout == plain.stdout, f"{name}: repeats itself")
    expect(run(program, *small, "--seed", "9").stdout != plain.stdout,
           f"{name}: the seed counts")
    end = truth["phases"][-1]
    expect(end["name"] == "end" and end["live_bytes"] == 0, f"{name}: ends with nothing")
    # The entities are all of it: together they made every block of the accounts.
    made = sum(e["allocated_bytes"] for e in truth["entities"].values())
    expect(made == end["allocated_bytes"], f"{name}: entities add up: "
           f"{made} of {end['allocated_bytes']}")
    blocks = sum(e["allocations"] for e in truth["entities"].values())
    expect(blocks == end["allocations"], f"{name}: so do their blocks")

    marked = run(program, *small, "--phase-marks")
    lines = marked.stderr.splitlines()
    marks = [re.fullmatch(r"phase ([a-z]+) (\d+\.\d{9})", line) for line in lines]
    expect(all(marks), f"{name}: form of the marks")
    expect([m[1] for m in marks] == [p["name"] for p in truth["phases"]],
           f"{name}: marks are the phases")
    times = [float(m[2]) for m in marks]
    expect(times == sorted(times), f"{name}: times do not fall")

    for site in SITES[program]:
        leaky = run(program, *small, "--leak", f"{site}:1",
                    *(["--messages", "40"] if program == SESSION else []))
        leak = json.loads(leaky.stdout)
        expect(leak["leaks"][0]["site"] == site, f"{name}: {site} is named")
        expect(leak["leaked_bytes"] == leak["end_bytes"] > 0, f"{name}: {site} leaks")

    for wrong in (["--nonsense"], ["--seed", "x"], ["--seed"], ["stray"], ["--leak", "x"],
                  ["--leak", "x:0.5"], ["--leak", SITES[program][0] + ":2"],
                  ["--phase-marks=perhaps"]):
        bad = run(program, *wrong)
        expect(bad.returncode == 2 and bad.stdout == "" and
               bad.stderr.count("\n") == 1 and bad.stderr.startswith(name + ": "),
               f"{name}: {wrong} is refused in one line, got {bad.stderr!r}")
    helped = run(program, "--help")
    expect(helped.returncode == 0 and SITES[program][0] in helped.stdout, f"{name}: help")
    with open("/dev/full", "w") as full:
        lost = subprocess.run([program, *small], stdout=full, stderr=subprocess.PIPE,
                              text=True)
    expect(lost.returncode == 1 and lost.stderr.count("\n") == 1, f"{name}: full disk")

refused = run(CHUNKS, "--store", "sqlite", "--database", "/no/such/place/x.db")
expect(refused.returncode == 1 and refused.stderr.count("\n") == 1 and
       refused.stdout == "", "chunk-store: a database that cannot be made")

print(f"{len(failures)} failures")
sys.exit(1 if failures else 0)
