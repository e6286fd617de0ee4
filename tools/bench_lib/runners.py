"""Runs one program once under one tool and says what it took: a sample, a dict of

  wall, cpu     seconds from start to end of the program, its own CPU time
                (tests/programs/measure.c: without the tool's start and tidying up)
  whole         seconds from start to end of the tool's command
  other_cpu     CPU time of what works beside the program: collector, zstd
  status        the program's
  stored        bytes written to disk

and, of Mallogram's, what the report says of itself (figures_of_report).
"""

import dataclasses
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

HEAPTRACK = "/usr/lib/heaptrack/libheaptrack_preload.so"
INTERPRET = "/usr/lib/heaptrack/libexec/heaptrack_interpret"
LIMIT = 600  # seconds; a run that takes longer hangs

MEASURES = ("wall", "cpu", "whole", "other_cpu")


@dataclasses.dataclass
class Context:
    mallogram: str
    measure: str
    directory: pathlib.Path  # scratch
    env: dict


class Failure(Exception):
    """A run that did not end as it should; the text says which and how."""


def measured(context, command, argv, more_env=None):
    """Runs `command` + measure + argv."""
    figures = context.directory / "figures"
    figures.unlink(missing_ok=True)
    errors = context.directory / "stderr"
    start = time.monotonic()
    with open(errors, "wb") as err:
        # A group of its own: what hangs, or is interrupted, ends as a whole.
        process = subprocess.Popen(
            [*map(str, command), context.measure, str(figures), *argv],
            cwd=context.directory, env={**context.env, **(more_env or {})},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err,
            start_new_session=True)
        try:
            status = process.wait(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            raise Failure(f"took longer than {LIMIT} s") from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    whole = time.monotonic() - start
    if status != 0:
        last = errors.read_text(errors="replace").strip().splitlines()[-1:]
        raise Failure(f"ended with status {status}" + "".join(f" ({line})" for line in last))
    wall, cpu = (float(figure) for figure in figures.read_text().split())
    return {"wall": wall, "cpu": cpu, "whole": whole, "other_cpu": 0.0, "status": status}


def run_plain(context, workload, _first):
    return measured(context, [], workload.argv)


def run_heaptrack(context, workload, first):
    """As `heaptrack -r` does, without its shell script: the library, and zstd at the
    other end of a pipe."""
    fifo, output = context.directory / "fifo", context.directory / "heaptrack.raw.zst"
    os.mkfifo(fifo)
    try:
        with open(output, "wb") as out:
            # Started first, as by the script; both ends wait in open() for each other.
            sink = subprocess.Popen(["sh", "-c", 'exec zstd -q -c < "$0"', fifo], stdout=out)
            try:
                sample = measured(context, [], workload.argv,
                                  {"MEASURE_PRELOAD": HEAPTRACK,
                                   "DUMP_HEAPTRACK_OUTPUT": str(fifo)})
            except Failure:
                sink.kill()
                raise
            finally:
                _, status, usage = os.wait4(sink.pid, 0)
                sink.returncode = os.waitstatus_to_exitcode(status)
        sample["other_cpu"] = usage.ru_utime + usage.ru_stime
        sample["stored"] = output.stat().st_size
        if first and os.path.exists(INTERPRET):
            sample["interpreted"] = interpreted_size(output)
    finally:
        fifo.unlink()
        output.unlink(missing_ok=True)
    return sample


def interpreted_size(raw):
    """Bytes of the file that heaptrack keeps without -r."""
    count = subprocess.run(
        ["sh", "-c", 'zstd -dc "$0" | "$1" 2>/dev/null | zstd -c 2>/dev/null | wc -c', raw,
         INTERPRET], stdout=subprocess.PIPE, check=True).stdout
    return int(count)


def run_mallogram(context, workload, _first, options=()):
    own = context.directory / "bench.mgram"  # measure's, not the program's
    try:
        sample = measured(context, [context.mallogram, "record", "-q", "-o", own, *options,
                                    "--"], workload.argv)
        sample.update(figures_of_report(context.mallogram,
                                        sorted(context.directory.glob("bench.*.mgram"))))
    finally:
        for trace in [own, *context.directory.glob("bench.*.mgram")]:
            trace.unlink(missing_ok=True)
    sample["other_cpu"] = sample["collector_cpu"]
    if sample["lost"] != 0:
        raise Failure(f"lost {sample['lost']} events")
    return sample


def run_sampling(context, workload, first):
    return run_mallogram(context, workload, first, ("--sample", "512KiB"))


def figures_of_report(mallogram, traces):
    """What the recordings say of themselves, summed over processes."""
    if not traces:
        raise Failure("left no trace")
    done = subprocess.run([mallogram, "report", "--json", "--top", "1", *traces],
                          stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise Failure("left a trace that `report` refuses")
    report = json.loads(done.stdout)
    own, loss, totals = report["self"], report["loss"], report["totals"]
    allocated = sum(size["bytes"] for size in report["sizes"])
    small = sum(size["bytes"] for size in report["sizes"] if size["max_bytes"] < 64)
    return {
        "events": own["events"], "allocations": totals["allocations"],
        "programs": sorted({p["program"] for p in report["processes"]}),
        "warnings": report["warnings"],
        "stored": sum(t.stat().st_size for t in traces),
        "collector_cpu": own["collector_cpu_s"], "collector_rss": own["collector_rss_bytes"],
        "program_memory": own["program_memory_bytes"], "threads": own["threads"],
        "processes": len(report["processes"]), "peak_blocks": totals["peak_heap_blocks"],
        # Sizes are known of all blocks, not of those at the peak.
        "small_peak": totals["peak_heap_bytes"] * small / max(allocated, 1),
        "waits": loss["events_waited"], "wait_s": loss["wait_s"],
        "lost": loss["events_lost"], "violations": loss["order_violations"],
    }


def tools_here(mallogram):
    """{name: runner} of what takes part in every round, and notes on what does not."""
    tools, notes = {"plain": run_plain}, []
    if os.path.exists(HEAPTRACK) and shutil.which("zstd"):
        tools["heaptrack"] = run_heaptrack
    else:
        notes.append("no heaptrack here: run with --install-peers to compare")
    tools["mallogram"] = run_mallogram
    text = subprocess.run([mallogram, "record", "--help"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, check=False).stdout
    if "--sample" in text:
        tools["sampling"] = run_sampling
    else:
        notes.append("this mallogram has no --sample: not measured")
    return tools, notes
