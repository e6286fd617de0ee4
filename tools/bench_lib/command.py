"""The command line of tools/bench, and the rounds."""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from bench_lib import (chart, extras, figures, goals, machine, peers, runners, services,
                       tables, workloads)


class Progress:
    """A line on the terminal; nothing if there is none."""

    def __init__(self, total):
        self.total, self.done, self.shown = total, 0, sys.stderr.isatty()

    def step(self, *words):
        self.done += 1
        if self.shown:
            print(f"\r{self.done}/{self.total}  {'  '.join(words):40.40}", end="",
                  file=sys.stderr, flush=True)

    def clear(self):
        if self.shown:
            print("\r" + " " * 60 + "\r", end="", file=sys.stderr, flush=True)


def parse(description, arguments):
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", help="build directory (default: build)")
    parser.add_argument("--only", action="append", default=[], metavar="NAME",
                        help="only this, of: " + ", ".join(workloads.names()))
    parser.add_argument("--workload", action="append", default=[], metavar="NAME=COMMAND",
                        help="a program of your own; alone, or beside --only")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="small inputs, two rounds")
    parser.add_argument("--peers", action="store_true",
                        help="also memcheck, DHAT, massif, LeakSanitizer, tcmalloc, jemalloc")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--chart", metavar="FILE.svg|.png")
    parser.add_argument("--install-peers", action="store_true",
                        help="install peers, programs and gnuplot (Debian packages)")
    options = parser.parse_args(arguments)
    for name in options.only:
        if name not in workloads.names():
            parser.error(f"--only {name}: there are {', '.join(workloads.names())}")
    try:
        options.own = [workloads.own(text) for text in options.workload]
    except ValueError as error:
        parser.error(str(error))
    if options.rounds < 1:
        parser.error(f"--rounds {options.rounds}: at least one")
    if options.chart and pathlib.Path(options.chart).suffix not in chart.TERMINALS:
        parser.error(f"--chart {options.chart}: the name must end with .svg or .png")
    if options.quick:
        options.rounds = min(options.rounds, 2)
    return options


def say(text):
    print(f"bench: {text}", file=sys.stderr)


def in_turn(tools, turn):
    """Every tool once, each round another one first: none always follows the same."""
    tools = list(tools)
    return tools[turn % len(tools):] + tools[:turn % len(tools)]


class Rounds:
    """Runs everything chosen, in rounds, and keeps samples and failures."""

    def __init__(self, context, tools, rounds):
        self.context, self.tools, self.rounds = context, tools, rounds
        self.samples, self.failures = {}, []

    def failed(self, name, tool, failure):
        self.failures.append(f"{name} under {tool} {failure}")

    def run_programs(self, chosen, progress):
        self.samples = {w.name: {t: [] for t in self.tools
                                 if w.heaptrack or t != "heaptrack"} for w in chosen}
        for turn in range(self.rounds):
            for workload in chosen:
                of_tool = self.samples[workload.name]
                for tool in in_turn(list(of_tool), turn) if of_tool else ():
                    progress.step(workload.name, tool)
                    try:
                        sample = self.tools[tool](self.context, workload, turn == 0)
                        of_tool[tool].append(sample)
                    except runners.Failure as failure:
                        # No further rounds of what fails; nothing without the plain run.
                        self.failed(workload.name, tool, failure)
                        del of_tool[tool]
                        if tool == "plain":
                            of_tool.clear()
                            break
        return [figures.evaluate(w, self.samples[w.name]) for w in chosen
                if self.samples[w.name]]

    def run_services(self, chosen, progress):
        results = []
        samples = {s.name: {t: [] for t in s.tools if t in self.tools} for s in chosen}
        for turn in range(self.rounds):
            for service in chosen:
                of_tool = samples[service.name]
                for tool in in_turn(list(of_tool), turn) if of_tool else ():
                    progress.step(service.name, tool)
                    try:
                        of_tool[tool].append(services.run(self.context, service, tool))
                    except runners.Failure as failure:
                        self.failed(service.name, tool, failure)
                        del of_tool[tool]
        for service in chosen:
            if "plain" in samples[service.name]:
                results.append(figures.evaluate_service(service.name, samples[service.name]))
        return results

    def run_extra(self, name, progress, function, *arguments):
        progress.step(name)
        try:
            return function(self.context, *arguments)
        except runners.Failure as failure:
            self.failed(name, "mallogram", failure)
            return None


def choose(options, directory, build):
    """Programs, services and extras to run; says what is not installed."""
    scale = 0.1 if options.quick else 1.0
    everything = not options.only and not options.own
    wanted = lambda name: everything or name in options.only
    programs = [w for w in workloads.bundled(build / "tests" / "programs",
                                             build / "workloads", directory, scale)
                if wanted(w.name)] + options.own
    for workload in programs:
        if not workload.runnable():
            say(f"{workload.name}: {workload.argv[0]} is not there (--install-peers)")
    programs = [w for w in programs if w.runnable()]
    servers = []
    for service in (services.Redis, services.Nginx):
        missing = [p for p in service.needs if not shutil.which(p, path=PATH)]
        if wanted(service.name) and missing:
            say(f"{service.name}: {', '.join(missing)} not installed (--install-peers)")
        elif wanted(service.name):
            servers.append(service)
    workloads.make_inputs(directory, scale, programs)
    return programs, servers, [name for name in workloads.EXTRAS if wanted(name)]


PATH = "/usr/bin:/bin:/usr/sbin:/sbin"


def measure(options, build, mallogram, directory):
    """Returns the data (as in the JSON), the tools and peers used."""
    facts = machine.facts(build)
    tools, notes = runners.tools_here(mallogram)
    programs, servers, others = choose(options, directory, build)
    if not programs and not servers and not others:
        raise SystemExit("bench: nothing that was asked for is installed: --install-peers")
    env = {"PATH": PATH, "LC_ALL": "C", "HOME": str(directory), "PYTHONMALLOC": "malloc",
           "PYTHONHASHSEED": "0", "GIT_CONFIG_NOSYSTEM": "1"}
    context = runners.Context(mallogram, str(build / "tests" / "programs" / "measure"),
                              directory, env)
    rounds = Rounds(context, tools, options.rounds)
    progress = Progress(options.rounds * (len(programs) * len(tools) + len(servers) * 3) +
                        len(others))
    data = {"machine": facts, "rounds": options.rounds, "quick": options.quick}
    data["results"] = rounds.run_programs(programs, progress)
    data["services"] = rounds.run_services([s(context, options.quick) for s in servers],
                                           progress)
    start = (rounds.run_extra("start", progress, extras.start_and_exit,
                              5 if options.quick else 31) if "start" in others else None)
    data["start"] = start and {tool: figures.summary(of) for tool, of in start.items()}
    data["reading"] = (rounds.run_extra("reading", progress, extras.reading,
                                        1_000_000 if options.quick else 100_000_000)
                       if "reading" in others else None)
    data["peers"], used = {}, []
    if options.peers:
        data["peers"], peer_notes, used = peers.measure(context, programs, progress.step)
        notes += peer_notes
    progress.clear()
    data["goals"] = goals.table(data["results"], data["services"], data["start"],
                                data["reading"], tools)
    data["notes"], data["failures"] = notes, rounds.failures
    return data, tools, used


def main(description):
    options = parse(description, sys.argv[1:])
    root = machine.ROOT
    if options.install_peers:
        subprocess.run([root / "tools" / "install", "bench"], check=True)
    build = pathlib.Path(options.build).resolve()
    mallogram = os.environ.get("MALLOGRAM", str(build / "analyzer" / "mallogram"))
    if not os.path.exists(mallogram):
        say(f"{mallogram} does not exist: build first, or say --build DIR")
        return 1
    directory = pathlib.Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        data, tools, used = measure(options, build, mallogram, directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    for text in data["notes"]:
        say(text)
    print(tables.everything(data, tools, used, options.markdown))
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(data, indent=1) + "\n")
    wrong = chart.draw(data, options.chart) if options.chart else ""
    for text in [*data["failures"], *([wrong] if wrong else [])]:
        say(text)
    return 1 if data["failures"] or wrong else 0
