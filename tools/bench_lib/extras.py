"""Two goals that are not of a program's run: how fast a big trace is read (S10), and
what starting and ending a recording costs (S11)."""

import os
import subprocess
import time

from bench_lib import inputs, runners

EVENTS_PER_ROUND = 18.5  # of inputs.PYTHON
SUMMARY = b"MGCK\x07\x00"  # how that chunk begins (preload/trace_format.h)


def start_and_exit(context, pairs):
    """Seconds from start to end of /bin/true and of `mallogram /bin/true`, in turn."""
    samples = {"plain": [], "mallogram": []}
    trace = context.directory / "start.mgram"
    commands = {"plain": ["/bin/true"],
                "mallogram": [context.mallogram, "record", "-q", "-o", str(trace), "/bin/true"]}
    for _ in range(pairs):
        for tool, command in commands.items():
            start = time.monotonic()
            status = subprocess.run(command, stdout=subprocess.DEVNULL, check=False,
                                    env=context.env).returncode
            samples[tool].append(time.monotonic() - start)
            if status != 0:
                raise runners.Failure(f"ended with status {status}")
    trace.unlink()
    return samples


def timed(command):
    """Wall and CPU seconds and peak RSS of a command."""
    start = time.monotonic()
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return {"wall": time.monotonic() - start, "cpu": usage.ru_utime + usage.ru_stime,
            "rss": usage.ru_maxrss * 1024, "status": process.returncode}


def cut_summary_off(trace):
    """What a killed collector leaves: no summary, no index, no trailer."""
    with open(trace, "rb") as file:
        content = file.read()
    at = content.rfind(SUMMARY)
    if at < 0:
        raise runners.Failure("left a trace without summary")
    os.truncate(trace, at)


def reading(context, events):
    """A recording of about `events` events (python3, small objects): the report with
    its index, and again with summary and index cut off, so that everything has to be
    folded; and the latter with a tenth of the events, to compare memory."""
    result = {}
    for name, number in (("tenth", events // 10), ("full", events)):
        script = context.directory / "long.py"
        script.write_text(inputs.PYTHON % int(number / EVENTS_PER_ROUND))
        trace = context.directory / "long.mgram"
        recorded = subprocess.run(
            [context.mallogram, "record", "-q", "-o", trace, "/usr/bin/python3", "-S", script],
            stdout=subprocess.DEVNULL, env=context.env, check=False)
        if recorded.returncode != 0:
            raise runners.Failure(f"ended with status {recorded.returncode}")
        entry = {"events": runners.figures_of_report(context.mallogram, [trace])["events"],
                 "stored": trace.stat().st_size}
        report = [context.mallogram, "report", trace]
        entry["index"] = timed(report)
        cut_summary_off(trace)
        entry["no_index"] = timed(report)
        entry["events_per_s"] = entry["events"] / entry["no_index"]["cpu"]
        trace.unlink()
        result[name] = entry
    return result
