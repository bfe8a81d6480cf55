// Attention of many tokens over a paged f16 cache (kernels/flash.wgsl, flash_matrix.wgsl).
#pragma once

#include "backends/webgpu/gemm.h"

namespace tern::backends::webgpu {

/// attention of more than 16 tokens, in f32.
Result<bool> emit_flash(Emitter& emitter, graph::NodeId node);

/// Whether emit_flash_for() takes queries in f16, two to a word of q, because it uses subgroup matrices.
bool flash_reads_halves(const Emitter& emitter, Gemm gemm, graph::NodeId node);
/// The attention of `node`, with q [T, heads * head_dim] as flash_reads_halves() says, and the output in f16 where
/// `gemm` reads that, else in f32.
Result<void> emit_flash_for(Emitter& emitter, graph::NodeId node, Gemm gemm, const View& q, const View& out);

}  // namespace tern::backends::webgpu
