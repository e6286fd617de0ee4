"""A forked child has a module table of its own: its frames must name its modules.

usage: fork_names.py MALLOGRAM
"""

import glob
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import report_json

# Parent and child allocate at the same places, so that the child's stacks meet
# rules which the parent compiled.
PROGRAM = """
sub work { my %h; $h{$_} = [$_] for 1 .. 2000; }
work();
if (!fork) { work(); exit 0 }
wait;
"""


def main():
    mallogram = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([mallogram, "record", "-q", "-o", f"{folder}/x.mgram", "--",
                        "perl", "-e", PROGRAM], check=True)
        children = glob.glob(f"{folder}/x.*.mgram")
        if len(children) != 1:
            sys.exit(f"FAILED: expected one child's file, found {children}")
        report = report_json.whole(json.loads(
            subprocess.run([mallogram, "report", "--json", children[0]], check=True,
                           stdout=subprocess.PIPE).stdout))
    frames = [frame for site in report["sites"] for frame in site["stack"]]
    nameless = [frame for frame in frames if not frame["module"]]
    modules = {(frame["module"] or "").rsplit("/", 1)[-1] for frame in frames}
    print(f"{len(report['sites'])} sites, {len(frames)} frames, modules {sorted(modules)}")
    if nameless:
        sys.exit(f"FAILED: {len(nameless)} frames without a module, as {nameless[0]}")
    outermost = {site["stack"][-1]["module"].rsplit("/", 1)[-1] for site in report["sites"]}
    if not any(name.startswith("perl") for name in outermost) or "libc.so.6" not in modules:
        sys.exit(f"FAILED: stacks end in {outermost}, and cross {modules}")


if __name__ == "__main__":
    main()
