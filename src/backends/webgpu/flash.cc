#include "backends/webgpu/flash.h"

#include <algorithm>

#include "backends/webgpu/fast_linear.h"
#include "backends/webgpu/fused_model.h"
#include "backends/webgpu/generic.h"

namespace tern::backends::webgpu {

namespace {

constexpr uint32_t kRows = 64;  // of a tile: tokens * query heads of a kv head
constexpr uint32_t kLeastTokens = 17;

uint32_t matrix_bytes(uint32_t head_dim) {
  return kRows * (head_dim + 8) * 2 + kRows * 68 * 4;
}

void add_attention(const Emitter& e, const graph::AttentionAttrs& attrs, Dispatch& d) {
  const uint32_t per_kv = attrs.n_heads / attrs.n_kv_heads;
  add_block_params(e, d.constants);
  d.constants.add("HD", attrs.head_dim);
  d.constants.add("GQ", per_kv);
  d.constants.add("KV_HEADS", attrs.n_kv_heads);
  d.constants.add("PAGE", e.key().page_tokens);
  d.constants.add("WINDOW", attrs.window);
  d.constants.add("SCALE", attrs.scale);
  d.constants.add("SOFTCAP", attrs.softcap);
  const uint32_t tokens = kRows / per_kv;
  const uint32_t runs = std::min(tokens, 8u);  // workgroups that find no run end at once
  d.constants.add("RUNS", runs);
  d.grid = {grid_constant(attrs.n_kv_heads), grid_rows(graph::Dim::tokens(), tokens), grid_constant(runs)};
}

Result<void> dispatch_flash(Emitter& e, graph::NodeId node, Dispatch d, const View& q, const View& out) {
  const auto& attrs = e.graph().attrs<graph::AttentionAttrs>(node);
  add_attention(e, attrs, d);
  d.binds = {reads(q.ref), reads(Emitter::keys(attrs.layer)), reads(Emitter::params()),
             reads(Emitter::values(attrs.layer)), writes(out.ref)};
  return e.dispatch(node, d);
}

Dispatch plain_flash(const Emitter& e, const graph::AttentionAttrs& attrs, const View& q, bool puts_halves,
                     const View& out) {
  Dispatch d{.name = "flash", .files = {cache_reader(e), puts_halves ? "attended_f16" : "attended_f32", "flash"}};
  d.constants.add("QUADS", std::max(1u, attrs.head_dim / 64));
  add_view(d.constants, "Q", q);
  if (!puts_halves) add_view(d.constants, "OUT", out);
  return d;
}

}  // namespace

Result<bool> emit_flash(Emitter& e, graph::NodeId node) {
  if (e.node(node).op != graph::Op::kAttention || e.max_tokens() < kLeastTokens) return false;
  const auto& attrs = e.graph().attrs<graph::AttentionAttrs>(node);
  const View q = e.input(node, 0), out = e.output(node);
  const uint32_t dim = attrs.head_dim;
  const bool has_dim = dim == 32 || dim == 64 || dim == 128 || dim == 256;
  const bool has_heads = attrs.n_heads % attrs.n_kv_heads == 0 && attrs.n_heads / attrs.n_kv_heads <= kRows;
  const bool is_aligned = q.stride % 4 == 0 && q.col0 % 4 == 0 && out.stride % 4 == 0 && out.col0 % 4 == 0;
  const bool has_cache =
      (e.key().kv_format != graph::KvFormat::kQ8_0 || dim % 64 == 0) && e.key().page_tokens % 32 == 0;
  if (!has_dim || !has_heads || !is_aligned || !has_cache) return false;
  TRY(dispatch_flash(e, node, plain_flash(e, attrs, q, false, out), q, out));
  return true;
}

bool flash_reads_halves(const Emitter& e, Gemm gemm, graph::NodeId node) {
  const uint32_t dim = e.graph().attrs<graph::AttentionAttrs>(node).head_dim;
  return gemm == Gemm::kMatrix && (dim == 64 || dim == 128) && e.target().gpu.max_workgroup_bytes >= matrix_bytes(dim);
}

Result<void> emit_flash_for(Emitter& e, graph::NodeId node, Gemm gemm, const View& q, const View& out) {
  const auto& attrs = e.graph().attrs<graph::AttentionAttrs>(node);
  if (!flash_reads_halves(e, gemm, node)) {
    return dispatch_flash(e, node, plain_flash(e, attrs, q, gemm == Gemm::kMatrix, out), q, out);
  }
  Dispatch d{.name = "flash_matrix",
             .files = {"matrices", cache_reader(e), "attended_f16", "flash_matrix"},
             .features = kMatrixFeatures};
  add_matrices(d.constants, attrs.head_dim + 8, 68, matrix_bytes(attrs.head_dim));
  d.constants.add("DS", attrs.head_dim / 16);
  return dispatch_flash(e, node, std::move(d), q, out);
}

}  // namespace tern::backends::webgpu
