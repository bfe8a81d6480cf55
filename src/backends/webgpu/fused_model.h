// The models that are computed by fused kernels: Llama, Mistral, Qwen2 with quantised weights, from the embedding to
// the head. What decoding (fused_decode.h) and prefill (fused_prefill.h) of them share.
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

struct FusedLayer {
  graph::NodeId attn_norm, rope, attention, o, ffn_norm, gate_up, down;
  std::vector<QkvPart> qkv;
};

struct FusedModel {
  graph::NodeId embed = 0;
  std::vector<FusedLayer> layers;
  graph::NodeId pool = graph::kNone, gather = 0, norm = 0;
  std::vector<graph::NodeId> heads;  // one for each piece of the head's weight
};

/// The graph as such a model, if it is one from end to end, the device multiplies packed int8, and the cache is one of
/// f16 in pages of 32 or a multiple of 64 tokens.
std::optional<FusedModel> match_fused_model(const Emitter& emitter);

/// All nodes of the model are computed.
void take(Emitter& emitter, const FusedModel& model);

/// Begins a step: h [T, hidden], int8(h * gain of the first norm), cosines and sines [T, head_dim].
Result<void> emit_embed_q8(Emitter& emitter, const FusedModel& model, const View& h, const View& x, const View& rope);

/// Attention of every token by itself over pieces of its cache: unnormalised sums [T, heads * splits * head_dim], and
/// maximum and sum of each [T, heads * splits * 2].
Result<void> emit_attention_split(Emitter& emitter, const FusedLayer& layer, const View& q, const View& part_o,
                                  const View& part_ml);
/// Sums those up as a product reads them. put: the files that write its form (put_q8 or put_f16).
Result<void> emit_rows_attention(Emitter& emitter, const FusedLayer& layer, const View& part_o, const View& part_ml,
                                 const std::vector<std::string_view>& put, const View& out);

}  // namespace tern::backends::webgpu
