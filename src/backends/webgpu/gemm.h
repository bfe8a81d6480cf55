// Products of many rows with quantised weights: tiles of packed 4x8 products (kernels/gemm_dot.wgsl), or of subgroup
// matrices where a device has them (kernels/gemm_matrix.wgsl). Their activations are int8 blocks or f16, which the
// kernels rows_*.wgsl leave.
#pragma once

#include "backends/webgpu/emitter.h"

namespace tern::backends::webgpu {

enum class Gemm { kDot, kMatrix };

/// The best that the device has, or none.
std::optional<Gemm> gemm_of(const graph::Target& target);
/// Whether the weight can be multiplied so.
bool has_gemm(Gemm gemm, const graph::Weight& weight);

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

/// A linear without its epilogue (kernels/epilogue_*.wgsl) and output, whose activations are f32; none where the device
/// or the family of the weight has no such product.
Result<std::optional<Dispatch>> start_gemm_linear(Emitter& emitter, graph::NodeId node);

}  // namespace tern::backends::webgpu
