"""Text and Markdown of the results."""

from bench_lib import goals, machine

DASH = "–"


def milliseconds(entry):
    return (f"{entry['median'] * 1000:,.0f} ({entry['min'] * 1000:,.0f}–"
            f"{entry['max'] * 1000:,.0f})")


def number(value, digits=2):
    return DASH if value is None else f"{value:,.{digits}f}"


def lay_out(head, rows, markdown, numeric=True):
    """Columns after the first to the right if `numeric`."""
    if markdown:
        rule = "|---" + ("|--:" if numeric else "|---") * (len(head) - 1) + "|"
        return ["| " + " | ".join(head) + " |", rule,
                *("| " + " | ".join(row) + " |" for row in rows)]
    widths = [max(len(line[i]) for line in [head, *rows]) for i in range(len(head))]
    return ["  ".join(cell.rjust(w) if i and numeric else cell.ljust(w) for i, (cell, w)
                      in enumerate(zip(row, widths))).rstrip() for row in [head, *rows]]


def programs(results, tools, markdown):
    sampling = "sampling" in tools
    head = ["workload", "events", "plain ms", "heaptrack ms", "Mallogram ms",
            *(["sampling ms"] if sampling else []), "added, of heaptrack's: wall", "CPU",
            "ns/event", "collector ns/event", "waited ns/event", "B/event", "heaptrack B/event"]
    rows = []
    for r in results:
        of = r["tools"]
        wall = {t: milliseconds(of[t]["wall"]) if t in of else DASH
                for t in ("plain", "heaptrack", "mallogram", "sampling")}
        events = r.get("events")
        rows.append([
            r["workload"], number(events, 0), wall["plain"], wall["heaptrack"],
            wall["mallogram"], *([wall["sampling"]] if sampling else []),
            number(r.get("relative_added_wall")), number(r.get("relative_added_cpu")),
            number(r.get("added_ns_per_event"), 0),
            number(r.get("collector_ns_per_event"), 0),
            number(r.get("wait_ns_per_event"), 0), number(r.get("bytes_per_event")),
            number(r["heaptrack_stored"] / events
                   if events and r.get("heaptrack_stored") else None)])
    return lay_out(head, rows, markdown)


def servers(services, markdown):
    head = ["server", "plain req/s", "heaptrack req/s", "Mallogram req/s", "of plain",
            "plain p99 ms", "heaptrack p99 ms", "Mallogram p99 ms", "of plain"]
    rows = []
    for s in services:
        row = [s["service"]]
        for measure, digits in (("throughput", 0), ("p99_ms", 2)):
            row += [spread(s["tools"].get(tool, {}).get(measure), digits)
                    for tool in ("plain", "heaptrack", "mallogram")]
            row.append(number(s["tools"].get("mallogram", {}).get(f"{measure}_ratio")))
        rows.append(row)
    return lay_out(head, rows, markdown)


def spread(entry, digits):
    if entry is None:
        return DASH
    return (f"{entry['median']:,.{digits}f} ({entry['min']:,.{digits}f}–"
            f"{entry['max']:,.{digits}f})")


def peers(results, measured, used, markdown):
    """Slowdowns: wall time in multiples of the run without the tool."""
    ours = [t for t in ("mallogram", "heaptrack") if any(t in r["tools"] for r in results)]
    head = ["slowdown", *ours, *(p.name for p in used)]
    rows = []
    for r in results:
        if r["workload"] in measured:
            row = measured[r["workload"]]
            rows.append([r["workload"],
                         *(number(r["tools"].get(t, {}).get("slowdown")) for t in ours),
                         *(number(row.get(p.name, {}).get("slowdown")) for p in used)])
    legend = "; ".join(f"{p.name}: {p.what}{', against it alone' if p.allocator else ''}"
                       for p in used)
    return lay_out(head, rows, markdown) + [
        "", f"Wall time in multiples of the plain run, one run each. {legend}."]


def goals_met(rows, markdown):
    """A table, or, since its cells are long, paragraphs on a terminal."""
    if markdown:
        return lay_out(["goal", "what", "measured", "verdict"],
                       [[g["goal"], g["what"], g["measured"], g["verdict"]] for g in rows],
                       True, numeric=False)
    lines = []
    for g in rows:
        lines += [f"{g['goal']:4} {g['what']}", f"       measured  {g['measured']}",
                  f"       verdict   {g['verdict']}"]
    return lines


def everything(data, tools, used_peers, markdown):
    """What tools/bench prints."""
    lines = []
    if data["results"]:
        lines += [*programs(data["results"], tools, markdown), "",
                  f"Wall time, median (min–max) of {data['rounds']} interleaved rounds; "
                  f"ns/event is CPU time added to the program. "
                  f"{machine.line(data['machine'])}"]
        memhawk = goals.memhawk(data["results"])
        if memhawk:
            lines += ["", memhawk]
    if data["services"]:
        lines += ["", *servers(data["services"], markdown)]
    if data["peers"]:
        lines += ["", *peers(data["results"], data["peers"], used_peers, markdown)]
    lines += ["", *goals_met(data["goals"], markdown)]
    return "\n".join(lines).strip("\n")
