"""From samples to figures: medians with spread, and what follows from them."""

import statistics

from bench_lib.runners import MEASURES


def summary(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def evaluate(workload, samples):
    """One entry of "results" in the JSON. `samples`: {tool: [sample, …]}, without the
    tools that failed."""
    result = {"workload": workload.name, "goals": list(workload.goals),
              "pairs": workload.pairs or None, "rounds": len(samples["plain"]),
              "tools": {tool: {measure: summary([sample[measure] for sample in of_tool])
                               for measure in MEASURES}
                        for tool, of_tool in samples.items()}}
    tools = result["tools"]
    plain = tools["plain"]
    for tool in samples:
        if tool != "plain":
            tools[tool]["added"] = {m: tools[tool][m]["median"] - plain[m]["median"]
                                    for m in ("wall", "cpu")}
            # Of the fastest runs: steadier where the machine has other work.
            tools[tool]["added_of_minima"] = {m: tools[tool][m]["min"] - plain[m]["min"]
                                              for m in ("wall", "cpu")}
            tools[tool]["slowdown"] = tools[tool]["wall"]["median"] / plain["wall"]["median"]
    if "mallogram" in samples:
        result.update(of_recording(samples["mallogram"], tools["mallogram"]))
    if "sampling" in samples:
        result["sampled_events"] = samples["sampling"][0]["events"]
    if "heaptrack" in samples:
        result["heaptrack_stored"] = samples["heaptrack"][0].get("interpreted")
        for measure in ("wall", "cpu"):
            for key, name in (("added", f"relative_added_{measure}"),
                              ("added_of_minima", f"relative_added_{measure}_of_minima")):
                added = tools["heaptrack"][key][measure]
                ours = tools["mallogram"][key][measure] if "mallogram" in tools else None
                result[name] = ours / added if added > 0 and ours is not None else None
    return result


def of_recording(samples, tool):
    """What the recordings of one workload say."""
    events = statistics.median_low([s["events"] for s in samples])
    one = max(events, 1)
    median = {key: statistics.median([s[key] for s in samples])
              for key in ("stored", "collector_rss", "program_memory", "waits", "wait_s",
                          "threads", "processes", "peak_blocks", "small_peak")}
    return {
        "events": events,
        "added_ns_per_event": tool["added"]["cpu"] * 1e9 / one,
        "added_wall_ns_per_event": tool["added"]["wall"] * 1e9 / one,
        "collector_ns_per_event": tool["other_cpu"]["median"] * 1e9 / one,
        "bytes_per_event": median["stored"] / one,
        "order_violations": max(s["violations"] for s in samples),
        "wait_ns_per_event": median["wait_s"] * 1e9 / one,
        **median,
    }


def evaluate_service(name, samples):
    """Of a server: throughput and latency under each tool."""
    result = {"service": name, "rounds": len(samples["plain"]), "tools": {
        tool: {m: summary([s[m] for s in of_tool]) for m in ("throughput", "p99_ms")}
        for tool, of_tool in samples.items()}}
    plain = result["tools"]["plain"]
    for figures in result["tools"].values():
        for measure in ("throughput", "p99_ms"):
            figures[f"{measure}_ratio"] = (figures[measure]["median"] /
                                           plain[measure]["median"])
    if "mallogram" in samples:
        result.update({key: statistics.median([s[key] for s in samples["mallogram"]])
                       for key in ("events", "processes", "waits", "wait_s", "stored")})
        result["order_violations"] = max(s["violations"] for s in samples["mallogram"])
    return result
