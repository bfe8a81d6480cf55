#!/usr/bin/env python3
"""Tables and plots of docs/benchmarks.md from bench/results/peers.json: medians, ratios, shares of the limits.

The tables replace what lies between <!-- peers --> and <!-- /peers -->; plots are docs/img/bench-<what>.svg, drawn by
hand so that they need no package and follow the reader's light or dark theme.
"""
import argparse
import json
import pathlib
import statistics
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
OURS = "tern"
TITLES = {"prefill": "Prefill, tokens per second", "decode": "Decoding one sequence, tokens per second",
          "batch": "Decoding several sequences, tokens per second in all",
          "start": "A fresh process to its first token, seconds"}


def value_of(row, samples):
    """Median of the samples: tokens per second, or seconds for start."""
    return statistics.median(s["seconds" if row == "start" else "tok_s"] for s in samples)


def short(model):
    return model.removesuffix(".gguf")


def programs_of(results):
    found = {name for r in results for name in r["samples"]}
    return [OURS] + sorted(found - {OURS})


def limit_text(samples):
    """The share that tern reports and the limit it was measured against, in the same run."""
    of = [s for s in samples if "share" in s]
    if not of:
        return ""
    share = statistics.median(s["share"] for s in of)
    return f"{100 * share:.0f}%"


def roofs_text(results):
    """Range of the limits over all of tern's samples: what the machine did meanwhile."""
    lines = []
    for key, unit in (("roof_gb_s", "GB/s read"), ("roof_int8_gop_s", "GOPS of int8 dot products"),
                      ("roof_gflop_s", "GFLOP/s in f32")):
        for threads in sorted({r["threads"] for r in results}):
            samples = [s for r in results if r["threads"] == threads for s in r["samples"].get(OURS, [])]
            values = [s[key] for s in samples if key in s]
            if values:
                lines.append(f"{min(values):.0f} to {max(values):.0f} {unit} on {threads} thread"
                             f"{'s' if threads > 1 else ''}")
    return "; ".join(lines)


def table(results, who):
    peers = [name for name in who if name != OURS]
    head = ["model", "work", "threads", *who, *(f"tern / {name}" for name in peers), "of the limit", "load s",
            "peak MB", *(f"peak MB, {name}" for name in peers if name == "llama.cpp")]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for r in results:
        ours = r["samples"].get(OURS)
        if not ours:
            continue
        mine = value_of(r["row"], ours)
        cells = [short(r["model"]), r["row"] + (", s" if r["row"] == "start" else ""), str(r["threads"])]
        values = {name: value_of(r["row"], r["samples"][name]) for name in who if r["samples"].get(name)}
        cells += [f"{values[name]:.{2 if r['row'] == 'start' else 1}f}" if name in values else "-" for name in who]
        cells += [f"{mine / values[name]:.2f}" if name in values else "-" for name in peers]
        peak = lambda samples: f"{statistics.median(s['peak_rss_mb'] for s in samples):.0f}"
        cells += [limit_text(ours), f"{statistics.median(s['load_s'] for s in ours):.2f}", peak(ours)]
        cells += [peak(r["samples"][name]) if r["samples"].get(name) else "-" for name in peers if name == "llama.cpp"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


STYLE = """<style>
text { font: 12px system-ui, sans-serif; fill: #24292f } .t { font-weight: 600; font-size: 14px } .d { fill: #57606a }
.p0 { fill: #1f6feb } .p1 { fill: #8c959f } .p2 { fill: #bf8700 } .p3 { fill: #8250df }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .d { fill: #9198a1 } .p0 { fill: #4493f8 } .p1 { fill: #656c76 }
}
</style>"""


def plot(kind, results, who):
    """Horizontal bars: a group per model, row and thread count, scaled to the group's longest bar."""
    bar, gap, left, width = 14, 12, 290, 380
    parts, y = [], 52
    for r in results:
        values = [(i, name, value_of(r["row"], r["samples"][name])) for i, name in enumerate(who) if
                  r["samples"].get(name)]
        if not values:
            continue
        longest = max(value for _, _, value in values)
        label = f"{short(r['model'])}, {r['row']}, {r['threads']} thread{'s' if r['threads'] > 1 else ''}"
        middle = y + (len(values) * (bar + 2)) / 2 + 3
        parts.append(f'<text x="{left - 10}" y="{middle:.0f}" text-anchor="end">{label}</text>')
        for i, name, value in values:
            length = max(1, width * value / longest)
            text = f"{value:.2f}" if kind == "start" else f"{value:.0f}" if value >= 100 else f"{value:.1f}"
            parts.append(f'<rect class="p{i}" x="{left}" y="{y}" width="{length:.0f}" height="{bar}" rx="2"/>')
            parts.append(f'<text class="d" x="{left + length + 6:.0f}" y="{y + 11}">{text}</text>')
            y += bar + 2
        y += gap
    legend, x = [], left
    for i, name in enumerate(who):
        legend.append(f'<rect class="p{i}" x="{x}" y="30" width="10" height="10" rx="2"/>'
                      f'<text x="{x + 15}" y="39">{name}</text>')
        x += 40 + 8 * len(name)
    title = f'<text class="t" x="{left}" y="18">{TITLES[kind]}</text>'
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 70} {y}" role="img" '
            f'aria-label="{TITLES[kind]}">\n{STYLE}\n{title}\n' + "\n".join(legend + parts) + "\n</svg>\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=pathlib.Path, default=ROOT / "bench/results/peers.json")
    parser.add_argument("--doc", type=pathlib.Path, default=ROOT / "docs/benchmarks.md")
    args = parser.parse_args()
    data = json.loads(args.results.read_text())
    results, m = data["results"], data["machine"]
    who = programs_of(results)
    text = (f"{m['cpu']} (family {m['cpu_family']}, model {m['cpu_model']}; {', '.join(m['isa'])}), {m['cores']} "
            f"cores, {m['memory_gb']} GB, {m['system']}; llama-cpp-python {m['llama_cpp_python']}.\n\n"
            f"Limits that tern measured in the same runs: {roofs_text(results)}.\n\n{table(results, who)}")
    images = args.doc.parent / "img"
    plots = []
    for kind in TITLES:
        of = [r for r in results if r["row"].split("-")[0] == kind]
        if of:
            (images / f"bench-{kind}.svg").write_text(plot(kind, of, who))
            plots.append(f"![{TITLES[kind]}](img/bench-{kind}.svg)\n")
    before, rest = args.doc.read_text().split("<!-- peers -->\n", 1)
    after = rest.split("<!-- /peers -->", 1)[1]
    args.doc.write_text(before + "<!-- peers -->\n" + text + "\n" + "\n".join(plots) + "<!-- /peers -->" + after)
    return 0


if __name__ == "__main__":
    sys.exit(main())
