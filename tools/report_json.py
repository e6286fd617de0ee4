"""What `mallogram report --json` and `leaks --json` leave to their readers: stacks in
place of numbers."""

# What a site may leave out (analyzer/report/report.schema.json).
ABSENT = {"peak_bytes": 0, "peak_blocks": 0, "live_bytes": 0, "live_blocks": 0, "frees": 0,
          "reallocations": 0, "temporary": 0, "lost": 0, "lost_bytes": 0, "samples": None,
          "intervals": None, "plumbing": [], "stack_end": "complete"}


def whole(report):
    """The report with each site's stack as frames, innermost first. Frames get their
    module's path, and `folded`, which is true for plumbing."""
    modules = report["modules"]
    frames = [dict(frame, module=None if frame["module"] is None
                   else modules[frame["module"]]["path"]) for frame in report["frames"]]
    own = [dict(frame, folded=False) for frame in frames]
    folded = [dict(frame, folded=True) for frame in frames]
    for site in report["sites"]:
        for key, value in ABSENT.items():
            site.setdefault(key, value)
        plumbing = site.pop("plumbing")
        site["stack"] = [folded[i] for i in plumbing] + [own[i] for i in site["stack"]]
    return report


def whole_leaks(document):
    """The same for `mallogram leaks --json`."""
    frames = document["frames"]

    def stack(numbers):
        own = next((i for i, n in enumerate(numbers) if not frames[n]["plumbing"]), 0)
        return [dict(frames[n], folded=i < own) for i, n in enumerate(numbers)]
    for record in document["records"]:
        record["stack"] = stack(record["stack"])
    for mismatch in document["mismatches"]:
        for key in ("allocated", "freed", "first_freed"):
            mismatch[key] = stack(mismatch[key])
    for pool in document["pools"]:
        for site in pool["sites"]:
            site["stack"] = stack(site["stack"])
    return document
