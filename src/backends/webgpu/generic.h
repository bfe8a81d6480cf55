// The generic kernels: one per op, any shape, any family of weights, float activations, WebGPU's default limits. They
// serve what no faster KernelDef takes.
#pragma once

#include "backends/webgpu/emitter.h"

namespace tern::backends::webgpu {

// generic_dense.cc
Result<bool> emit_embed(Emitter& emitter, graph::NodeId node);
Result<bool> emit_gather_rows(Emitter& emitter, graph::NodeId node);
Result<bool> emit_linear(Emitter& emitter, graph::NodeId node);  // linear, linear_add, linear_glu
Result<bool> emit_elementwise(Emitter& emitter, graph::NodeId node);
Result<bool> emit_norm(Emitter& emitter, graph::NodeId node);
Result<bool> emit_pool_norm(Emitter& emitter, graph::NodeId node);
// generic_attention.cc
Result<bool> emit_rope(Emitter& emitter, graph::NodeId node);
Result<bool> emit_kv_write(Emitter& emitter, graph::NodeId node);  // kv_write, rope_kv_write
Result<bool> emit_attention(Emitter& emitter, graph::NodeId node);
// generic_experts.cc
Result<bool> emit_route(Emitter& emitter, graph::NodeId node);
Result<bool> emit_linear_experts(Emitter& emitter, graph::NodeId node);
Result<bool> emit_combine(Emitter& emitter, graph::NodeId node);

/// pool_norm of x; to be added to it first: `parts` matrices [T, columns of x] of y, one after the other.
Result<void> emit_pool_norm_of(Emitter& emitter, graph::NodeId node, const View& x, const View& y, uint32_t parts);

/// <prefix>_STRIDE and <prefix>_COL0 of a matrix.
void add_view(Constants& constants, std::string_view prefix, const View& view);
/// ROWS_SYMBOL and ROWS_MULTIPLE: rows = params[ROWS_SYMBOL] * ROWS_MULTIPLE.
void add_rows(Constants& constants, graph::Dim rows);
/// PADDED, GROUP, SCALES, ROW_SCALES, as kernels/w_*.wgsl read them.
void add_planes(Constants& constants, const PlaneLayout& layout);
/// TOKENS, POSITIONS, SEQUENCES, SEQS, PAGES: offsets in the params block.
void add_params(Constants& constants, const graph::ParamsLayout& layout);

}  // namespace tern::backends::webgpu
