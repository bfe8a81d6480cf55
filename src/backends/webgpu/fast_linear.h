// What the kernels with int8 activations (kernels/q8_block.wgsl) share: which weights they read, how work is split.
#pragma once

#include "backends/webgpu/emitter.h"

namespace tern::backends::webgpu {

/// int8 activations against this weight: whole groups of 32, a family with a dot_*.wgsl.
bool has_int8_product(const graph::Weight& weight);
/// "dot_q4"; the weight has an int8 product.
std::string_view dot_file(Family family);

/// "q4 6144x4096": what the choice of a product's shape depends on.
std::string product_name(const PlaneLayout& layout);

/// Rows of int8 blocks of `cols` values.
View q8_blocks(Emitter& emitter, graph::Dim rows, uint32_t cols);

/// Threads that work together: team_subgroup.wgsl where the device has subgroups of up to 64, else team_workgroup.wgsl.
void add_team(const Emitter& emitter, Dispatch& dispatch, uint32_t threads);
/// P_TOKENS ...: offsets in the params block, as the kernels of this family call them.
void add_block_params(const Emitter& emitter, Constants& constants);

/// How gemv_q8.wgsl splits its work: `out` results a workgroup, `threads` of them, `parts` of K, and `rows` of the
/// weight that a team takes at a time.
struct GemvShape {
  uint32_t out, threads, parts, rows;
};
/// Constants of gemv_q8.wgsl for `rows_per_result` weight rows a result, `tokens` tokens at a time. Of the shape `out`
/// is fixed; the rest is what it is unless tuning says otherwise (Emitter::choose: threads, parts, rows).
void add_gemv(Emitter& emitter, Dispatch& dispatch, const graph::Weight& weight, GemvShape shape,
              uint32_t rows_per_result, uint32_t tokens);

}  // namespace tern::backends::webgpu
