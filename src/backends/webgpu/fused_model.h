// The models that are computed by fused kernels, from the embedding to the head: everything that models/ builds, with
// quantised weights. What decoding (fused_decode.h) and prefill (fused_prefill.h) of them share.
#pragma once

#include "backends/webgpu/emitter.h"

namespace tern::backends::webgpu {

/// Pieces of a token's cache that are attended to side by side: 8 and 32 were 4 and 2% slower at 4096 positions.
constexpr uint32_t kAttentionSplits = 16;

/// A linear that gives whole heads of q, k and v, counted in this order; several where their formats differ (Q4_K_M has
/// some v in Q6_K).
struct QkvPart {
  graph::NodeId linear;
  uint32_t first_head;
};

/// A feed-forward block of experts, in the place of gate_up and down: a product for each expert of each token.
struct FusedExperts {
  graph::NodeId router, route, gate_up, glu, down;
};

struct FusedLayer {
  graph::NodeId attn_norm, rope, attention, o, ffn_norm;
  std::vector<QkvPart> qkv;
  graph::NodeId q_norm = graph::kNone, k_norm = graph::kNone;       // both or none
  graph::NodeId attn_post = graph::kNone, ffn_post = graph::kNone;  // norms of what is added to the residual stream
  graph::NodeId gate_up = graph::kNone, down = graph::kNone;
  std::optional<FusedExperts> experts;
  uint32_t table = 0;  // of cosines and sines
};

struct FusedModel {
  graph::NodeId embed = 0;
  std::vector<FusedLayer> layers;
  std::vector<graph::NodeId> tables;  // a rope node for each table of cosines and sines
  graph::NodeId pool = graph::kNone, gather = 0, norm = 0;
  std::vector<graph::NodeId> heads;      // one for each piece of the head's weight; none where it is of floats
  graph::NodeId softcap = graph::kNone;  // of the logits
  std::vector<graph::NodeId> nodes;      // all of it
};

/// The graph as such a model, if it is one from end to end and the device multiplies packed int8.
std::optional<FusedModel> match_fused_model(const Emitter& emitter);

/// All nodes of the model are computed.
void take(Emitter& emitter, const FusedModel& model);

/// The gain of a norm, which may also add (kAddRmsNorm).
Ref gain_of(const Emitter& emitter, graph::NodeId norm);

/// Begins a step: h [T, hidden], int8(h * gain of the first norm), cosines and sines [T, head_dim] of every table.
Result<void> emit_embed_q8(Emitter& emitter, const FusedModel& model, const View& h, const View& x,
                           const std::vector<View>& tables);

/// Adds what y holds, `parts` matrices one after the other, normed where there is a post-norm, to h, and leaves the
/// norm of the tokens that the file tokens_*.wgsl names. put: the files that write its form. parts = 0: y is not read.
struct RowsNorm {
  graph::NodeId norm = graph::kNone, post = graph::kNone;
  std::vector<std::string_view> put;
  std::string_view tokens = "tokens_all";
  uint32_t threads = 256;
  std::optional<View> shares = {};  // of `parts` rows for each token (fused_experts.h) instead of matrices
};
Result<void> emit_rows_norm(Emitter& emitter, const RowsNorm& how, const View& h, const View& y, uint32_t parts,
                            graph::Dim rows, const View& out);

/// The files that read the cache's format eight values at a time, and that write four.
std::string_view cache_reader(const Emitter& emitter);
std::string_view cache_writer(const Emitter& emitter);

/// The constants of put_head.wgsl.
void add_heads(const Emitter& emitter, const FusedLayer& layer, uint32_t first_head, Constants& constants);

/// The heads of q, k and v from y, `parts` matrices of `cols` columns, to q and the cache: bias, norms, RoPE. bias: of
/// this linear, or kNone. halves: q is f16.
struct RowsQkv {
  uint32_t first_head = 0, cols = 0, parts = 1;
  graph::NodeId bias = graph::kNone;
  bool halves = false;
};
Result<void> emit_rows_qkv(Emitter& emitter, const FusedLayer& layer, const RowsQkv& how, const View& y,
                           const View& table, const View& q);

/// Attention of every token by itself over pieces of its cache: unnormalised sums [T, heads * splits * head_dim], and
/// maximum and sum of each [T, heads * splits * 2].
Result<void> emit_attention_split(Emitter& emitter, const FusedLayer& layer, const View& q, const View& part_o,
                                  const View& part_ml);
/// Sums those up as a product reads them. put: the files that write its form (put_q8 or put_f16).
Result<void> emit_rows_attention(Emitter& emitter, const FusedLayer& layer, const View& part_o, const View& part_ml,
                                 const std::vector<std::string_view>& put, const View& out);

/// Leaves the norm of the wanted rows for a head that is no part of the model. y, parts: as in emit_rows_norm().
Result<void> emit_last_norm(Emitter& emitter, const FusedModel& model, RowsNorm how, const View& h, const View& y,
                            uint32_t parts);

/// Where the logits of a piece of the head go, and the file (epilogue_*.wgsl) that caps them or not.
View logits(const Emitter& emitter, const FusedModel& model, graph::NodeId head);
void add_logits_epilogue(const Emitter& emitter, const FusedModel& model, Dispatch& dispatch);

}  // namespace tern::backends::webgpu
