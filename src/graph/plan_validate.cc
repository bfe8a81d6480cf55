// The checks that make an untrusted plan safe to play.
#include <algorithm>
#include <map>

#include "graph/params.h"
#include "graph/plan.h"
#include "graph/planner/memory.h"
#include "graph/shapes.h"

namespace tern::graph {
namespace {

Result<void> check_range(std::string_view name, uint32_t value, uint32_t least, uint32_t most) {
  if (value >= least && value <= most) return {};
  return fail(ErrorCode::kInvalidFile, "{} is {}, expected {} to {}.", name, value, least, most);
}

class PlanValidator {
 public:
  explicit PlanValidator(const Plan& plan) : plan_(plan) {}

  Result<void> run() const {
    TRY(check_key(plan_));
    for (const Weight& weight : plan_.weights) TRY(check_weight(weight));
    TRY(check_slots());
    for (size_t i = 0; i < plan_.bindings.size(); ++i) {
      TRY_CTX(check_binding(plan_.bindings[i]), "in binding {} of the plan", i);
    }
    for (size_t i = 0; i < plan_.steps.size(); ++i) {
      TRY_CTX(check_step(plan_.steps[i]), "in step {} of the plan", i);
    }
    TRY(check_programs());
    for (const PlanOutput& output : plan_.outputs)
      TRY_CTX(check_output(output), "in output {} of the plan", output.name);
    return {};
  }

 private:
  const Plan& plan_;

  Result<void> check_slots() const {
    std::vector<uint64_t> ends(plan_.arena.size());
    std::vector<bool> states(plan_.slots.size());
    uint64_t total = 0;
    for (size_t i = 0; i < plan_.slots.size(); ++i) {
      TRY_CTX(check_slot(plan_.slots[i]), "in slot {} of the plan", i);
      const PlanSlot& slot = plan_.slots[i];
      if (slot.kind == SlotKind::kArena) {
        uint64_t& end = ends[slot.index];
        end = std::max(end, align_arena(slot.offset + slot.bytes));
      } else if (slot.kind == SlotKind::kState) {
        if (slot.index >= states.size() || states[slot.index]) {
          return fail(ErrorCode::kInvalidFile,
                      "Slot {} of the plan is state {} for a second time, or beyond all slots.", i, slot.index);
        }
        states[slot.index] = true;
      }
      if (slot.kind != SlotKind::kWeight && __builtin_add_overflow(total, slot.bytes, &total)) {
        return fail(ErrorCode::kInvalidFile, "The slots of the plan are too large.");
      }
    }
    // Exact, so that a plan cannot ask for memory that it does not use.
    for (size_t i = 0; i < ends.size(); ++i) {
      if (plan_.arena[i] == ends[i] && ends[i] != 0) continue;
      return fail(ErrorCode::kInvalidFile, "Buffer {} of the arena has {} bytes, but its slots need {}.", i,
                  plan_.arena[i], ends[i]);
    }
    return {};
  }

  Result<void> check_slot(const PlanSlot& slot) const {
    switch (slot.kind) {
      case SlotKind::kArena:
        if (slot.index >= plan_.arena.size()) {
          return fail(ErrorCode::kInvalidFile, "It lies in buffer {} of the arena, which has {}.", slot.index,
                      plan_.arena.size());
        }
        if (slot.offset % kArenaAlignment != 0 || slot.offset > kMaxArenaBytes || slot.bytes > kMaxArenaBytes ||
            slot.bytes == 0) {
          return fail(ErrorCode::kInvalidFile, "It has {} bytes at {}, expected up to {} at a multiple of {}.",
                      slot.bytes, slot.offset, kMaxArenaBytes, kArenaAlignment);
        }
        return {};
      case SlotKind::kWeight:
        if (slot.index >= plan_.weights.size()) {
          return fail(ErrorCode::kInvalidFile, "It is weight {} of {}.", slot.index, plan_.weights.size());
        }
        return {};
      case SlotKind::kKeys:
      case SlotKind::kValues:
        if (slot.index >= plan_.n_layers) {
          return fail(ErrorCode::kInvalidFile, "It is layer {} of {}.", slot.index, plan_.n_layers);
        }
        return {};
      case SlotKind::kParams:
        return check_fixed(slot, ParamsLayout::of(plan_.key, 0).bytes());
      case SlotKind::kState:
        return check_fixed(slot, 4);
    }
    return fail(ErrorCode::kInvalidFile, "Its kind {} is unknown.", static_cast<uint32_t>(slot.kind));
  }

  /// A slot that is a buffer of its own, of `least` bytes or more.
  Result<void> check_fixed(const PlanSlot& slot, uint64_t least) const {
    if (slot.offset == 0 && slot.bytes >= least && slot.bytes <= kMaxArenaBytes && slot.bytes % 4 == 0) return {};
    return fail(ErrorCode::kInvalidFile, "It has {} bytes at {}, expected a multiple of 4, {} or more, at 0.",
                slot.bytes, slot.offset, least);
  }

  Result<void> check_binding(const PlanBinding& binding) const {
    if (binding.slot >= plan_.slots.size()) {
      return fail(ErrorCode::kInvalidFile, "It is slot {} of {}.", binding.slot, plan_.slots.size());
    }
    TRY(check_range("Its type", static_cast<uint32_t>(binding.dtype), 0, 1));
    TRY(check_range("The symbol of its rows", static_cast<uint32_t>(binding.rows.symbol), 0, 3));
    const uint64_t rows = binding.rows.at(plan_.key.most());
    if (rows == 0 || binding.cols == 0 || uint64_t{binding.col0} + binding.cols > binding.row_stride) {
      return fail(ErrorCode::kInvalidFile, "Its columns [{}, +{}) of {} rows do not lie in rows of {}.", binding.col0,
                  binding.cols, rows, binding.row_stride);
    }
    const PlanSlot& slot = plan_.slots[binding.slot];
    if (slot.kind != SlotKind::kArena && slot.kind != SlotKind::kState)
      return {};  // weights: compared with the weight, where the op is known
    // Elements up to the last one of the last row.
    uint64_t elements = 0, bytes = 0;
    if (__builtin_mul_overflow(rows - 1, uint64_t{binding.row_stride}, &elements) ||
        __builtin_add_overflow(elements, uint64_t{binding.col0} + binding.cols, &elements) ||
        __builtin_mul_overflow(elements, uint64_t{4}, &bytes) || bytes > slot.bytes) {
      return fail(ErrorCode::kInvalidFile, "It has {} rows of {} columns, more than the {} bytes of slot {}.", rows,
                  binding.row_stride, slot.bytes, binding.slot);
    }
    return {};
  }

  Result<void> check_step(const PlanStep& step) const {
    if (step.pipeline >= plan_.pipelines.size() || step.name >= plan_.strings.size()) {
      return fail(ErrorCode::kInvalidFile, "It names pipeline {} of {} and string {} of {}.", step.pipeline,
                  plan_.pipelines.size(), step.name, plan_.strings.size());
    }
    const uint64_t end = uint64_t{step.first_binding} + step.n_inputs + step.n_outputs;
    if (end > plan_.bindings.size()) {
      return fail(ErrorCode::kInvalidFile, "Its bindings [{}, {}) are more than the {} there are.", step.first_binding,
                  end, plan_.bindings.size());
    }
    for (const GridExpr& grid : step.grid) {
      if (grid.divisor == 0) return fail(ErrorCode::kInvalidFile, "Its grid divides by 0.");
      const uint32_t largest = std::max({grid.t, grid.r, grid.s, grid.kv, grid.p});
      TRY(check_range("A coefficient of its grid", largest, 0, GridExpr::kMaxCoefficient));
    }
    const PlanPipeline& pipeline = plan_.pipelines[step.pipeline];
    if (static_cast<uint32_t>(pipeline.op) >= kOpCount) {
      return fail(ErrorCode::kInvalidFile, "Op {} is unknown.", static_cast<uint32_t>(pipeline.op));
    }
    return pipeline.source.empty() ? check_op(step, pipeline) : check_kernel(step, pipeline);
  }

  /// The step is a kernel with bindings of its own; a GPU bounds what it can touch.
  Result<void> check_kernel(const PlanStep& step, const PlanPipeline& pipeline) const {
    const uint32_t n = step.n_inputs + step.n_outputs;
    if (pipeline.access.size() != n) {
      return fail(ErrorCode::kInvalidFile, "It has {} bindings, but kernel {} has {}.", n, pipeline.name,
                  pipeline.access.size());
    }
    for (uint32_t i = 0; i < n; ++i) {
      TRY(check_range("An access", static_cast<uint32_t>(pipeline.access[i]), 0, 1));
      const PlanSlot& slot = slot_of(step, i);
      const bool writes = pipeline.access[i] == Access::kReadWrite;
      if (writes && (slot.kind == SlotKind::kWeight || slot.kind == SlotKind::kParams)) {
        return fail(ErrorCode::kInvalidFile, "Kernel {} writes to a weight or to the step's block.", pipeline.name);
      }
      if (slot.kind == SlotKind::kArena && slot.offset % kBindingAlignment != 0) {
        return fail(ErrorCode::kInvalidFile, "Kernel {} binds byte {} of the arena, expected a multiple of {}.",
                    pipeline.name, slot.offset, kBindingAlignment);
      }
      for (uint32_t j = 0; j < i; ++j) {
        const PlanSlot& other = slot_of(step, j);
        const bool other_writes = pipeline.access[j] == Access::kReadWrite;
        if (slot.kind != other.kind || slot.index != other.index || (!writes && !other_writes)) continue;
        // Storage buffers of one usage may share a buffer when their ranges are apart.
        const bool apart = slot.kind == SlotKind::kArena &&
                           (slot.offset + slot.bytes <= other.offset || other.offset + other.bytes <= slot.offset);
        if (writes != other_writes || !apart) {
          return fail(ErrorCode::kInvalidFile, "Kernel {} binds one buffer as binding {} and {}, and writes to it.",
                      pipeline.name, j, i);
        }
      }
    }
    return {};
  }

  const PlanSlot& slot_of(const PlanStep& step, uint32_t i) const {
    return plan_.slots[plan_.bindings[step.first_binding + i].slot];
  }

  /// Together the programs are all the steps, in order.
  Result<void> check_programs() const {
    uint64_t next_step = 0;
    uint32_t least_tokens = 1;
    for (const PlanProgram& program : plan_.programs) {
      if (program.first_step != next_step || program.max_tokens < least_tokens) {
        return fail(ErrorCode::kInvalidFile,
                    "A program for {} tokens begins at step {}, expected {} or more tokens and step {}.",
                    program.max_tokens, program.first_step, least_tokens, next_step);
      }
      next_step += program.n_steps;
      least_tokens = program.max_tokens == UINT32_MAX ? UINT32_MAX : program.max_tokens + 1;
    }
    if (plan_.programs.empty() || plan_.programs.back().max_tokens != plan_.key.max_tokens ||
        next_step != plan_.steps.size()) {
      return fail(ErrorCode::kInvalidFile, "The {} programs play {} of {} steps, or not up to {} tokens.",
                  plan_.programs.size(), next_step, plan_.steps.size(), plan_.key.max_tokens);
    }
    return {};
  }

  Result<void> check_output(const PlanOutput& output) const {
    TRY(check_binding(output.binding));
    if (plan_.slots[output.binding.slot].kind == SlotKind::kArena) return {};
    return fail(ErrorCode::kInvalidFile, "It is not in the arena.");
  }

  /// The step is an op of ops.h: its bindings are as the shape rules say.
  Result<void> check_op(const PlanStep& step, const PlanPipeline& pipeline) const {
    const Attrs attrs = TRY(attrs_from_words(pipeline.op, pipeline.constants));
    const std::span bindings = std::span(plan_.bindings).subspan(step.first_binding, step.n_inputs + step.n_outputs);
    std::vector<Operand> inputs;
    for (const PlanBinding& binding : bindings.first(step.n_inputs)) inputs.push_back(TRY(operand(binding)));
    const CacheShape cache{plan_.n_layers, plan_.n_kv_heads, plan_.head_dim};
    const std::vector<TensorDesc> outputs = TRY_CTX(infer_shapes(pipeline.op, attrs, inputs, cache), "in {} ({})",
                                                    plan_.strings[step.name], op_name(pipeline.op));
    if (outputs.size() != step.n_outputs) {
      return fail(ErrorCode::kInvalidFile, "It has {} outputs, expected {}.", step.n_outputs, outputs.size());
    }
    for (size_t i = 0; i < outputs.size(); ++i) {
      const Operand found = TRY(operand(bindings[step.n_inputs + i]));
      if (found.is_weight || found.desc != outputs[i]) {
        return fail(ErrorCode::kInvalidFile, "Output {} is {}, expected a computed {}.", i, to_string(found.desc),
                    to_string(outputs[i]));
      }
    }
    return {};
  }

  Result<Operand> operand(const PlanBinding& binding) const {
    const PlanSlot& slot = plan_.slots[binding.slot];
    const TensorDesc desc{binding.dtype, binding.rows, binding.cols};
    if (slot.kind == SlotKind::kArena) return Operand{desc, false};
    if (slot.kind != SlotKind::kWeight) return fail(ErrorCode::kInvalidFile, "An op binds the cache or a state.");
    const TensorDesc whole = weight_desc(plan_.weights[slot.index]);
    if (desc != whole || binding.col0 != 0 || binding.row_stride != whole.cols) {
      return fail(ErrorCode::kInvalidFile, "Weight {} is bound as {}, expected {}.", plan_.weights[slot.index].name,
                  to_string(desc), to_string(whole));
    }
    return Operand{desc, true};
  }
};

}  // namespace

Result<void> check_key(const Plan& plan) {
  constexpr uint32_t kMost = 1u << 16;  // so that products of three stay below 2^64
  TRY(check_range("max_tokens", plan.key.max_tokens, 1, kMost));
  TRY(check_range("max_rows", plan.key.max_rows, 1, kMost));
  TRY(check_range("max_seqs", plan.key.max_seqs, 1, kMost));
  TRY(check_range("page_tokens", plan.key.page_tokens, 1, kMost));
  TRY(check_range("max_pages", plan.key.max_pages, 1, 1u << 28));
  TRY(check_range("n_layers", plan.n_layers, 0, kMost));
  TRY(kv_bytes(plan.key.kv_format, 0));
  if (plan.n_layers == 0) return {};
  TRY(check_range("n_kv_heads", plan.n_kv_heads, 1, kMost));
  TRY(check_range("head_dim", plan.head_dim, 1, kMost));
  TRY(kv_bytes(plan.key.kv_format, plan.head_dim));
  return {};
}

Result<void> validate(const Plan& plan) {
  return PlanValidator(plan).run();
}

}  // namespace tern::graph
