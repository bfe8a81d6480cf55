#!/usr/bin/env python3
"""Times tern and its peers on the same files, interleaved, and merges every sample into bench/results/peers.json.

Each sample is one fresh process that loads the file (in the page cache), does one row's work and reports. Programs take
turns, so that a machine whose speed drifts is unkind to all alike. Peers: llama.cpp by way of llama-cpp-python (its C
interface), and with --peer any binary that has llama-bench's interface. A run may be made in pieces: --only and
--models choose rows, and what was measured earlier stays in the file. tools/bench_report.py makes tables and plots.
"""
import argparse
import dataclasses
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SYNTHETIC = ("q4_0", "q4_k_m", "q8_0", "f16")


@dataclasses.dataclass
class Row:
    name: str
    what: str          # prefill, decode or start
    n: int             # tokens of the prompt, or steps of decoding
    depth: int = 0     # tokens in each context before decoding
    kv: str = "f16"
    batch: int = 1


ROWS = [Row("prefill-512", "prefill", 512), Row("prefill-2000", "prefill", 2000), Row("prefill-8000", "prefill", 8000),
        Row("decode", "decode", 48), Row("decode-8000-f16", "decode", 24, 8000),
        Row("decode-8000-q8_0", "decode", 24, 8000, "q8_0"), Row("batch-4", "decode", 24, batch=4),
        Row("batch-8", "decode", 24, batch=8), Row("batch-16", "decode", 24, batch=16), Row("start", "start", 4)]


def output_of(command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    return done.stdout


class Tern:
    name = "tern"

    def __init__(self, path):
        self.path = path

    def sample(self, model, threads, row):
        if row.what == "start":
            begin = time.perf_counter()  # the whole process, from fork to exit
            out = json.loads(output_of([self.path, "run", model, "--tokens", "7,20,33,46", "-n", 1, "--greedy",
                                        "--ignore-eos", "-t", threads, "--json"]))
            return {"seconds": time.perf_counter() - begin, "load_s": out["load_s"],
                    "peak_rss_mb": out["peak_rss_bytes"] / 1e6}
        # Two tokens: then weights are repacked before the clock runs, as llama.cpp does while it loads.
        work = ["-p", row.n, "-n", 2] if row.what == "prefill" else ["-p", 8, "-n", row.n + 1, "--depth", row.depth]
        out = json.loads(output_of([self.path, "bench", model, *work, "-b", row.batch, "-r", 1, "-t", threads, "--kv",
                                    row.kv, "--json"]))[0]
        rate = out["prefill_tok_s" if row.what == "prefill" else "decode_tok_s"]
        share = out["share_of_peak" if row.what == "prefill" else "share_of_bandwidth"]
        roofs = {key: value for key, value in out.items() if key.startswith("roof_")}
        return {"tok_s": rate, "share": share, **roofs, "load_s": out["load_s"],
                "peak_rss_mb": out["peak_rss_bytes"] / 1e6}


class LlamaCpp:
    name = "llama.cpp"

    def sample(self, model, threads, row):
        args = [row.n] if row.what != "decode" else [row.n, row.depth, row.kv, row.batch]
        script = ROOT / "tools/bench_llama_cpp.py"
        return json.loads(output_of([sys.executable, script, model, threads, row.what, *args]).splitlines()[-1])


class LlamaBench:
    """A binary with llama-bench's interface; extra options follow the path, as in "llama-bench -rtr 1"."""

    def __init__(self, command):
        self.command = command.split()
        self.name = pathlib.Path(self.command[0]).name

    def sample(self, model, threads, row):
        if row.what == "start" or row.batch > 1:
            return None  # llama-bench measures neither
        work = ["-p", row.n, "-n", 0] if row.what == "prefill" else ["-p", 0, "-n", row.n]
        if row.depth:
            work += ["-d", row.depth]
        if row.kv != "f16":
            work += ["-ctk", row.kv, "-ctv", row.kv, "-fa", 1]
        out = json.loads(output_of([*self.command, "-m", model, "-t", threads, *work, "-r", 1, "-o", "json"]))
        return {"tok_s": out[-1]["avg_ts"]}


def machine():
    """What matters for a rate; nothing that names the machine."""
    facts = {}
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        facts.setdefault(key.strip(), value.strip())
    wanted = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_int8", "asimddp", "i8mm")
    flags = set((facts.get("flags", "") + " " + facts.get("Features", "")).split())
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    peers = output_of([sys.executable, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"])
    versions = {p["name"].replace("-", "_"): p["version"] for p in json.loads(peers)}
    return {"cpu": facts.get("model name", platform.processor()), "cpu_family": facts.get("cpu family", ""),
            "cpu_model": facts.get("model", ""), "isa": [flag for flag in wanted if flag in flags],
            "cores": len(os.sched_getaffinity(0)), "memory_gb": round(pages / 1e9, 1),
            "system": f"{platform.system()} {platform.machine()}",
            "llama_cpp_python": versions.get("llama_cpp_python", "not installed")}


def model_file(name, tern, cache):
    """demo, a format of the synthetic Llama 3.2 1B, or a path."""
    if name == "demo":
        return ROOT / "models/tern-demo-q8_0.gguf"
    if name not in SYNTHETIC:
        return pathlib.Path(name)
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / f"llama-3.2-1b.{name}.gguf"
    if not path.exists():
        output_of([tern, "synth", "llama-3.2-1b", "--format", name, "-o", path])
    return path


def measure(row, model, threads, programs, repeats):
    """name -> samples; a program that cannot do the row is left out, with the reason on stderr."""
    samples = {}
    skipped = set()
    for _ in range(repeats):
        for program in programs:
            if program.name in skipped:
                continue
            try:
                sample = program.sample(model, threads, row)
            except (RuntimeError, subprocess.SubprocessError, ValueError) as error:
                print(f"{row.name}: {program.name} skipped: {error}", file=sys.stderr)
                sample = None
            if sample is None:
                skipped.add(program.name)
            else:
                samples.setdefault(program.name, []).append(sample)
    return samples


def merge(path, entry):
    """Replaces what the file has for the same row, model and threads, program by program."""
    data = json.loads(path.read_text()) if path.exists() else {}
    results = data.get("results", [])
    same = lambda r: all(r[key] == entry[key] for key in ("row", "model", "threads"))
    old = next((r for r in results if same(r)), None)
    if old and data.get("machine") == entry["machine"]:
        entry["samples"] = {**old["samples"], **entry["samples"]}
    results = [r for r in results if not same(r)] + [{k: v for k, v in entry.items() if k != "machine"}]
    order = [row.name for row in ROWS]
    results.sort(key=lambda r: (r["model"], order.index(r["row"]), r["threads"]))
    if data.get("machine") not in (None, entry["machine"]):
        print("another machine measured the file so far: starting it anew", file=sys.stderr)
        results = [r for r in results if same(r)]
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"machine": entry["machine"], "results": results}, indent=1)
    path.write_text(text + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default="demo,q4_0,q8_0,f16", help=f"demo, {', '.join(SYNTHETIC)}, or paths")
    parser.add_argument("--only", default="", help="rows by name, or by how their names begin: prefill,decode,batch-4")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peer", action="append", default=[], help="a llama-bench, perhaps with options; repeatable")
    parser.add_argument("--without-llama-cpp", action="store_true", help="tern and --peer alone")
    parser.add_argument("--tern", default=str(ROOT / "build/tern"))
    parser.add_argument("--cache", type=pathlib.Path, default=ROOT / "build/bench-models")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "bench/results/peers.json")
    args = parser.parse_args()
    programs = [Tern(args.tern)] + ([] if args.without_llama_cpp else [LlamaCpp()]) + [LlamaBench(p) for p in args.peer]
    names = {row.name for row in ROWS}
    wanted = args.only.split(",")
    rows = [row for row in ROWS
            if any(row.name == name or name not in names and row.name.startswith(name) for name in wanted)]
    if not rows:
        parser.error(f"--only {args.only} names no row; there are {', '.join(row.name for row in ROWS)}")
    facts = machine()
    for name in args.models.split(","):
        model = model_file(name, args.tern, args.cache)
        for row in rows:
            if name == "demo" and row.depth + row.n > 2040:
                continue  # longer than its context
            for threads in map(int, args.threads.split(",")):
                samples = measure(row, model, threads, programs, args.repeats)
                merge(args.out, {"machine": facts, "row": row.name, "model": model.name, "threads": threads,
                                 "samples": samples})
                unit = "seconds" if row.what == "start" else "tok_s"
                medians = {who: round(statistics.median(s[unit] for s in of), 3) for who, of in samples.items()}
                print(f"{model.name} {row.name} x{threads}: {medians}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
