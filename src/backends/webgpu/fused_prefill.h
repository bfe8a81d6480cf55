// Steps of more than 16 tokens through the models of fused_model.h: tiles of packed products or of subgroup matrices
// (gemm.h), and one kernel between two products that sums their parts and leaves what the next one reads:
//
//   rows_norm > qkv > rows_qkv (bias, RoPE, KV write) > attention > o > rows_norm (residual) > gate and up > rows_glu >
//   down > rows_norm (residual) of the next layer
//
// Attention is one kernel over whole prompts; steps of up to 64 tokens, which are mostly single tokens of many
// sequences, split every token's cache as decoding does.
#pragma once

#include "backends/webgpu/emitter.h"

namespace tern::backends::webgpu {

/// Takes the embedding and every layer after it, up to and with the linears of the head.
Result<bool> emit_fused_prefill(Emitter& emitter, graph::NodeId node);

}  // namespace tern::backends::webgpu
