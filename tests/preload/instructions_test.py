"""The recording path's cost in instructions, against a golden file.

tests/programs/hot_path.cc is recorded while it runs under callgrind, which counts every
instruction that it executes in the library: no clock, no noise. A case that needs more
than the golden file says, beyond its tolerance, fails, and the functions that make the
difference are printed. One that needs much less fails too: the golden file would no
longer guard what was gained.

    MALLOGRAM=… MALLOGRAM_PROGRAMS=… instructions_test.py --compiler NAME [--update]

`ninja -C BUILD update-instructions` rewrites the golden file. The figures hold for the
compiler that is named in it; with another one, or without valgrind, the test is skipped.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import harness

GOLDEN = pathlib.Path(__file__).with_name("instructions.json")
LIBRARY = "libmallogram.so"
TOLERANCE = 0.03
WARM, COUNT = 64, 1024
# What the golden file keeps of a case: functions with at least this much of it.
NOTABLE = 0.02


def read_part(path):
    """(what made callgrind write this part, {function: instructions in the library}).

    Lines are "key=value" or "line cost"; the one after "calls=" is the callee's."""
    trigger, functions = "", {}
    in_library = is_call = False
    name = ""
    for line in path.read_text().splitlines():
        key, equals, value = line.partition("=")
        if line.startswith("desc: Trigger:"):
            trigger = value
        elif equals and key == "ob":
            in_library = pathlib.Path(value).name == LIBRARY
        elif equals and key == "fn":
            name = value.partition("(")[0].removeprefix("mallogram::")
        elif equals and key == "calls":
            is_call = True
        elif line[:1].isdigit() or line[:1] in "+-*":
            if in_library and not is_call:
                cost = line.split()[1:]  # nothing: no instruction
                functions[name] = functions.get(name, 0) + int(cost[0] if cost else 0)
            is_call = False
    return trigger, functions


def measure(directory):
    """{case: {function: instructions a pair}}, in the order of the program."""
    program = pathlib.Path(harness._path_of("MALLOGRAM_PROGRAMS")) / "hot_path"
    # Not /usr/bin/valgrind, which may be a shell script: it would be recorded as well.
    valgrind = shutil.which("valgrind.bin") or shutil.which("valgrind")
    out = directory / "callgrind"
    harness.record([valgrind, "--tool=callgrind", f"--callgrind-out-file={out}",
                    "--compress-strings=no", "--compress-pos=no",
                    "--dump-before=Case*", program, WARM, COUNT],
                   "-q", "-o", directory / "trace.mgram", check=True, cwd=directory,
                   env=harness.clean_env(MALLOGRAM_RING_KIB=4096))
    # A part ends where a case begins, and bears that case's name.
    cases, before = {}, ""
    for number in range(1, 1000):
        part = out.with_name(f"{out.name}.{number}")
        if not part.exists():
            break
        trigger, functions = read_part(part)
        if trigger == "CaseEnd":
            cases[before.removeprefix("Case")] = {
                name: cost / COUNT for name, cost in
                sorted(functions.items(), key=lambda item: -item[1])}
        before = trigger
    if not cases:
        raise SystemExit(f"no case was measured: {sorted(directory.iterdir())}")
    return cases


def to_golden(cases, compiler):
    return {
        "compiler": compiler,
        "tolerance": TOLERANCE,
        "instructions": {
            case: {"all": round(sum(functions.values()), 1),
                   **{name: round(cost, 1) for name, cost in functions.items()
                      if cost >= NOTABLE * sum(functions.values())}}
            for case, functions in cases.items()},
    }


def compare(golden, now):
    """Prints a line a case; returns what is out of bounds."""
    failures = []
    for case in {**golden["instructions"], **now["instructions"]}:
        old = golden["instructions"].get(case)
        new = now["instructions"].get(case)
        if old is None or new is None:
            failures.append(f"{case}: only {'measured' if new else 'in the golden file'}")
            continue
        change = new["all"] / old["all"] - 1
        print(f"{case:20} {new['all']:8.1f} instructions, golden {old['all']:8.1f}, "
              f"{change:+6.1%}")
        if abs(change) <= golden["tolerance"]:
            continue
        failures.append(f"{case}: {change:+.1%}, allowed ±{golden['tolerance']:.0%}")
        for name in [name for name in {**new, **old} if name != "all"]:
            before, after = old.get(name, 0.0), new.get(name, 0.0)
            print(f"    {after - before:+8.1f}  {before:8.1f} -> {after:8.1f}  {name}")
    return failures


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--compiler", required=True)
    parser.add_argument("--update", action="store_true")
    options = parser.parse_args()
    golden = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else None
    if not shutil.which("valgrind"):
        print("skipped: no valgrind")
        return harness.SKIPPED
    if not options.update and golden["compiler"] != options.compiler:
        print(f"skipped: the figures are {golden['compiler']}'s, "
              f"this is {options.compiler}")
        return harness.SKIPPED
    with tempfile.TemporaryDirectory(prefix="mallogram-test-") as directory:
        now = to_golden(measure(pathlib.Path(directory)), options.compiler)
    failures = compare(golden, now) if golden else []
    if options.update:
        GOLDEN.write_text(json.dumps(now, indent=2) + "\n")
        print(f"wrote {GOLDEN}")
        return 0
    for failure in failures:
        print("FAILED", failure)
    if failures:
        print("If that is meant: ninja -C BUILD update-instructions")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
