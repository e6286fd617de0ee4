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


def sums_by_function(report):
    """{function: {field: sum}} over all sites that have the function on their stack."""
    result = {}
    for site in report["sites"]:
        for name in {simple_name(frame["function"]) for frame in site["stack"]}:
            entry = result.setdefault(name, dict.fromkeys(EXACT, 0))
            for field in EXACT:
                entry[field] += site[field]
    return result


def read_truth(path):
    return [json.loads(line) for line in pathlib.Path(path).read_text().splitlines()]


def differences(truth, report, fields=COUNTS):
    """What the report says otherwise than the program's account, as lines of text."""
    sums = sums_by_function(report)
    found = []
    for site in report["sites"]:
        names = {simple_name(frame["function"]) for frame in site["stack"]}
        if names & truth["sites"].keys() and site["stack_end"] != "complete":
            found.append(f"stack ends as {site['stack_end']}: {[*reversed(site['stack'])][:2]}")
    for function, account in truth["sites"].items():
        reported = sums.get(function, {})
        for field in fields:
            if field in account and account[field] != reported.get(field, 0):
                found.append(f"{truth['role']}: {function}: {field} is "
                             f"{account[field]}, reported {reported.get(field, 0)}")
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


def reports_by_pid(directory, wait=True):
    """{pid: [report, …]} of all traces in a directory, in order of start."""
    result = {}
    for path in harness.traces(directory):
        if wait:
            harness.wait_for(lambda p=path: harness.trailer_ok(p), f"the end of {path}")
        report = harness.report(path)
        result.setdefault(report["processes"][0]["pid"], []).append(report)
    for reports in result.values():
        reports.sort(key=lambda r: r["processes"][0]["start_unix_s"])
    return result
