// Products of many rows with quantised weights: tiles of packed 4x8 products (kernels/gemm_dot.wgsl), or of subgroup
// matrices where a device has them (kernels/gemm_matrix.wgsl). Their activations are int8 blocks or f16, which the
// kernels rows_*.wgsl leave.
#pragma once

#include "backends/webgpu/emitter.h"

namespace tern::backends::webgpu {

enum class Gemm { kDot, kMatrix };

/// The best that the device has, or none.
std::optional<Gemm> gemm_of(const graph::Target& target);

/// Rows of activations of `cols` values, as such a product reads them.
View gemm_rows(Emitter& emitter, Gemm gemm, graph::Dim rows, uint32_t cols);
/// The kernel files that write such rows.
std::vector<std::string_view> put_files(Gemm gemm);
/// rows: gemm_rows() of x, columns as they are.
Result<void> emit_rows(Emitter& emitter, graph::NodeId node, Gemm gemm, const View& x, const View& rows);

/// What kernels with matrices.wgsl need: lines before the shader; distance of rows in halves and of sums in floats, and
/// bytes of workgroup memory.
constexpr std::string_view kMatrixFeatures =
    "enable f16;\nenable subgroups;\nenable chromium_experimental_subgroup_matrix;\nrequires buffer_view;\n"
    "diagnostic(off, chromium.subgroup_matrix_uniformity);\n";
void add_matrices(Constants& constants, uint32_t halves, uint32_t floats, uint32_t bytes);

/// A product on its way: the dispatch without its epilogue, and how many matrices of partial sums it leaves.
struct GemmDispatch {
  Dispatch dispatch;
  uint32_t parts = 1;
};
/// x: gemm_rows(). The caller adds a file epilogue_*.wgsl, binding 3 (the output), OUT_STRIDE and OUT_COL0. may_split:
/// the output is `parts` matrices of all rows, one after the other, that wait to be summed.
/// store: what a product on matrices does with its results (kernels/store_*.wgsl); the file may ask for other
/// constants.
GemmDispatch make_gemm(Emitter& emitter, Gemm gemm, graph::NodeId node, const View& x, bool may_split,
                       std::string_view store = "store_rows");

/// Rows of the experts of tokens, sorted by expert, so that every tile is of one.
struct ExpertTiles {
  uint32_t experts, top;  // there are; a token has
  uint32_t rows;          // rows of x of an expert, about
  bool has_pairs;         // whether all K are in whole pairs of groups
  View tiles;             // what kernels/sort_experts.wgsl leaves
};
/// Rows of a tile of such a product.
uint32_t expert_tile_rows(const Emitter& emitter, Gemm gemm, const ExpertTiles& by);
uint32_t expert_tile_count(const Emitter& emitter, Gemm gemm, const ExpertTiles& by);
/// The same product, undivided, of the experts of all tokens: a row for each, `each` of which have one row of x. The
/// caller adds binding 4, the tiles, after the output.
GemmDispatch make_expert_gemm(Emitter& emitter, Gemm gemm, graph::NodeId node, const View& x, uint32_t each,
                              const ExpertTiles& by, std::string_view store);

/// A linear without its epilogue (kernels/epilogue_*.wgsl) and output, whose activations are f32; none where the device
/// or the family of the weight has no such product.
Result<std::optional<Dispatch>> start_gemm_linear(Emitter& emitter, graph::NodeId node);

}  // namespace tern::backends::webgpu
