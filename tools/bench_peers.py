#!/usr/bin/env python3
"""Times tern and llama.cpp (llama-cpp-python) on the same files, interleaved, and writes raw results and tables.

For every model, thread count and repeat: one process of each program, one after the other. Each loads the file (in the
page cache), evaluates a prompt, decodes greedily, and reports its own times and its peak memory. Medians go to
docs/benchmarks.md between the markers; every sample goes to bench/results/peers.json with the machine's facts.
"""
import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FIELDS = ["load_s", "first_token_s", "prefill_tok_s", "decode_tok_s", "peak_rss_mb"]


def run_tern(tern: str, model: str, threads: int, prompt: int, generate: int, vocab: int) -> dict:
    ids = ",".join(str(7 + i * 13 % (vocab - 8)) for i in range(prompt))
    command = [tern, "run", model, "--tokens", ids, "-n", str(generate), "--greedy", "--ignore-eos", "--json", "-t"]
    out = subprocess.run([*command, str(threads)], capture_output=True, text=True, check=True).stdout
    r = json.loads(out)
    return {"load_s": r["load_s"], "first_token_s": r["load_s"] + prompt / r["prefill_tok_s"],
            "prefill_tok_s": r["prefill_tok_s"], "decode_tok_s": r["decode_tok_s"],
            "peak_rss_mb": r["peak_rss_bytes"] / 1e6}


PEER = """
import json, resource, sys, time
from llama_cpp import Llama
model, threads, prompt, generate, vocab = sys.argv[1], *map(int, sys.argv[2:])
start = time.perf_counter()
llama = Llama(model, n_ctx=max(512, prompt + generate), n_batch=512, n_threads=threads,
              n_threads_batch=threads, verbose=False)
loaded = time.perf_counter()
llama.eval([7 + i * 13 % (vocab - 8) for i in range(prompt)])
first = time.perf_counter()
for i in range(generate - 1):
    llama.eval([100 + i])
end = time.perf_counter()
print(json.dumps({"load_s": loaded - start, "first_token_s": first - start, "prefill_tok_s": prompt / (first - loaded),
    "decode_tok_s": (generate - 1) / (end - first),
    "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6}))
"""


def run_peer(model: str, threads: int, prompt: int, generate: int, vocab: int) -> dict:
    args = [sys.executable, "-c", PEER, model, *map(str, [threads, prompt, generate, vocab])]
    return json.loads(subprocess.run(args, capture_output=True, text=True, check=True).stdout.strip().splitlines()[-1])


def machine() -> dict:
    cpu = next((line.split(":")[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.processor())
    pip = [sys.executable, "-m", "pip", "list", "--format=json"]
    peers = subprocess.run(pip, capture_output=True, text=True).stdout
    versions = {p["name"]: p["version"] for p in json.loads(peers or "[]")}
    return {"cpu": cpu, "cores": os.cpu_count(), "system": f"{platform.system()} {platform.machine()}",
            "llama_cpp_python": versions.get("llama_cpp_python", "?")}


def table(results: list, medians) -> str:
    head = ("| model | threads | | load s | first token s | prefill tok/s | decode tok/s | peak MB |\n"
            "|---|---|---|---|---|---|---|---|\n")
    rows = []
    for r in results:
        for who in ("tern", "llama.cpp"):
            m = medians(r[who])
            rows.append(f"| {r['model']} | {r['threads']} | {who} | {m['load_s']:.2f} | {m['first_token_s']:.2f} | "
                        f"{m['prefill_tok_s']:.1f} | {m['decode_tok_s']:.1f} | {m['peak_rss_mb']:.0f} |")
        t, p = medians(r["tern"]), medians(r["llama.cpp"])
        rows.append("| | | tern / llama.cpp | " + " | ".join(f"{t[f] / p[f]:.2f}" for f in FIELDS) + " |")
    return head + "\n".join(rows) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", help="GGUF files; default: the demo model and synthetic 1B models")
    parser.add_argument("--tern", default=str(ROOT / "build/tern"))
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--prompt", type=int, default=128)
    parser.add_argument("--generate", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cache", default=str(ROOT / "build/bench-models"), help="where synthetic models are kept")
    args = parser.parse_args()
    models = args.models
    if not models:
        cache = pathlib.Path(args.cache)
        cache.mkdir(parents=True, exist_ok=True)
        models = [str(ROOT / "models/tern-demo-q8_0.gguf")]
        for fmt in ("q4_0", "q8_0", "f16"):
            path = cache / f"llama-3.2-1b.{fmt}.gguf"
            if not path.exists():
                subprocess.run([args.tern, "synth", "llama-3.2-1b", "--format", fmt, "-o", str(path)], check=True)
            models.append(str(path))
    results = []
    for model in models:
        vocab = json.loads(subprocess.run([args.tern, "info", model, "--json"], capture_output=True, text=True,
                                          check=True).stdout)["vocab"]
        for threads in args.threads:
            entry = {"model": pathlib.Path(model).name, "threads": threads, "tern": [], "llama.cpp": []}
            for _ in range(args.repeats):
                entry["tern"].append(run_tern(args.tern, model, threads, args.prompt, args.generate, vocab))
                entry["llama.cpp"].append(run_peer(model, threads, args.prompt, args.generate, vocab))
            results.append(entry)
            print(entry["model"], threads, {w: round(statistics.median(s["decode_tok_s"] for s in entry[w]), 1)
                                            for w in ("tern", "llama.cpp")}, file=sys.stderr)

    def medians(samples: list) -> dict:
        return {f: statistics.median(s[f] for s in samples) for f in FIELDS}

    out = ROOT / "bench/results/peers.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"machine": machine(), "prompt": args.prompt, "generate": args.generate,
                               "results": results}, indent=1) + "\n")
    text = table(results, medians)
    doc = ROOT / "docs/benchmarks.md"
    if doc.exists():
        before, rest = doc.read_text().split("<!-- peers -->\n", 1)
        after = rest.split("<!-- /peers -->", 1)[1]
        doc.write_text(before + "<!-- peers -->\n" + text + "<!-- /peers -->" + after)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
