// Small graphs that several tests use.
#pragma once

#include "graph/builder.h"

namespace tern::graph {

/// Sizes of the example: 8 columns, 2 heads of 4 and one KV head, 12 columns of hidden layer, 20 tokens.
inline constexpr uint32_t kDim = 8, kHeads = 2, kKvHeads = 1, kHeadDim = 4, kHidden = 12, kVocab = 20;
inline constexpr RopeAttrs kRopeAttrs = {kHeadDim, kHeadDim, 0, 1.0f};

/// Gives every weight a tensor id of its own, counting from 0.
struct Example {
  explicit Example(uint32_t n_layers) : b(n_layers, kKvHeads, kHeadDim) {}
  Builder b;
  uint32_t n_tensors = 0;

  ValueId weight(std::string name, uint32_t rows, uint32_t cols, Format format = Format::kF32) {
    const uint32_t tensor = n_tensors++;
    return b.weight(std::move(name), format, rows, cols, {{tensor, 0, rows}});
  }
};

/// One Llama block: x[T, 8] -> x[T, 8].
inline ValueId llama_block(Example& e, ValueId x, ValueId freqs, uint32_t layer) {
  Builder& b = e.b;
  const std::string p = "blk." + std::to_string(layer);
  b.scope(p);
  const ValueId h = b.rms_norm(x, e.weight(p + ".attn_norm.weight", 1, kDim), 1e-6f, "attn_norm");
  const ValueId q = b.linear(h, e.weight(p + ".attn_q.weight", kHeads * kHeadDim, kDim), "attn_q");
  const ValueId k = b.linear(h, e.weight(p + ".attn_k.weight", kKvHeads * kHeadDim, kDim), "attn_k");
  const ValueId v = b.linear(h, e.weight(p + ".attn_v.weight", kKvHeads * kHeadDim, kDim), "attn_v");
  const ValueId q_turned = b.rope(q, freqs, kRopeAttrs, "rope_q");
  const ValueId k_turned = b.rope(k, freqs, kRopeAttrs, "rope_k");
  b.kv_write(k_turned, v, {layer, kKvHeads, kHeadDim});
  const ValueId a = b.attention(q_turned, {layer, kHeads, kKvHeads, kHeadDim, 0.5f, 0.0f, 0});
  const ValueId o = b.linear(a, e.weight(p + ".attn_output.weight", kDim, kDim), "attn_output");
  const ValueId y = b.add(x, o, "attn_add");
  const ValueId n = b.rms_norm(y, e.weight(p + ".ffn_norm.weight", 1, kDim), 1e-6f, "ffn_norm");
  const ValueId gate = b.linear(n, e.weight(p + ".ffn_gate.weight", kHidden, kDim), "ffn_gate");
  const ValueId up = b.linear(n, e.weight(p + ".ffn_up.weight", kHidden, kDim), "ffn_up");
  const ValueId act = b.glu(gate, up, Activation::kSilu, "ffn_glu");
  const ValueId down = b.linear(act, e.weight(p + ".ffn_down.weight", kDim, kHidden), "ffn_down");
  const ValueId out = b.add(y, down, "ffn_add");
  b.scope("");
  return out;
}

/// A whole tied Llama of `n_layers` layers with output "logits" [R, 20].
inline Result<Graph> llama_graph(uint32_t n_layers) {
  Example e(n_layers);
  const ValueId table = e.weight("token_embd.weight", kVocab, kDim);
  const ValueId freqs = e.b.constant("rope_freqs", {1.0f, 0.01f});
  ValueId x = e.b.embed(table);
  for (uint32_t layer = 0; layer < n_layers; ++layer) x = llama_block(e, x, freqs, layer);
  x = e.b.gather_rows(x);
  x = e.b.rms_norm(x, e.weight("output_norm.weight", 1, kDim), 1e-6f, "output_norm");
  e.b.output("logits", e.b.linear(x, table, "output"));
  return e.b.finish();
}

}  // namespace tern::graph
