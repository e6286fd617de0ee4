"""The added time of every program as a bar chart, drawn by gnuplot: SVG or PNG, as
the file's name says."""

import pathlib
import subprocess

from bench_lib import machine

SERIES = (("heaptrack", "heaptrack -r", "#b8bec8"), ("mallogram", "Mallogram", "#1f6feb"),
          ("sampling", "Mallogram --sample 512KiB", "#8cc5ff"))
FLOOR = 0.5  # per cent; what is less can't be told from nothing here
GAP = 0.5    # between the test programs and the real ones
# Terminal, and how much larger its fonts are than the SVG's.
TERMINALS = {
    ".svg": ("svg size 1120,560 dynamic enhanced", 1.0),
    ".png": ("pngcairo size 1680,840 enhanced", 1.5),
}


def script(results, facts, rounds, suffix, output):
    terminal, scale = TERMINALS[suffix]
    font = lambda size: f"font 'DejaVu Sans,{size * scale:g}'"
    series = [s for s in SERIES if any(s[0] in r["tools"] for r in results)]
    width = 0.82 / len(series)
    top = max([100.0] + [added(r, s[0]) or 0 for r in results for s in series])
    places = places_of(results)
    right = places[-1] + 0.6
    lines = [
        f"set terminal {terminal} {font(12)} background '#ffffff'", f"set output '{output}'",
        f"set title 'Run time added by recording every allocation' {font(15)}",
        f"set ylabel 'added, % of the plain run (log scale)' {font(11)} textcolor '#444444' "
        "offset 1,0",
        "set logscale y", f"set yrange [{FLOOR}:{top * 3:g}]", f"set xrange [-0.6:{right:g}]",
        "set border 3 linecolor '#888888'", "set tics nomirror textcolor '#333333'",
        "set ytics ('1 %%' 1, '10 %%' 10, '100 %%' 100, '1,000 %%' 1000, '10,000 %%' 10000)",
        "set grid ytics back linetype 1 linecolor '#dddddd' linewidth 1",
        f"set xtics rotate by -30 scale 0 {font(11)}",
        "set xtics (" + ", ".join(f"'{r['workload']}' {place:g}"
                                  for r, place in zip(results, places)) + ")",
        f"set key top right horizontal samplen 1.2 {font(11)} textcolor '#333333'",
        "set style fill solid 1.0 noborder",
        "set lmargin 11", "set rmargin 9", "set bmargin 6.5",
        f"set label 1 '{caption(facts, rounds)}' at screen 0.012,0.025 {font(7.5)} "
        "textcolor '#777777' noenhanced",
        f"set arrow 1 from -0.6,20 to {right:g},20 nohead dashtype 2 linecolor '#d1242f' "
        "linewidth 1.2 back",
        f"set label 2 'goal: 20 %' at {right + 0.1:g},20 left {font(9)} textcolor '#d1242f'",
    ]
    plots = []
    for index, (tool, title, colour) in enumerate(series):
        offset = (index - (len(series) - 1) / 2) * width
        points = []
        for r, place in zip(results, places):
            percent = added(r, tool)
            if percent is not None:
                points.append(f"{place + offset:.3f} {max(percent, FLOOR):.3f} "
                              f"{label(percent)}")
        lines += [f"${tool} << END", *points, "END"]
        plots += [f"${tool} using 1:2:({width * 0.92:.3f}) with boxes linecolor '{colour}' "
                  f"title '{title}'",
                  f"${tool} using 1:($2*1.12):3 with labels rotate by 90 left {font(8)} "
                  "textcolor '#444444' notitle"]
    return "\n".join([*lines, "plot " + ", \\\n  ".join(plots), ""])


def places_of(results):
    places, at = [], 0.0
    for i, r in enumerate(results):
        if i and ("S3" in r["goals"]) != ("S3" in results[i - 1]["goals"]):
            at += GAP
        places.append(at)
        at += 1
    return places


def added(result, tool):
    slowdown = result["tools"].get(tool, {}).get("slowdown")
    return None if slowdown is None else (slowdown - 1) * 100


def label(percent):
    if percent < FLOOR:
        return f"<{FLOOR:g}"
    return f"{percent:.1f}" if percent < 10 else f"{percent:.0f}"


def caption(facts, rounds):
    text = (f"Medians of {rounds} interleaved rounds, wall time of the program. "
            f"{machine.line(facts)}")
    return text.replace("'", "’")


def draw(data, path):
    """Returns what went wrong, or nothing."""
    path = pathlib.Path(path)
    if not data["results"]:
        return "--chart: nothing to draw, no program was measured"
    text = script(data["results"], data["machine"], data["rounds"], path.suffix, path)
    try:
        done = subprocess.run(["gnuplot"], input=text, text=True, stderr=subprocess.PIPE,
                              check=False)
    except FileNotFoundError:
        return "--chart: gnuplot is not installed (Debian: gnuplot-nox)"
    if done.returncode != 0:
        return f"--chart: gnuplot: {done.stderr.strip().splitlines()[-1]}"
    return ""
