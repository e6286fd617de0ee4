"""The command line of tools/transparency, the rounds, and the table."""

import argparse
import dataclasses
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

from bench_lib import machine, runners, tables
from bench_lib.command import Progress
from transparency_lib import (catalogue, compare, isolation, kit, recording, stage)
from transparency_lib.compare import Difference

# Where the stage lies: not in /tmp, which is the stage's own.
SCRATCH = "/var/tmp"


@dataclasses.dataclass
class Result:
    entry: object
    version: str = ""
    skipped: str = ""
    differences: list = dataclasses.field(default_factory=list)
    varies: dict = dataclasses.field(default_factory=dict)  # also between plain runs
    allocations: int = 0
    said: list = dataclasses.field(default_factory=list)
    seconds: float = 0.0


class Theatre:
    """Plays entries, and keeps what all plays share."""

    def __init__(self, directory, mallogram, kit_directory, recorder=()):
        self.directory, self.mallogram = directory, mallogram
        self.kit, self.recorder = kit_directory, list(recorder)

    def play(self, entry, mode=""):
        """One run: its facts, what is wrong with the recording, allocations, words."""
        traces = self.directory / "traces"
        words = [] if not mode else self.recorder or recording.command(self.mallogram, mode,
                                                                        traces)
        own = self.mallogram if mode and not self.recorder else ""
        on = stage.Stage(self.directory, self.kit, words, own)
        wrong, allocations = [], 0
        try:
            self.act(entry, on)
            on.close(entry.files, entry.outputs)
        finally:
            on.end_everything()
        if own:
            wrong, allocations = recording.judge(self.mallogram, traces, entry.programs)
        rules = [*entry.rules]
        facts = {key: compare.normalised(value, rules) for key, value in on.facts.items()}
        return facts, wrong, allocations, on.said()

    @staticmethod
    def act(entry, on):
        """What stops the play is a fact, and so are the last words of its programs."""
        try:
            entry.play(on)
        except (stage.Failure, runners.Failure, OSError, subprocess.SubprocessError,
                KeyError, ValueError, IndexError) as error:
            on.fact(compare.STOPPED, str(error) or repr(error))
            on.fact("last words", "\n".join(
                line for running in on.started
                for line in on.errors(running).splitlines()[-3:]))

    def compare(self, entry, rounds):
        start = time.monotonic()
        result = Result(entry, versions(entry))
        plain = self.play(entry)[0]
        if compare.STOPPED in plain:
            result.skipped = f"cannot be played here, plain: {plain[compare.STOPPED]}"
            return result
        for mode in entry.modes if not self.recorder else ("record",):
            for _ in range(rounds):
                facts, wrong, allocations, said = self.play(entry, mode)
                found = compare.differences(plain, facts)
                if found:
                    # What a second plain run does differently, too, says nothing.
                    varying = {d.key: d for d in
                               compare.differences(plain, self.play(entry)[0])}
                    result.varies.update({d.key: varying[d.key] for d in found
                                          if d.key in varying})
                    found = [d for d in found if d.key not in varying]
                label = "" if mode == "record" else f"{mode}: "
                result.differences += [Difference(label + d.key, d.text)
                                       for d in [*found, *wrong]]
                result.allocations = max(result.allocations, allocations)
                result.said += said
        result.seconds = time.monotonic() - start
        return result


def versions(entry):
    # The package may be a pattern: those of another Debian have other numbers.
    version = max(machine.versions([entry.package or entry.name]).values(), default="")
    # Without what Debian adds to it.
    return version.rpartition(":")[2].partition("-")[0].partition("+")[0]


def verdict(result, markdown):
    if result.skipped:
        return f"not run: {result.skipped}"
    varies = f" (varies by itself: {', '.join(sorted(result.varies))})" if result.varies else ""
    if not result.differences:
        return "same" + varies
    shown = [str(d) for d in result.differences[:3 if markdown else 2]]
    more = len(result.differences) - len(shown)
    return "; ".join(shown) + (f"; {more} more" if more else "") + varies


def table(results, markdown):
    rows = []
    for result in results:
        entry = result.entry
        what = entry.what + (" (also `leaks`)" if "leaks" in entry.modes else "")
        cells = [entry.name, result.version, what, verdict(result, markdown),
                 f"{result.allocations:,}" if result.allocations else tables.DASH]
        rows.append([c.replace("|", "\\|").replace("\n", " ") for c in cells] if markdown
                    else cells)
    return tables.lay_out(["program", "version", "what was run", "plain and recorded",
                           "allocations"], rows, markdown, numeric=False)


def everything(results, facts, notes, markdown):
    """What the tool prints."""
    lines = table(results, markdown)
    ran = [r for r in results if not r.skipped]
    same = sum(not r.differences for r in ran)
    skipped = len(results) - len(ran)
    lines += ["", f"{same} of {len(ran)} are the same" +
              (f", {skipped} could not be run" if skipped else "") + ". " +
              machine.line(facts, peer=False), *notes]
    if not markdown:
        for result in results:
            details = [f"  {d}" for d in result.differences] + [f"  {s}" for s in result.said]
            lines += ["", f"{result.entry.name}:", *details] if details else []
    return "\n".join(lines)


def parse(description, arguments):
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", help="build directory (default: build)")
    parser.add_argument("--installed", metavar="PREFIX", type=pathlib.Path,
                        help="what is installed there (/usr/local), instead of a build")
    parser.add_argument("--only", action="append", default=[], metavar="NAME[,NAME]")
    parser.add_argument("--list", action="store_true", help="the entries' names, and no more")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--rounds", type=int, default=1, help="recorded runs of each")
    parser.add_argument("--recorder", metavar="COMMAND",
                        help="another command to stand before the programs; its recordings "
                             "are not looked at")
    parser.add_argument("--install", action="store_true",
                        help="install the programs (Debian packages; starts no services)")
    options = parser.parse_args(arguments)
    options.only = [name for text in options.only for name in text.split(",")]
    names = [entry.name for entry in catalogue.ENTRIES]
    for name in options.only:
        if name not in names:
            parser.error(f"--only {name}: there are {', '.join(names)}")
    if options.rounds < 1:
        parser.error(f"--rounds {options.rounds}: at least one")
    options.entries = [e for e in catalogue.ENTRIES if not options.only or
                       e.name in options.only]
    return options


def say(text):
    print(f"transparency: {text}", file=sys.stderr)


def install():
    """The packages, without the services that Debian would start with them."""
    policy = pathlib.Path("/usr/sbin/policy-rc.d")
    ours = os.getuid() == 0 and not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        subprocess.run([machine.ROOT / "tools" / "install", "transparency"], check=True)
    finally:
        if ours:
            policy.unlink()


def compare_all(options, theatre):
    results, progress = [], Progress(len(options.entries))
    for entry in options.entries:
        progress.step(entry.name)
        missing = entry.missing()
        result = (Result(entry, versions(entry), missing) if missing
                  else theatre.compare(entry, options.rounds))
        results.append(result)
        if os.environ.get("TRANSPARENCY_VERBOSE"):
            say(f"{entry.name}  {result.seconds:.1f} s  {verdict(result, False)}")
            for text in [*result.differences, *result.said][:20]:
                say(f"    {text}")
            for text in result.varies.values():
                say(f"    varies by itself: {text}")
    progress.clear()
    return results


def main(description):
    options = parse(description, sys.argv[1:])
    if options.list:
        print("\n".join(f"{e.name:16} {e.what}" for e in options.entries))
        return 0
    if options.install:
        install()
    build = pathlib.Path(options.build).resolve()
    if not options.installed and not (build / "analyzer" / "mallogram").exists():
        say(f"{build}/analyzer/mallogram does not exist: build first, or say --build DIR")
        return 1
    facts = machine.facts(build)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="transparency-", dir=SCRATCH))
    directory.chmod(0o755)
    try:
        stage.own_signals()
        place = directory / "installed"
        mallogram = (recording.copy_installed(options.installed, place) if options.installed
                     else recording.install(build, place))
        wrong = kit.build(directory / "kit")
        if wrong:
            say(wrong)
            return 1
        isolation.become_subreaper()
        note = isolation.separate(directory)
        theatre = Theatre(directory, mallogram, directory / "kit",
                          shlex.split(options.recorder or ""))
        results = compare_all(options, theatre)
    except runners.Failure as failure:
        say(failure)
        return 1
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(everything(results, facts, [note] if note else [], options.markdown))
    return 1 if any(r.differences for r in results) else 0
