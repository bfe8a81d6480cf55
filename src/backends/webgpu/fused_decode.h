// Steps of few tokens through a Llama, Mistral or Qwen2 whose weights are quantised: five dispatches a layer for one
// token, six for up to 16.
//
//   qkv (norm folded in, bias, RoPE, KV write) > attention over pieces of the cache > o (pieces combined, residual,
//   int8 for the next) > gate and up (norm folded in, GLU, int8) > down (residual, int8)
//
// The norms cost nothing: whoever makes the residual stream h writes int8(h * gain) and partial sums of h^2, and 1 /
// rms is one factor of the next product's results.
#pragma once

#include "backends/webgpu/emitter.h"

namespace tern::backends::webgpu {

/// Takes the embedding and every layer after it, up to and with the linears of the head, if the graph is such a model
/// from end to end and the device multiplies packed int8.
Result<bool> emit_fused_decode(Emitter& emitter, graph::NodeId node);

}  // namespace tern::backends::webgpu
