// Mixtures of experts in fused models: what decoding and prefill share.
#pragma once

#include "backends/webgpu/fused_model.h"
#include "backends/webgpu/gemm.h"

namespace tern::backends::webgpu {

/// Experts there are, and experts a token has.
uint32_t expert_count(const Emitter& emitter, const FusedExperts& experts);
uint32_t experts_per_token(const Emitter& emitter, const FusedExperts& experts);

/// Logits of the experts [T, experts], from h.
Result<void> emit_router(Emitter& emitter, const FusedLayer& layer, const View& h, const View& router);

/// Constants and the file of kernels/route.wgsl.
void add_route(const Emitter& emitter, const FusedExperts& experts, Dispatch& dispatch);

/// The feed-forward block of many tokens, from their norm x, gemm_rows(): y [T * top, hidden] of every expert, and
/// shares [T, top].
struct ExpertSums {
  View y, shares;
};
Result<ExpertSums> emit_expert_gemms(Emitter& emitter, const FusedLayer& layer, Gemm gemm, const View& router,
                                     const View& x);

}  // namespace tern::backends::webgpu
