"""Trains the demo model on an endless corpus and writes a Hugging Face folder.

    python3 train.py --tokenizer DIR --out DIR [--steps N] [--resume FOLDER]

Worker processes generate and tokenise documents while the GPU trains, so no document is seen twice on purpose and
nothing is stored. The batches depend on the seed and the number of workers only. Matrices learn by Muon (Jordan 2024,
https://kellerjordan.github.io/posts/muon/, with the step size of Liu et al. 2025, arXiv:2502.16982), the embedding and
the norms by Adam.
"""

import argparse
import itertools
import json
import multiprocessing
import os
import pathlib
import random
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the workers are the parallelism

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

import corpus
import chat
from model import Llama

WEIGHT_USER, WEIGHT_PLAIN, WEIGHT_ANSWER = 0.1, 0.3, 1.0  # how much each kind of token counts in the loss


def produce(queue, folder, seed, rows, length):
    """A worker: fills batches of rows. A row holds whole documents; the last one is cut where the row ends."""
    encoder, rng = Tokenizer.from_file(f"{folder}/tokenizer.json"), random.Random(seed)
    documents = iter(())
    while True:
        batch = np.empty((rows, length), np.uint16)
        for r in range(rows):
            filled = 0
            while filled < length:
                ids = next(documents, None)
                if ids is None:
                    fresh = [chat.render(corpus.document(rng)) for _ in range(256)]
                    documents = iter([e.ids for e in encoder.encode_batch(fresh, add_special_tokens=False)])
                    continue
                take = min(len(ids), length - filled)
                batch[r, filled : filled + take] = ids[:take]
                filled += take
        queue.put(batch)


def start_workers(args):
    """Starts the workers (before CUDA starts: they are forked) and returns one queue of batches for each."""
    queues = [multiprocessing.Queue(4) for _ in range(args.workers)]
    for i, queue in enumerate(queues):
        multiprocessing.Process(
            target=produce, daemon=True, args=(queue, args.tokenizer, args.seed * 1000 + i, args.rows, args.length + 1)
        ).start()
    return itertools.cycle(queues)


def token_weights(ids, special, assistant):
    """How much each token of [B, T] counts: by the role of the message it is in, read off the template's markers."""
    bos, header_end = special[chat.BOS], special[chat.HEADER_END]
    before = torch.roll(ids, 1, dims=1)
    mark = torch.zeros(ids.shape, device=ids.device)
    mark[ids == bos] = WEIGHT_PLAIN
    mark[ids == header_end] = WEIGHT_USER
    mark[(ids == header_end) & (before == assistant)] = WEIGHT_ANSWER
    at = torch.where(mark > 0, torch.arange(ids.shape[1], device=ids.device), 0).cummax(dim=1).values
    weights = mark.gather(1, at)
    return torch.where((ids == bos) | (ids == special[chat.HEADER]), 0.0, weights)


class Muon:
    """Momentum whose update is replaced by the nearest orthogonal matrix (five Newton-Schulz steps)."""

    def __init__(self, parameters, momentum=0.95, decay=0.1):
        self.momentum, self.decay = momentum, decay
        self.groups = {}
        for p in parameters:
            self.groups.setdefault(tuple(p.shape), []).append(p)
        self.state = {shape: torch.zeros(len(ps), *shape, device=ps[0].device) for shape, ps in self.groups.items()}

    @staticmethod
    def orthogonal(g):  # [N, rows, columns]
        x = g.bfloat16()
        tall = x.shape[1] > x.shape[2]
        x = x.mT if tall else x
        x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
        for _ in range(5):
            a = x @ x.mT
            x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
        return x.mT if tall else x

    @torch.no_grad()
    def step(self, lr):
        for shape, ps in self.groups.items():
            g, m = torch.stack([p.grad for p in ps]).float(), self.state[shape]
            m.lerp_(g, 1 - self.momentum)
            update = self.orthogonal(g.lerp(m, self.momentum)).float() * (0.2 * max(shape) ** 0.5)
            for p, u in zip(ps, update):
                p.mul_(1 - lr * self.decay).sub_(u, alpha=lr)


def learning_rate(step, steps, peak):
    """Rises for 100 steps, stays, and falls linearly to zero over the last 60 percent."""
    return peak * min(1, (step + 1) / 100, (steps - step) / (0.6 * steps))


def evaluate(model, encoder, rows):
    """Shares of right greedy answers by family, in f32."""
    stop = {encoder.token_to_id(chat.EOT), encoder.token_to_id(chat.EOS)}
    prompts = [encoder.encode(chat.prompt(r["messages"]), add_special_tokens=False).ids for r in rows]
    answers = model.generate(prompts, stop, limit=160)
    texts = [encoder.decode(a) for a in answers]
    score, wrong = {}, []
    for row, answer in zip(rows, texts):
        good = corpus.correct(row, answer)
        score.setdefault(row["family"], []).append(good)
        if not good:
            wrong.append((row["family"], row["messages"][-1]["content"], answer, row["answer"]))
    return {f: sum(s) / len(s) for f, s in score.items()}, wrong


def export(model, folder, shards):
    """config.json, generation_config.json and f32 safetensors in so many files."""
    folder.mkdir(parents=True, exist_ok=True)
    c = model.config
    special = {t: i for i, t in enumerate(chat.SPECIALS, start=c.vocab_size - len(chat.SPECIALS))}
    stops = [special[chat.EOT], special[chat.EOS]]
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        **vars(c),
        "hidden_act": "silu",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "initializer_range": 0.02,
        "pretraining_tp": 1,
        "rope_scaling": None,
        "rope_parameters": {"rope_type": "default", "rope_theta": c.rope_theta},
        "bos_token_id": special[chat.BOS],
        "eos_token_id": stops,
        "dtype": "float32",
        "torch_dtype": "float32",
        "use_cache": True,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "generation_config.json").write_text(
        json.dumps({"bos_token_id": special[chat.BOS], "eos_token_id": stops, "do_sample": False}, indent=2) + "\n"
    )
    tensors = {f"model.{k}": v.detach().float().cpu().contiguous() for k, v in model.state_dict().items()}
    names, size = list(tensors), sum(v.numel() for v in tensors.values())
    parts, total = [{} for _ in range(shards)], 0
    for name in names:
        parts[min(shards - 1, total * shards // size)][name] = tensors[name]
        total += tensors[name].numel()
    files = (
        ["model.safetensors"]
        if shards == 1
        else [f"model-{i + 1:05}-of-{shards:05}.safetensors" for i in range(shards)]
    )
    for file, part in zip(files, parts):
        save_file(part, folder / file, {"format": "pt"})
    if shards > 1:
        index = {
            "metadata": {"total_size": size * 4},
            "weight_map": {n: f for f, part in zip(files, parts) for n in part},
        }
        (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")


def load(folder):
    """The model of a folder that `export` wrote."""
    model = Llama()
    tensors = {}
    for file in sorted(pathlib.Path(folder).glob("model*.safetensors")):
        tensors |= load_file(file)
    model.load_state_dict({k.removeprefix("model."): v for k, v in tensors.items()})
    return model


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--tokenizer", required=True, help="folder with tokenizer.json")
    p.add_argument("--out", required=True, type=pathlib.Path)
    p.add_argument("--resume", help="start from the weights of this folder")
    p.add_argument("--steps", type=int, default=5000)
    p.add_argument("--rows", type=int, default=64, help="sequences in a batch")
    p.add_argument("--length", type=int, default=2048)
    p.add_argument("--lr", type=float, default=4e-3)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--workers", type=int, default=14)
    p.add_argument("--shards", type=int, default=1)
    p.add_argument("--eval-prompts", type=int, default=100, help="held-out prompts of each family, scored at the end")
    args = p.parse_args()

    start = time.time()
    workers = start_workers(args)
    torch.manual_seed(args.seed)
    torch.set_float32_matmul_precision("high")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    encoder = Tokenizer.from_file(f"{args.tokenizer}/tokenizer.json")
    special = {t: encoder.token_to_id(t) for t in chat.SPECIALS}
    model = (load(args.resume) if args.resume else Llama()).to(device)
    matrices = [p for n, p in model.named_parameters() if p.dim() == 2 and "embed" not in n]
    muon = Muon(matrices)
    adam = torch.optim.AdamW(
        [p for n, p in model.named_parameters() if p.dim() == 1 or "embed" in n],
        betas=(0.9, 0.95),
        weight_decay=0.0,
        fused=device == "cuda",
    )
    log = Log(args.out)
    log(
        f"{sum(p.numel() for p in model.parameters())} weights, {args.steps} steps of {args.rows} x {args.length}"
        f" tokens, seed {args.seed}, {args.workers} workers, peak rate {args.lr}"
    )

    def forward(ids, weights):
        with torch.autocast(device, torch.bfloat16):
            return model.loss(ids, weights)

    step_loss = torch.compile(forward) if device == "cuda" else forward
    orthogonal = Muon.orthogonal
    if device == "cuda":
        Muon.orthogonal = staticmethod(torch.compile(orthogonal))
    mark, since = time.time(), 0
    for step in range(args.steps):
        ids = torch.from_numpy(next(workers).get().astype(np.int64)).to(device)
        loss = step_loss(ids, token_weights(ids, special, encoder.token_to_id("assistant")))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(adam.param_groups[0]["params"], 1.0)
        lr = learning_rate(step, args.steps, args.lr)
        muon.step(lr)
        adam.param_groups[0]["lr"] = lr
        adam.step()
        model.zero_grad(set_to_none=True)
        if step % max(1, args.steps // 50) == 0 or step == args.steps - 1:
            value = loss.item()
            speed = (step - since) * args.rows * args.length / (time.time() - mark)
            log(
                f"step {step:5}  loss {value:.4f}  rate {lr:.5f}  {speed / 1e6:.2f} M tokens/s "
                f" {time.time() - start:.0f} s"
            )
            mark, since = time.time(), step
    export(model, args.out, args.shards)
    torch.set_float32_matmul_precision("highest")
    scores, wrong = evaluate(model.eval(), encoder, corpus.held_out_set(args.eval_prompts, seed=args.seed))
    log(f"right answers to {args.eval_prompts} held-out prompts of each family, f32 weights, in percent:")
    log(
        "  "
        + "  ".join(f"{f} {100 * s:.1f}" for f, s in scores.items())
        + f"  mean {100 * sum(scores.values()) / len(scores):.1f}"
    )
    for family, question, answer, right in wrong[:80]:
        print(f"{family}: {question!r} -> {answer[:100]!r}, not {right!r}")
    log(f"done after {time.time() - start:.0f} s")


class Log:
    """Prints, and appends to training.log in the output folder."""

    def __init__(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self.file = (folder / "training.log").open("a")

    def __call__(self, line):
        print(line, flush=True)
        print(line, file=self.file, flush=True)


if __name__ == "__main__":
    main()
