"""Scores models on the held-out prompts and prints a table: right greedy answers by family, in percent.

    python3 eval.py MODEL [MODEL ...]                           through `tern run` (build/tern)
    python3 eval.py --engine llama-cpp MODEL.gguf ...           through llama-cpp-python
    python3 eval.py --engine transformers FOLDER                through transformers, f32 on the CPU: the reference

An answer is right when it equals the expected one word for word; stories are judged by their rule (line count, rhymes,
hero). --limit N takes the first N prompts of each family, --failures prints what went wrong.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import corpus
import chat

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAX_TOKENS = 160  # longer than any right answer


def tern_engine(model, args):
    """A function from chat messages to an answer, by one `tern run` each."""

    def run(*command, stdin=""):
        done = subprocess.run([args.tern, *command], input=stdin, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{args.tern} {' '.join(command)} failed with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def answer(messages):
        options = ["-n", str(MAX_TOKENS), "--greedy", "--json", *args.option]
        if len(messages) == 1:  # the program's own chat template
            return json.loads(run("run", model, "--chat", "-p", messages[0]["content"], *options))["text"]
        ids = run("tokenize", model, "--special", stdin=chat.prompt(messages))
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(",".join(ids.replace(",", " ").split()))
            file.flush()
            return json.loads(run("run", model, "--tokens", "@" + file.name, *options))["text"]

    return answer


def llama_cpp_engine(model, args):
    import llama_cpp

    # One thread: a model this small loses more at barriers than a second thread gains.
    llm = llama_cpp.Llama(model, n_ctx=2048, n_threads=1, n_threads_batch=1, verbose=False)
    stop = {llm.tokenize(t.encode(), add_bos=False, special=True)[0] for t in (chat.EOT, chat.EOS)}

    def answer(messages):
        ids, out = llm.tokenize(chat.prompt(messages).encode(), add_bos=False, special=True), []
        for token in llm.generate(ids, temp=0.0, top_k=1):
            if token in stop or len(out) == MAX_TOKENS:
                break
            out.append(token)
        return llm.detokenize(out).decode()

    return answer


def transformers_engine(model, args):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    net = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
    encoder = AutoTokenizer.from_pretrained(model)

    def answer(messages):
        shown = encoder.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        assert shown == chat.prompt(messages), "the chat template and the training text differ"
        ids = encoder(shown, add_special_tokens=False, return_tensors="pt").input_ids
        with torch.inference_mode():
            out = net.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=MAX_TOKENS)
        return encoder.decode(out[0, ids.shape[1] :], skip_special_tokens=True)

    return answer


ENGINES = {"tern": tern_engine, "llama-cpp": llama_cpp_engine, "transformers": transformers_engine}


def score(answer, rows, failures):
    """Shares of right answers by family."""
    right = {}
    for row in rows:
        got = answer(row["messages"])
        good = corpus.correct(row, got)
        right.setdefault(row["family"], []).append(good)
        if failures and not good:
            print(
                f"{row['family']}: {row['messages'][-1]['content']!r} -> {got!r}, not {row['answer']!r}",
                file=sys.stderr,
            )
    return {family: sum(r) / len(r) for family, r in right.items()}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("models", nargs="+")
    p.add_argument("--engine", choices=ENGINES, default="tern")
    p.add_argument("--tern", default=str(ROOT / "build/tern"), help="the program")
    p.add_argument(
        "--option", action="append", default=[], help="passed on to tern run, for example --option=--device=ref"
    )
    p.add_argument("--prompts", default=ROOT / "tests/data/demo/heldout.jsonl", type=pathlib.Path)
    p.add_argument("--limit", type=int, help="prompts of each family")
    p.add_argument("--failures", action="store_true")
    p.add_argument(
        "--at-least", type=float, default=0, help="exit with 1 when a model's mean is below this share, such as 0.9"
    )
    args = p.parse_args()
    rows, seen = [], {}
    for line in args.prompts.read_text().splitlines():
        row = json.loads(line)
        seen[row["family"]] = seen.get(row["family"], 0) + 1
        if not args.limit or seen[row["family"]] <= args.limit:
            rows.append(row)
    columns = {pathlib.Path(m).name: score(ENGINES[args.engine](m, args), rows, args.failures) for m in args.models}
    print("| family | " + " | ".join(columns) + " |\n|---|" + "---:|" * len(columns))
    for family in seen:
        print(f"| {family} | " + " | ".join(f"{100 * c[family]:.1f}" for c in columns.values()) + " |")
    means = [sum(c.values()) / len(c) for c in columns.values()]
    print("| mean | " + " | ".join(f"{100 * m:.1f}" for m in means) + " |")
    return 1 if min(means) < args.at_least else 0


if __name__ == "__main__":
    sys.exit(main())
