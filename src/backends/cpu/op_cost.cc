#include "backends/cpu/op_cost.h"

#include <algorithm>
#include <cmath>

namespace tern::backends::cpu {

namespace {

double bytes_of(const Run& run, const Matrix& m) {
  if (!m.weight || m.weight->rows == 1) return 4.0 * static_cast<double>(run.rows(m)) * m.cols;
  return static_cast<double>(m.weight->rows) * static_cast<double>(m.weight->row_bytes);
}

/// Keys and values that the tokens see, those of one sequence once; scores and weighted sums of every head.
void add_attention(const Run& run, const graph::AttentionAttrs& attrs, OpCost& cost) {
  const graph::StepParams& step = run.step;
  const double position_bytes = 2.0 * static_cast<double>(run.bound.kv.row_bytes) * attrs.n_kv_heads;
  uint32_t first = 0;
  for (uint32_t t = 0; t < run.tokens(); ++t) {
    const uint32_t last = step.positions[t];
    const uint32_t seen = attrs.window == 0 ? last + 1 : std::min(attrs.window, last + 1);
    cost.operations += 4.0 * seen * attrs.head_dim * attrs.n_heads;
    if (t == 0 || step.sequences[t] != step.sequences[t - 1]) first = last + 1 - seen;
    const bool ends = t + 1 == run.tokens() || step.sequences[t + 1] != step.sequences[t];
    if (ends) cost.bytes += position_bytes * (last + 1 - first);
  }
}

/// The weights of the experts that the rows chose: all of them where there are rows enough.
void add_experts(const Run& run, const graph::ExpertsAttrs& attrs, OpCost& cost) {
  const auto rows = static_cast<double>(run.rows(run.out()));
  const double used = std::min<double>(attrs.n_experts, rows) / attrs.n_experts;
  const size_t ids = run.call().inputs.size() - 1;
  for (size_t i = 1; i < ids; ++i) cost.bytes -= (1 - used) * bytes_of(run, run.in(i));
  cost.operations = 2.0 * rows * run.out().cols * run.in(0).cols;
}

}  // namespace

OpCost op_cost(const Run& run) {
  OpCost cost;
  const graph::Op op = run.call().op;
  for (const Matrix& m : run.call().outputs) cost.bytes += bytes_of(run, m);
  if (op == graph::Op::kEmbed) {
    cost.bytes += static_cast<double>(run.in(0).weight->row_bytes) * run.tokens();
    return cost;
  }
  for (const Matrix& m : run.call().inputs) cost.bytes += bytes_of(run, m);
  const bool product = op == graph::Op::kLinear || op == graph::Op::kLinearAdd || op == graph::Op::kLinearGlu;
  if (product) {
    const WeightRows& weight = *run.in(1).weight;
    cost.operations = 2.0 * static_cast<double>(run.rows(run.in(0))) * weight.rows * weight.cols;
  }
  const bool experts = op == graph::Op::kLinearExperts;
  if (op == graph::Op::kAttention) add_attention(run, run.attrs<graph::AttentionAttrs>(), cost);
  if (experts) add_experts(run, run.attrs<graph::ExpertsAttrs>(), cost);
  const Panels* panels = product || experts ? run.panels_of(run.in(1)) : nullptr;
  if (panels && panels->kernel->type == ActivationType::kInt8) cost.int8_operations = cost.operations;
  if (panels && panels->kernel->type == ActivationType::kBf16) cost.bf16_operations = cost.operations;
  return cost;
}

}  // namespace tern::backends::cpu
