#include "backends/cpu/panels.h"

namespace tern::backends::cpu {

namespace {

/// What the steps of a plan do with a weight.
struct Uses {
  uint32_t segment_rows = 0;  // 0: no product
  bool others = false;        // that need the file's layout
};

void add_product(Uses& uses, uint32_t segment_rows) {
  uses.others |= segment_rows == 0 || (uses.segment_rows != 0 && uses.segment_rows != segment_rows);
  uses.segment_rows = segment_rows;
}

void add_use(Uses& uses, const graph::Plan& plan, const graph::PlanStep& step, uint32_t input, uint32_t rows) {
  switch (plan.pipelines[step.pipeline].op) {
    case graph::Op::kLinear:
    case graph::Op::kLinearAdd:
      add_product(uses, input == 1 ? rows : 0);
      break;
    case graph::Op::kLinearGlu:
      add_product(uses, input == 1 ? rows / 2 : 0);
      break;
    case graph::Op::kLinearExperts:
      add_product(uses, plan.bindings[step.first_binding + step.n_inputs].cols);
      break;
    case graph::Op::kEmbed:
      break;
    default:
      uses.others = true;
  }
}

Uses uses_of(const graph::Plan& plan, uint32_t weight) {
  Uses uses;
  for (const graph::PlanStep& step : plan.steps) {
    for (uint32_t i = 0; i < step.n_inputs; ++i) {
      const graph::PlanSlot& slot = plan.slots[plan.bindings[step.first_binding + i].slot];
      if (slot.kind != graph::SlotKind::kWeight || slot.index != weight) continue;
      add_use(uses, plan, step, i, plan.weights[weight].rows);
    }
  }
  return uses;
}

}  // namespace

std::optional<PanelLayout> panel_layout(const graph::Plan& plan, uint32_t weight, const KernelTable& kernels) {
  const graph::Weight& w = plan.weights[weight];
  const PanelFormat* shape = panel_format(w.format);
  if (!shape || !kernels.panel_kernel(w.format) || w.rows <= 1 || w.cols <= 1) return std::nullopt;
  const Uses uses = uses_of(plan, weight);
  if (uses.others || uses.segment_rows == 0 || w.rows % uses.segment_rows != 0) return std::nullopt;
  return PanelLayout{w.format, *shape, w.rows, w.cols, uses.segment_rows};
}

}  // namespace tern::backends::cpu
