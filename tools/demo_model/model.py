"""A compact Llama 3 in PyTorch, with the parameter names and the rotary layout of Hugging Face's checkpoints.

B batch, T tokens, D model width, H query heads, K key/value heads, h head width, V vocabulary.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass
class Config:
    """Every matrix has a multiple of 256 columns and rows, so that every block format applies to every one."""

    vocab_size: int = 4096
    hidden_size: int = 512
    intermediate_size: int = 768
    num_hidden_layers: int = 6
    num_attention_heads: int = 8
    num_key_value_heads: int = 4
    head_dim: int = 64
    max_position_embeddings: int = 2048
    rope_theta: float = 10000.0
    rms_norm_eps: float = 1e-5


class RMSNorm(nn.Module):
    def __init__(self, width, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(width)), eps

    def forward(self, x):
        return F.rms_norm(x.float(), (x.shape[-1],), self.weight, self.eps)


def rope(x, cos, sin):
    """Rotates pairs (i, i + h/2) of each head.  x [B, heads, T, h], cos and sin [T, h/2]."""
    a, b = x.float().chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1).type_as(x)


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.q_proj = nn.Linear(c.hidden_size, c.num_attention_heads * c.head_dim, bias=False)
        self.k_proj = nn.Linear(c.hidden_size, c.num_key_value_heads * c.head_dim, bias=False)
        self.v_proj = nn.Linear(c.hidden_size, c.num_key_value_heads * c.head_dim, bias=False)
        self.o_proj = nn.Linear(c.num_attention_heads * c.head_dim, c.hidden_size, bias=False)

    def forward(self, x, cos, sin):
        heads = lambda y: y.unflatten(-1, (-1, self.c.head_dim)).transpose(1, 2)  # [B, heads, T, h]
        q, k, v = rope(heads(self.q_proj(x)), cos, sin), rope(heads(self.k_proj(x)), cos, sin), heads(self.v_proj(x))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        return self.o_proj(y.transpose(1, 2).flatten(2))


class MLP(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gate_proj = nn.Linear(c.hidden_size, c.intermediate_size, bias=False)
        self.up_proj = nn.Linear(c.hidden_size, c.intermediate_size, bias=False)
        self.down_proj = nn.Linear(c.intermediate_size, c.hidden_size, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.input_layernorm = RMSNorm(c.hidden_size, c.rms_norm_eps)
        self.self_attn = Attention(c)
        self.post_attention_layernorm = RMSNorm(c.hidden_size, c.rms_norm_eps)
        self.mlp = MLP(c)

    def forward(self, x, cos, sin):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        return x + self.mlp(self.post_attention_layernorm(x))


class Llama(nn.Module):
    def __init__(self, c=Config()):
        super().__init__()
        self.config = c
        self.embed_tokens = nn.Embedding(c.vocab_size, c.hidden_size)
        self.layers = nn.ModuleList(Layer(c) for _ in range(c.num_hidden_layers))
        self.norm = RMSNorm(c.hidden_size, c.rms_norm_eps)
        frequency = c.rope_theta ** (-torch.arange(0, c.head_dim, 2).float() / c.head_dim)
        angle = torch.outer(torch.arange(c.max_position_embeddings).float(), frequency)
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                residual = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(p, std=0.02 / (2 * c.num_hidden_layers) ** 0.5 if residual else 0.02)

    def hidden(self, ids):
        """ids [B, T] -> the normed last hidden state [B, T, D]."""
        x = self.embed_tokens(ids)
        for layer in self.layers:
            x = layer(x, self.cos[: ids.shape[1]], self.sin[: ids.shape[1]])
        return self.norm(x)

    def loss(self, ids, weights):
        """Weighted mean cross-entropy of the next token.  ids, weights of each as a target: [B, T + 1]."""
        logits = F.linear(self.hidden(ids[:, :-1]), self.embed_tokens.weight)
        each = F.cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
        w = weights[:, 1:].flatten()
        return (each * w).sum() / w.sum()

    @torch.no_grad()
    def generate(self, prompts, stop, limit, rows=64):
        """Greedy answers to a list of prompts (lists of ids). No cache: rows of similar length go through together."""
        device, answers = self.embed_tokens.weight.device, [[] for _ in prompts]
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
        for start in range(0, len(order), rows):
            live = order[start : start + rows]
            while live:
                texts = [prompts[i] + answers[i] for i in live]
                ids = torch.zeros(len(live), max(map(len, texts)), dtype=torch.long)
                for r, t in enumerate(texts):
                    ids[r, : len(t)] = torch.tensor(t)
                last = torch.tensor([len(t) - 1 for t in texts], device=device)
                x = self.hidden(ids.to(device))[torch.arange(len(live), device=device), last]
                best = F.linear(x, self.embed_tokens.weight).argmax(-1).tolist()
                still = []
                for i, token in zip(live, best):
                    if token not in stop:
                        answers[i].append(token)
                        if len(answers[i]) < limit:
                            still.append(i)
                live = still
        return answers
