#include "backends/webgpu/work.h"

#include <algorithm>

#include "graph/params.h"

namespace tern::backends::webgpu {

namespace {

using graph::Op, graph::SlotKind;

/// Keys and values that the tokens see, those of one sequence once; scores and weighted sums of every head.
void add_attention(const graph::Plan& plan, const graph::AttentionAttrs& attrs, const StepShape& shape, Work& work) {
  const double position_bytes = 2.0 * static_cast<double>(plan.page_bytes()) / plan.key.page_tokens;
  uint32_t first = 0;
  for (size_t t = 0; t < shape.positions.size(); ++t) {
    const uint32_t last = shape.positions[t];
    const uint32_t seen = attrs.window == 0 ? last + 1 : std::min(attrs.window, last + 1);
    work.operations += 4.0 * seen * attrs.head_dim * attrs.n_heads;
    if (t == 0 || shape.sequences[t] != shape.sequences[t - 1]) first = last + 1 - seen;
    const bool ends = t + 1 == shape.positions.size() || shape.sequences[t + 1] != shape.sequences[t];
    if (ends) work.bytes += position_bytes * (last + 1 - first);
  }
}

bool is_output(const graph::Plan& plan, uint32_t slot) {
  return std::ranges::any_of(plan.outputs, [&](const graph::PlanOutput& o) { return o.binding.slot == slot; });
}

/// Activations are as large as the program's longest step makes them, results as the plan's most rows.
double arena_bytes(const graph::Plan& plan, uint32_t slot, const StepShape& shape) {
  const double share = is_output(plan, slot) ? static_cast<double>(shape.n.r) / std::max(plan.key.max_rows, 1u)
                                             : static_cast<double>(shape.n.t) / std::max(shape.max_tokens, 1u);
  return static_cast<double>(plan.slots[slot].bytes) * std::min(share, 1.0);
}

/// A matrix of weights that the step multiplies with, or a table that it looks rows up in.
void add_matrix(const graph::Plan& plan, const graph::PlanStep& step, const graph::Attrs& attrs, uint32_t slot,
                const StepShape& shape, Work& work) {
  const graph::Weight& weight = plan.weights[plan.slots[slot].index];
  const auto bytes = static_cast<double>(plan.slots[slot].bytes);
  const bool is_of_rows = std::ranges::any_of(step.grid, [](const graph::GridExpr& g) { return g.r > 0; });
  const double rows = is_of_rows ? shape.n.r : shape.n.t;
  const double product = 2.0 * weight.rows * weight.cols;
  if (plan.pipelines[step.pipeline].op == Op::kEmbed) {
    work.bytes += bytes / weight.rows * rows;
  } else if (const auto* experts = std::get_if<graph::ExpertsAttrs>(&attrs)) {
    const double chosen = rows * experts->k / experts->n_experts;  // of all matrices, on average
    work.bytes += bytes * std::min(chosen, 1.0);
    work.operations += product * chosen;
  } else {
    work.bytes += bytes;
    work.operations += product * rows;
  }
}

}  // namespace

StepShape StepShape::of(const graph::Plan& plan, const graph::StepParams& step) {
  StepShape shape{.n = graph::count(step)};
  shape.max_tokens = plan.program(shape.n.t).max_tokens;
  shape.positions.assign(step.positions.begin(), step.positions.end());
  shape.sequences.assign(step.sequences.begin(), step.sequences.end());
  return shape;
}

Work work_of(const graph::Plan& plan, const graph::PlanStep& step, const StepShape& shape) {
  const graph::PlanPipeline& pipeline = plan.pipelines[step.pipeline];
  const graph::Attrs attrs = graph::attrs_from_words(pipeline.op, pipeline.constants).value_or(graph::NoAttrs{});
  Work work;
  for (uint32_t i = 0; i < step.n_inputs + step.n_outputs; ++i) {
    const uint32_t slot = plan.bindings[step.first_binding + i].slot;
    const SlotKind kind = plan.slots[slot].kind;
    if (kind == SlotKind::kArena) work.bytes += arena_bytes(plan, slot, shape);
    if (kind == SlotKind::kWeight) {
      const graph::Weight& weight = plan.weights[plan.slots[slot].index];
      const bool is_vector = weight.rows == 1 || weight.cols == 1;
      if (!is_vector) add_matrix(plan, step, attrs, slot, shape, work);
    }
    if (kind == SlotKind::kKeys && pipeline.op == Op::kAttention) {
      if (const auto* attention = std::get_if<graph::AttentionAttrs>(&attrs)) {
        add_attention(plan, *attention, shape, work);
      }
    }
  }
  if (pipeline.source.find("dot4I8Packed") != std::string::npos) work.int8_operations = work.operations;
  return work;
}

}  // namespace tern::backends::webgpu
