#!/usr/bin/env python3
"""The table of docs/benchmarks.md about GPUs, from bench/results/gpu.json; --merge FILES makes that file first.

A FILE is what scripts/bench_gpu writes: {"player", "robustness", "rows": [what bench --json prints]}. The limit of
decoding is the bytes of weights and KV that a step reads, over the bandwidth that a plain kernel reached in the same
process; the bytes are the native program's, which counts them from its plan.
"""
import argparse
import json
import pathlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench/results/gpu.json"
DOC = ROOT / "docs/benchmarks.md"
BEGIN, END = "<!-- gpu -->\n", "<!-- /gpu -->"


def merge(files):
    """One row for each player, robustness, model, batch and depth; newer ones replace older ones."""
    rows = json.loads(RESULTS.read_text())["rows"] if RESULTS.exists() else []
    for file in files:
        run = json.loads(pathlib.Path(file).read_text())
        for row in run["rows"]:
            row = {key: value for key, value in row.items() if not isinstance(value, list)}
            row["player"], row["robustness"] = run["player"], run["robustness"]
            rows = [old for old in rows if key_of(old) != key_of(row)] + [row]
    rows.sort(key=key_of)
    RESULTS.write_text(json.dumps({"rows": rows}, indent=1) + "\n")


def key_of(row):
    players = ("native", "dawn", "chromium", "chromium without flags")
    return row["model"], row["depth"], row["batch"], players.index(row["player"]), row["robustness"] == "on"


def bytes_per_step(rows):
    """(model, batch, depth) -> bytes, from the native rows."""
    return {(r["model"], r["batch"], r["depth"]): r["achieved_gb_s"] * 1e9 * r["batch"] / r["decode_tok_s"]
            for r in rows if r["player"] == "native"}


def table(rows):
    read = bytes_per_step(rows)
    devices = sorted({r["device"] for r in rows if r["player"] == "native"})
    lines = [f"{', '.join(devices)}.", "",
             "| model | player | robustness | work | tok/s | of the limit | load s |", "|---|---|---|---|---|---|---|"]
    for r in rows:
        who = f"| {r['model'].removesuffix('.gguf')} | {r['player']} | {r['robustness']}"
        if r["batch"] == 1:
            lines.append(f"{who} | prefill {r['prompt']} | {r['prefill_tok_s']:.0f} |  | {r['load_s']:.2f} |")
        step = read.get((r["model"], r["batch"], r["depth"]))
        share = ""
        if step and r["roof_gb_s"]:
            share = f"{100 * r['decode_tok_s'] / r['batch'] * step / (r['roof_gb_s'] * 1e9):.0f}%"
        work = f"decode, {r['batch']} sequence{'s' if r['batch'] > 1 else ''}"
        if r["depth"]:
            work += f", at {r['depth']} tokens"
        lines.append(f"{who} | {work} | {r['decode_tok_s']:.0f} | {share} |  |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--merge", nargs="*", default=[], metavar="FILE")
    merge(parser.parse_args().merge)
    text = DOC.read_text()
    before, rest = text.split(BEGIN)
    DOC.write_text(before + BEGIN + table(json.loads(RESULTS.read_text())["rows"]) + END + rest.split(END, 1)[1])


if __name__ == "__main__":
    main()
