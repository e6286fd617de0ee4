"""What `mallogram report --json` leaves to its reader: stacks in place of numbers."""

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
