// Plans in memory: sizes, attributes as words, and the checks that make an untrusted plan safe to play.
#include "graph/plan.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "graph/planner/memory.h"
#include "graph/shapes.h"

namespace tern::graph {

bool Plan::operator==(const Plan&) const = default;

Result<uint64_t> kv_bytes(KvFormat format, uint64_t n) {
  uint64_t units = n, unit_bytes = 0;
  switch (format) {
    case KvFormat::kF32:
      unit_bytes = 4;
      break;
    case KvFormat::kF16:
      unit_bytes = 2;
      break;
    case KvFormat::kQ8_0:
      if (n % 32 != 0) {
        return fail(ErrorCode::kInvalidArgument, "A q8_0 cache holds blocks of 32 values, but heads have {}.", n);
      }
      units = n / 32;
      unit_bytes = 34;  // an f16 scale and 32 int8
      break;
    default:
      return fail(ErrorCode::kInvalidFile, "The KV format {} is unknown.", static_cast<uint32_t>(format));
  }
  uint64_t bytes = 0;
  if (__builtin_mul_overflow(units, unit_bytes, &bytes)) {
    return fail(ErrorCode::kInvalidArgument, "A cache of {} values is larger than 2^64 bytes.", n);
  }
  return bytes;
}

uint64_t Plan::page_bytes() const {
  const Result<uint64_t> head = kv_bytes(key.kv_format, head_dim);
  ASSERT(head);  // validate() checks it
  return *head * key.page_tokens * n_kv_heads;
}

std::vector<uint32_t> attrs_to_words(const Attrs& attrs) {
  return std::visit(
      []<class T>(const T& value) {
        std::vector<uint32_t> words;
        if constexpr (!std::is_empty_v<T>) {
          static_assert(sizeof(T) % 4 == 0 && std::is_trivially_copyable_v<T>);
          words.resize(sizeof(T) / 4);
          std::memcpy(words.data(), &value, sizeof(T));
        }
        return words;
      },
      attrs);
}

Result<Attrs> attrs_from_words(Op op, std::span<const uint32_t> words) {
  if (static_cast<uint32_t>(op) >= kOpCount) {
    return fail(ErrorCode::kInvalidFile, "Op {} is unknown, there are {}.", static_cast<uint32_t>(op), kOpCount);
  }
  Attrs attrs = default_attrs(op);
  const size_t expected = attrs_to_words(attrs).size();
  if (words.size() != expected) {
    return fail(ErrorCode::kInvalidFile, "Op {} has {} words of attributes, expected {}.", op_name(op), words.size(),
                expected);
  }
  std::visit(
      [&]<class T>(T& value) {
        if constexpr (!std::is_empty_v<T>) std::memcpy(static_cast<void*>(&value), words.data(), sizeof(T));
      },
      attrs);
  return attrs;
}

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
    for (const PlanOutput& output : plan_.outputs) {
      TRY_CTX(check_binding(output.binding), "in output {} of the plan", output.name);
      if (plan_.slots[output.binding.slot].kind != SlotKind::kArena) {
        return fail(ErrorCode::kInvalidFile, "Output {} of the plan is not in the arena.", output.name);
      }
    }
    return {};
  }

 private:
  const Plan& plan_;

  Result<void> check_slots() const {
    std::map<uint32_t, uint64_t> ends;  // by buffer of the arena
    for (size_t i = 0; i < plan_.slots.size(); ++i) {
      TRY_CTX(check_slot(plan_.slots[i]), "in slot {} of the plan", i);
      const PlanSlot& slot = plan_.slots[i];
      if (slot.kind != SlotKind::kArena) continue;
      uint64_t& end = ends[slot.index];
      end = std::max(end, align_arena(slot.offset + slot.bytes));
    }
    uint64_t total = 0;
    for (const auto& [buffer, end] : ends) {
      if (__builtin_add_overflow(total, end, &total)) return fail(ErrorCode::kInvalidFile, "The arena is too large.");
    }
    // Exact, so that a plan cannot ask for memory that it does not use.
    if (plan_.arena_bytes != total) {
      return fail(ErrorCode::kInvalidFile, "The arena has {} bytes, but its slots need {}.", plan_.arena_bytes, total);
    }
    return {};
  }

  Result<void> check_slot(const PlanSlot& slot) const {
    switch (slot.kind) {
      case SlotKind::kArena:
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
    }
    return fail(ErrorCode::kInvalidFile, "Its kind {} is unknown.", static_cast<uint32_t>(slot.kind));
  }

  Result<void> check_binding(const PlanBinding& binding) const {
    if (binding.slot >= plan_.slots.size()) {
      return fail(ErrorCode::kInvalidFile, "It is slot {} of {}.", binding.slot, plan_.slots.size());
    }
    TRY(check_range("Its type", static_cast<uint32_t>(binding.dtype), 0, 1));
    TRY(check_range("The symbol of its rows", static_cast<uint32_t>(binding.rows.symbol), 0, 2));
    const uint64_t rows = binding.rows.at(plan_.key.max_tokens, plan_.key.max_rows);
    if (rows == 0 || binding.cols == 0 || uint64_t{binding.col0} + binding.cols > binding.row_stride) {
      return fail(ErrorCode::kInvalidFile, "Its columns [{}, +{}) of {} rows do not lie in rows of {}.", binding.col0,
                  binding.cols, rows, binding.row_stride);
    }
    const PlanSlot& slot = plan_.slots[binding.slot];
    if (slot.kind != SlotKind::kArena) return {};  // weights: compared with the weight, where the op is known
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
    }
    const PlanPipeline& pipeline = plan_.pipelines[step.pipeline];
    if (static_cast<uint32_t>(pipeline.op) >= kOpCount) {
      return fail(ErrorCode::kInvalidFile, "Op {} is unknown.", static_cast<uint32_t>(pipeline.op));
    }
    // A pipeline with a source is a kernel with bindings of its own; a GPU bounds what it can touch.
    return pipeline.source.empty() ? check_op(step, pipeline) : Result<void>{};
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
    if (slot.kind != SlotKind::kWeight) return fail(ErrorCode::kInvalidFile, "An op binds the cache of a layer.");
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
