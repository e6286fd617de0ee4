"""Compares reports with the accounts that the test programs keep (tests/programs).

A program appends one JSON object a process to the file that TRUTH_FILE names:
{"role", "pid", "sites": {FUNCTION: {"calls": …, "live_bytes": …}}}. Functions that
are counted do not call each other, so all of a report's sites with the function
on their stack belong to its account. Call counts of functions outside of the
accounts (libc's own) are nobody's business here.
"""

import json
import os
import pathlib
import re

import harness

# Known at every site of every program.
COUNTS = ("calls", "bytes_allocated", "live_blocks", "live_bytes")
# Known where the program says so.
EXACT = COUNTS + ("reallocations", "temporary", "peak_bytes")


def program(name):
    """Path of a test program or its library."""
    directory = os.environ.get("MALLOGRAM_PROGRAMS", "")
    path = pathlib.Path(directory) / name
    if not directory or not path.exists():
        raise SystemExit(f"MALLOGRAM_PROGRAMS={directory}: no {name} there; build first")
    return str(path.resolve())


def simple_name(function):
    """`(anonymous namespace)::SiteNew(unsigned long) [clone .cold]` → `SiteNew`."""
    name = (function or "").replace("(anonymous namespace)::", "")
    return re.split(r"[(\[ ]", name, maxsplit=1)[0]


def counted_function(site, functions):
    """The innermost of the functions on a site's stack: handlers interrupt others."""
    for frame in site["stack"]:
        if simple_name(frame["function"]) in functions:
            return simple_name(frame["function"])
    return None


def sums_by_function(report, functions):
    """{function: {field: sum}} over the sites whose innermost counted function it is."""
    result = {name: dict.fromkeys(EXACT, 0) for name in functions}
    for site in report["sites"]:
        name = counted_function(site, functions)
        if name is not None:
            for field in EXACT:
                result[name][field] += site[field]
    return result


# Outermost frames that have no unwind information: constructors run on them.
ENTRIES = ("_dl_start_user", "_start")


def is_whole(site):
    return (site["stack_end"] == "complete" or
            simple_name(site["stack"][-1]["function"]) in ENTRIES)


def read_truth(path):
    return [json.loads(line) for line in pathlib.Path(path).read_text().splitlines()]


def differences(truth, report, fields=COUNTS, whole=True):
    """What the report says otherwise than the program's account, as lines of text."""
    sums = sums_by_function(report, truth["sites"].keys())
    found = []
    for site in report["sites"]:
        if (whole and counted_function(site, truth["sites"].keys()) and
                not is_whole(site)):
            frames = [simple_name(frame["function"]) for frame in site["stack"]]
            found.append(f"stack ends as {site['stack_end']}: {frames[-3:]}")
    for function, account in truth["sites"].items():
        reported = sums[function]
        for field in fields:
            if field in account and account[field] != reported[field]:
                found.append(f"{truth['role']}: {function}: {field} is "
                             f"{account[field]}, reported {reported[field]}")
    return found


def inconsistencies(report, unknown_frees=0):
    """What no complete recording may show, as lines of text."""
    totals, loss = report["totals"], report["loss"]
    found = []
    if totals["allocations"] - totals["frees"] != totals["live_blocks"]:
        found.append(f"allocations - frees != live_blocks: {totals}")
    for field in ("events_lost", "order_violations", "damaged_chunks"):
        if loss[field] != 0:
            found.append(f"{field} is {loss[field]}")
    if unknown_frees is not None and totals["unknown_frees"] != unknown_frees:
        found.append(f"unknown_frees is {totals['unknown_frees']}, not {unknown_frees}")
    for total, field in (("allocations", "calls"), ("live_bytes", "live_bytes"),
                         ("bytes_allocated", "bytes_allocated"),
                         ("peak_heap_bytes", "peak_bytes"),
                         ("temporary_allocations", "temporary")):
        of_sites = sum(site[field] for site in report["sites"])
        if of_sites != totals[total]:
            found.append(f"sites' {field} sum up to {of_sites}, total is {totals[total]}")
    return found


def reports_by_pid(directory, at_least=0):
    """{pid: [report, …]} of all traces in a directory, in order of start.

    Daemons outlive the launcher: waits for the end of each, and for `at_least` files.
    """
    result = {}
    if at_least:
        harness.wait_for(lambda: len(harness.traces(directory)) >= at_least,
                         f"{at_least} traces")
    for path in harness.traces(directory):
        harness.wait_for(lambda p=path: harness.trailer_ok(p), f"the end of {path}")
        report = harness.report(path)
        result.setdefault(report["processes"][0]["pid"], []).append(report)
    for reports in result.values():
        reports.sort(key=lambda r: r["processes"][0]["start_unix_s"])
    return result
