#!/ usr / bin / env python3
"""Computes the logits of tests/data/golden/gemma2 with Gemma 2's soft cap on attention scores.

golden_logits.npy there comes from PyTorch's scaled_dot_product_attention, which transformers calls without the cap
(integrations/sdpa_attention.py takes no softcap), so it belongs to a model without it. This script is a second,
independent forward pass in NumPy and f64, written from the Gemma 2 report (arXiv 2408.00118). It first has to reproduce
PyTorch's logits without the cap, then it writes softcap_logits.npy and softcap.json with the cap of config.json.

usage: gemma2_reference.py tests/data/golden/gemma2        (needs NumPy)
"""
import json
import struct
import sys
from pathlib import Path

import numpy as np


def read_safetensors(path):
    data = path.read_bytes()
    (size,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    tensors = {}
    for name, t in header.items():
        begin, end = t["data_offsets"]
        values = np.frombuffer(data[8 + size + begin : 8 + size + end], "<f4")
        tensors[name] = values.reshape(t["shape"]).astype(np.float64)
    return tensors


def rms_norm(x, w, eps):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * (1 + w)


def rope(x, theta):  # x: [T, heads, head_dim]
    half = x.shape[-1] // 2
    angle = np.arange(x.shape[0])[:, None] * theta ** (-np.arange(half) / half)
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], -1)


def gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def capped(x, cap):
    return x if cap is None else cap * np.tanh(x / cap)


def forward(c, w, ids, attention_cap):  # -> logits [T, vocab]
    heads, kv_heads, dim, eps = (
        c[k] for k in ("num_attention_heads", "num_key_value_heads", "head_dim", "rms_norm_eps"))
    t = np.arange(len(ids))
    x = w["model.embed_tokens.weight"][ids] * np.sqrt(c["hidden_size"])
    for i, kind in enumerate(c["layer_types"]):
        p = {k.removeprefix(f"model.layers.{i}."): v for k, v in w.items() if k.startswith(f"model.layers.{i}.")}
        y = rms_norm(x, p["input_layernorm.weight"], eps)
        q, k, v = ((y @ p[f"self_attn.{n}_proj.weight"].T).reshape(len(ids), -1, dim) for n in "qkv")
        q, k = (rope(z, c["rope_parameters"]["rope_theta"]) for z in (q, k))
        k, v = (np.repeat(z, heads // kv_heads, axis=1) for z in (k, v))
        scores = capped(np.einsum("qhd,khd->hqk", q, k) / np.sqrt(c["query_pre_attn_scalar"]), attention_cap)
        seen = t[None, :] <= t[:, None]
        if kind == "sliding_attention":
            seen &= t[None, :] > t[:, None] - c["sliding_window"]
        scores = np.where(seen, scores, -np.inf)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        y = np.einsum("hqk,khd->qhd", weights, v).reshape(len(ids), -1) @ p["self_attn.o_proj.weight"].T
        x = x + rms_norm(y, p["post_attention_layernorm.weight"], eps)
        y = rms_norm(x, p["pre_feedforward_layernorm.weight"], eps)
        y = gelu_tanh(y @ p["mlp.gate_proj.weight"].T) * (y @ p["mlp.up_proj.weight"].T)
        x = x + rms_norm(y @ p["mlp.down_proj.weight"].T, p["post_feedforward_layernorm.weight"], eps)
    x = rms_norm(x, w["model.norm.weight"], eps)
    return capped(x @ w["model.embed_tokens.weight"].T, c["final_logit_softcapping"])


def main():
    folder = Path(sys.argv[1])
    config = json.loads((folder / "config.json").read_text())
    golden = json.loads((folder / "golden.json").read_text())
    weights = read_safetensors(folder / "model.safetensors")
    ids = golden["ids"]
    error = np.abs(forward(config, weights, ids, None) - np.load(folder / "golden_logits.npy")).max()
    print(f"without the cap: at most {error:.1e} from PyTorch")
    assert error < 5e-6  # transformers keeps its rope table in f32 even in an f64 run

    cap = config["attn_logit_softcapping"]
    logits = forward(config, weights, ids, cap)
    np.save(folder / "softcap_logits.npy", logits.astype(np.float32))
    greedy = list(ids)
    for _ in golden["greedy"]:
        greedy.append(int(forward(config, weights, greedy, cap)[-1].argmax()))
    (folder / "softcap.json").write_text(json.dumps({"ids": ids, "greedy": greedy[len(ids) :]}) + "\n")


if __name__ == "__main__":
    main()
