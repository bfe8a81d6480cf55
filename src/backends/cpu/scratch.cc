#include "backends/cpu/scratch.h"

#include <algorithm>

namespace tern::backends::cpu {

namespace {

/// The largest that any op of the plan asks for.
struct Needs {
  uint64_t linear_rows = 1;
  uint64_t experts = 1;
  uint64_t worker_floats = 0;
  uint64_t part_floats = 0;
  uint64_t product_cols = 0;  // padded
};

/// Attention is split into blocks where there are fewer tokens and KV heads than threads can share: parts for two
/// tokens that see everything. 64 MiB at most: beyond, blocks are done one after the other.
uint64_t part_floats(const BoundPlan& bound, const graph::AttentionAttrs& attrs, const KernelTable& kernels) {
  constexpr uint64_t kMost = uint64_t{16} << 20;
  const uint64_t blocks = uint64_t{bound.limits.n_pages} * bound.kv.page_tokens / kAttentionBlock + 2;
  return std::min(kMost, 2 * blocks * attrs.n_heads * kernels.attention_part(attrs.head_dim));
}

Needs needs_of(const BoundPlan& bound, const KernelTable& kernels) {
  Needs needs;
  needs.worker_floats = kernels.linear_scratch();
  const graph::PlanKey& key = bound.plan.key;
  for (const Call& call : bound.calls) {
    for (const Matrix& out : call.outputs) {
      needs.linear_rows = std::max(needs.linear_rows, out.rows.at(key.most()));
    }
    for (const Matrix& in : call.inputs) {
      if (!in.weight || in.weight->rows <= 1) continue;
      needs.product_cols = std::max<uint64_t>(needs.product_cols, in.weight->cols);
    }
    if (const auto* attrs = std::get_if<graph::AttentionAttrs>(&call.attrs)) {
      needs.worker_floats = std::max<uint64_t>(needs.worker_floats, kernels.attention_scratch(attrs->head_dim));
      needs.part_floats = std::max(needs.part_floats, part_floats(bound, *attrs, kernels));
    }
    if (call.op == graph::Op::kRopeKvWrite) {
      needs.worker_floats = std::max<uint64_t>(needs.worker_floats, call.inputs[1].cols);
    }
    if (call.op == graph::Op::kRouteTopk || call.op == graph::Op::kPoolNorm) {
      needs.worker_floats = std::max<uint64_t>(needs.worker_floats, call.inputs[0].cols);
    }
    if (const auto* attrs = std::get_if<graph::ExpertsAttrs>(&call.attrs)) {
      needs.experts = std::max<uint64_t>(needs.experts, attrs->n_experts);
    }
  }
  // An encoded row, of which no format takes more bytes than f32.
  needs.worker_floats = std::max<uint64_t>(needs.worker_floats, needs.product_cols);
  const auto rows = static_cast<uint32_t>(std::min<uint64_t>(needs.linear_rows, kProductTokens));
  needs.worker_floats = std::max<uint64_t>(needs.worker_floats, panel_scratch(rows));
  needs.worker_floats = (needs.worker_floats + 15) / 16 * 16;  // workers do not share cache lines
  return needs;
}

/// The frequencies and attributes of an op that turns, or null.
const graph::RopeAttrs* rope_attrs(const Call& call) {
  if (const auto* rope = std::get_if<graph::RopeAttrs>(&call.attrs)) return rope;
  if (const auto* both = std::get_if<graph::RopeKvAttrs>(&call.attrs)) return &both->rope;
  return nullptr;
}

Result<uint32_t> rope_table(Scratch& scratch, const BoundPlan& bound, const Call& call, float magnitude) {
  const Matrix& freqs = call.inputs.back();
  for (size_t i = 0; i < scratch.rope_tables.size(); ++i) {
    const RopeTable& table = scratch.rope_tables[i];
    // Frequencies that a node computes may change their place's meaning within a step, so they are never shared.
    const bool same = freqs.weight && table.freqs->data == freqs.data && table.freqs->cols == freqs.cols;
    if (same && table.magnitude == magnitude) return static_cast<uint32_t>(i);
  }
  const uint64_t bytes = uint64_t{bound.plan.key.max_tokens} * 2 * freqs.cols * sizeof(float);
  scratch.rope_tables.push_back({&freqs, magnitude, TRY(HostBlock::make(bytes, "a table of rotations")), 0});
  return static_cast<uint32_t>(scratch.rope_tables.size() - 1);
}

/// Of a row of activations at most: f32 of whole blocks; int8 takes half of it.
uint64_t most_quantized_bytes(uint64_t cols) {
  return (cols + kSuperBlock) / kSuperBlock * kSuperBlock * sizeof(float);
}

}  // namespace

Result<Scratch> Scratch::make(const BoundPlan& bound, const KernelTable& kernels, uint32_t threads,
                              uint64_t largest_pair) {
  const Needs needs = needs_of(bound, kernels);
  Scratch out;
  out.x_rows = TRY(HostBlock::make(needs.linear_rows * sizeof(void*), "pointers to rows"));
  out.y_rows = TRY(HostBlock::make(needs.linear_rows * sizeof(void*), "pointers to rows"));
  out.residual_rows = TRY(HostBlock::make(needs.linear_rows * sizeof(void*), "pointers to rows"));
  const uint64_t rows = std::min<uint64_t>(needs.linear_rows, kProductTokens);
  out.quantized = TRY(HostBlock::make(rows * most_quantized_bytes(needs.product_cols), "quantised activations"));
  out.expert_rows = TRY(HostBlock::make(needs.linear_rows * sizeof(uint32_t), "rows by expert"));
  out.expert_starts = TRY(HostBlock::make((needs.experts + 1) * sizeof(uint32_t), "rows by expert"));
  out.tiles = TRY(HostBlock::make(bound.plan.key.max_tokens * sizeof(AttentionTile), "tiles of attention"));
  out.parts = TRY(HostBlock::make(needs.part_floats * sizeof(float), "parts of attention"));
  out.floats_per_worker = needs.worker_floats;
  out.workers = TRY(HostBlock::make(needs.worker_floats * threads * sizeof(float), "the workers' scratch"));
  out.made_bytes_per_worker = largest_pair == 0 ? 0 : std::max(kMadeBytes, largest_pair);
  out.made = TRY(HostBlock::make(out.made_bytes_per_worker * threads, "panels made for one use"));
  for (const Call& call : bound.calls) {
    const graph::RopeAttrs* rope = rope_attrs(call);
    out.rope_table_of.push_back(rope ? TRY(rope_table(out, bound, call, rope->magnitude)) : UINT32_MAX);
  }
  return out;
}

}  // namespace tern::backends::cpu
