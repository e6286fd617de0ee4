"""The recorder as its users have it: installed, in front of a program; and whether what
it recorded is good."""

import re
import shutil
import subprocess

from bench_lib import runners
from transparency_lib.compare import Difference

# How a program is recorded: options of `mallogram record`. `leaks` is what `mallogram
# leaks PROGRAM` does, but for its report: the program is traced as by a debugger.
MODES = {"record": (), "leaks": ("--leak-check", "full")}


def install(build, directory):
    """Installs as README.md says, where any user can read it. Returns the command."""
    done = subprocess.run(["meson", "install", "-C", build, "--no-rebuild", "--strip",
                           "--quiet", "--destdir", directory], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    found = sorted(directory.rglob("bin/mallogram"))
    if done.returncode != 0 or not found:
        raise runners.Failure(f"meson install in {build}: {done.stdout.strip()[-300:]}")
    return str(found[0])


def copy_installed(prefix, directory):
    """The same of what is installed already below `prefix`."""
    try:
        shutil.copytree(prefix / "lib" / "mallogram", directory / "lib" / "mallogram")
        (directory / "bin").mkdir()
        shutil.copy(prefix / "bin" / "mallogram", directory / "bin")
    except OSError as error:
        raise runners.Failure(f"no Mallogram is installed in {prefix}: {error}") from error
    return str(directory / "bin" / "mallogram")


def command(mallogram, mode, traces):
    return [mallogram, "record", "-q", "-o", f"{traces}/", *MODES[mode], "--"]


def common_name(program):
    """Of x86_64-linux-gnu-g++-12, python3.11, vim.nox: g++, python3, vim."""
    return re.sub(r"^x86_64-linux-gnu-|-\d+$|(?<=\d)\.\d+$|\.(bfd|nox|bin)$", "", program)


def judge(mallogram, traces, programs):
    """(differences, number of allocations). `programs`: whose recordings must be there."""
    files = sorted(traces.glob("*.mgram"))
    try:
        figures = runners.figures_of_report(mallogram, files)
    except runners.Failure as failure:
        return [Difference("recording", str(failure))], 0
    wrong = []
    # Of an executable with a malloc of its own the recording says so itself.
    said = any("defines malloc itself" in warning for warning in figures["warnings"])
    if figures["allocations"] == 0 and not said:
        wrong.append("no allocation")
    if figures["lost"]:
        wrong.append(f"{figures['lost']} events lost")
    if figures["violations"]:
        wrong.append(f"{figures['violations']} events out of order")
    recorded = [common_name(p) for p in figures["programs"]]
    missing = [p for p in programs if p not in recorded]
    if missing:
        wrong.append(f"nothing of {', '.join(missing)}, but of {', '.join(recorded)}")
    return [Difference("recording", text) for text in wrong], figures["allocations"]
