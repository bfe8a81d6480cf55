// dump(Plan): the text of `tern run --dump-plan`.
#include <algorithm>

#include "graph/plan.h"
#include "graph/shapes.h"

namespace tern::graph {
namespace {

/// First and last step that bind a slot.
struct Use {
  size_t first = SIZE_MAX, last = 0;

  std::string text(size_t n_steps) const {
    if (first == SIZE_MAX) return "unused";
    return last == n_steps ? fmt::format("steps {}..end", first) : fmt::format("steps {}..{}", first, last);
  }
};

std::vector<Use> slot_uses(const Plan& plan) {
  std::vector<Use> uses(plan.slots.size());
  const auto touch = [&](const PlanBinding& binding, size_t step) {
    Use& use = uses[binding.slot];
    use.first = std::min(use.first, step);
    use.last = std::max(use.last, step);
  };
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    const PlanStep& step = plan.steps[s];
    for (uint32_t i = 0; i < step.n_inputs + step.n_outputs; ++i) touch(plan.bindings[step.first_binding + i], s);
  }
  for (const PlanOutput& output : plan.outputs) touch(output.binding, plan.steps.size());
  return uses;
}

std::string slot_text(const Plan& plan, const PlanSlot& slot) {
  switch (slot.kind) {
    case SlotKind::kArena:
      return fmt::format("arena {:>10} + {:<10}{}", slot.offset, slot.bytes,
                         slot.index == 0 ? "" : fmt::format(" of buffer {}", slot.index));
    case SlotKind::kWeight: {
      const Weight& weight = plan.weights[slot.index];
      return fmt::format("weight {} {} {}, {} bytes", weight.name, to_string(weight_desc(weight)),
                         formats::info(weight.format).name, slot.bytes);
    }
    case SlotKind::kKeys:
      return fmt::format("keys of layer {}, {} bytes a page", slot.index, slot.bytes);
    case SlotKind::kValues:
      return fmt::format("values of layer {}, {} bytes a page", slot.index, slot.bytes);
    case SlotKind::kParams:
      return fmt::format("params, {} bytes", slot.bytes);
    case SlotKind::kState:
      return fmt::format("state {}, {} bytes", slot.index, slot.bytes);
  }
  return "unknown";
}

/// "s3 [T, 64]", with "columns 64.. of 128" where it is not all of the slot's rows.
std::string binding_text(const Plan& plan, const PlanBinding& binding) {
  const PlanSlot& slot = plan.slots[binding.slot];
  if (slot.kind == SlotKind::kWeight) return plan.weights[slot.index].name;
  if (slot.kind == SlotKind::kParams) return "params";
  std::string text =
      fmt::format("s{} {}", binding.slot, to_string(TensorDesc{binding.dtype, binding.rows, binding.cols}));
  if (binding.cols == binding.row_stride) return text;
  return fmt::format("{} columns {}.. of {}", text, binding.col0, binding.row_stride);
}

std::string step_text(const Plan& plan, const PlanStep& step) {
  std::string inputs, outputs;
  for (uint32_t i = 0; i < step.n_inputs + step.n_outputs; ++i) {
    std::string& text = i < step.n_inputs ? inputs : outputs;
    text += (text.empty() ? "" : ", ") + binding_text(plan, plan.bindings[step.first_binding + i]);
  }
  const PlanPipeline& pipeline = plan.pipelines[step.pipeline];
  std::string attrs;
  if (const Result<Attrs> read = attrs_from_words(pipeline.op, pipeline.constants); read && pipeline.source.empty()) {
    attrs = to_string(pipeline.op, *read);
  }
  return fmt::format("{}{}{}({}){}  # {}", outputs, outputs.empty() ? "" : " = ", pipeline.name, inputs, attrs,
                     plan.strings[step.name]);
}

}  // namespace

std::string dump(const Plan& plan) {
  static constexpr std::string_view kKvNames[] = {"f32", "f16", "q8_0"};
  const std::vector<Use> uses = slot_uses(plan);
  uint64_t sum = 0;
  for (const PlanSlot& slot : plan.slots) sum += slot.kind == SlotKind::kArena ? slot.bytes : 0;
  std::string out = fmt::format("plan for {}: up to {} tokens, {} rows of logits, {} sequences; kv {} in pages of {}\n",
                                plan.backend, plan.key.max_tokens, plan.key.max_rows, plan.key.max_seqs,
                                kKvNames[static_cast<uint32_t>(plan.key.kv_format)], plan.key.page_tokens);
  out += fmt::format("arena {} bytes; all values together {} bytes\n", plan.arena_bytes(), sum);
  for (size_t i = 0; i < plan.slots.size(); ++i) {
    const bool cache = plan.slots[i].kind == SlotKind::kKeys || plan.slots[i].kind == SlotKind::kValues;
    out += fmt::format("s{} {}{}\n", i, slot_text(plan, plan.slots[i]),
                       cache ? "" : "  " + uses[i].text(plan.steps.size()));
  }
  for (const PlanProgram& program : plan.programs) {
    if (plan.programs.size() > 1) out += fmt::format("up to {} tokens:\n", program.max_tokens);
    for (uint32_t i = program.first_step; i < program.first_step + program.n_steps; ++i) {
      out += fmt::format("{}: {}\n", i, step_text(plan, plan.steps[i]));
    }
  }
  for (const PlanOutput& output : plan.outputs) {
    out += fmt::format("output {} = {}\n", output.name, binding_text(plan, output.binding));
  }
  return out;
}

}  // namespace tern::graph
