#include "backends/host/bound_plan.h"

#include <cstring>

namespace tern::backends {

namespace {

Result<void> bind_weights(BoundPlan& bound, const HostMemory& memory, std::span<const Buffer> weights) {
  const graph::Plan& plan = bound.plan;
  if (weights.size() != plan.weights.size()) {
    return fail(ErrorCode::kInvalidArgument, "{} weight buffers are given; the plan has {} weights.", weights.size(),
                plan.weights.size());
  }
  for (size_t w = 0; w < weights.size(); ++w) {
    const auto pieces = TRY_CTX(memory.pieces(weights[w]), "while binding weight {}", plan.weights[w].name);
    WeightRows rows = TRY(WeightRows::make(plan.weights[w], pieces));
    const bool is_vector = rows.rows == 1 || rows.cols == 1;
    bound.vectors.push_back(is_vector ? rows.decode_vector() : std::vector<float>());
    // One column is a vector [1, n] (graph::Weight), and may have been put together from several pieces.
    bound.weights.push_back(rows.cols == 1 ? WeightRows::of_vector(bound.vectors.back()) : std::move(rows));
  }
  return {};
}

Result<std::vector<std::span<std::byte>>> bind_cache(const BoundPlan& bound, const HostMemory& memory,
                                                     std::span<const Buffer> layers, uint32_t n_pages) {
  if (layers.size() != bound.plan.n_layers) {
    return fail(ErrorCode::kInvalidArgument, "{} cache buffers are given; the plan has {} layers.", layers.size(),
                bound.plan.n_layers);
  }
  std::vector<std::span<std::byte>> out;
  for (const Buffer layer : layers) {
    out.push_back(TRY(memory.writable(layer)));
    if (bound.kv.page_bytes == 0 || out.back().size() / bound.kv.page_bytes < n_pages) {
      return fail(ErrorCode::kInvalidArgument, "A cache buffer has {} bytes; {} pages of {} bytes are needed.",
                  out.back().size(), n_pages, bound.kv.page_bytes);
    }
  }
  return out;
}

Matrix bind(BoundPlan& bound, const graph::PlanBinding& binding) {
  const graph::PlanSlot& slot = bound.plan.slots[binding.slot];
  Matrix out{nullptr, binding.rows, binding.cols, binding.row_stride, nullptr};
  if (slot.kind == graph::SlotKind::kWeight) {
    out.weight = &bound.weights[slot.index];
    std::vector<float>& vector = bound.vectors[slot.index];
    if (!vector.empty()) out.data = vector.data() + binding.col0;
  } else {
    ASSERT(slot.kind == graph::SlotKind::kArena);
    out.data = reinterpret_cast<float*>(bound.arena.bytes().data() + slot.offset) + binding.col0;
  }
  return out;
}

Result<Call> bind_call(BoundPlan& bound, const graph::PlanStep& step) {
  const graph::Plan& plan = bound.plan;
  const graph::PlanPipeline& pipeline = plan.pipelines[step.pipeline];
  Call call{
      pipeline.op, TRY(graph::attrs_from_words(pipeline.op, pipeline.constants)), {}, {}, plan.strings[step.name]};
  for (uint32_t i = 0; i < step.n_inputs + step.n_outputs; ++i) {
    (i < step.n_inputs ? call.inputs : call.outputs).push_back(bind(bound, plan.bindings[step.first_binding + i]));
  }
  return call;
}

}  // namespace

Result<BoundPlan> bind_plan(const graph::Plan& plan, std::string_view backend, const HostMemory& memory,
                            std::span<const Buffer> weights, std::span<const Buffer> keys,
                            std::span<const Buffer> values, uint32_t n_pages) {
  TRY_CTX(graph::validate(plan), "while loading a plan");
  if (plan.backend != backend) {
    return fail(ErrorCode::kInvalidArgument, "The plan was made for the backend {}; this is {}.", plan.backend,
                backend);
  }
  if (plan.arena.size() > 1) {
    return fail(ErrorCode::kInvalidArgument, "The plan's arena has {} buffers; host memory plays plans of one.",
                plan.arena.size());
  }
  BoundPlan bound;
  bound.plan = plan;
  bound.limits = StepLimits::of(plan, n_pages);
  bound.kv = TRY(KvLayout::make(plan));
  bound.arena = TRY(HostBlock::make(plan.arena_bytes(), "the activations of a plan"));
  TRY(bind_weights(bound, memory, weights));
  bound.keys = TRY_CTX(bind_cache(bound, memory, keys, n_pages), "while binding the keys");
  bound.values = TRY_CTX(bind_cache(bound, memory, values, n_pages), "while binding the values");
  for (const graph::PlanStep& step : bound.plan.steps) bound.calls.push_back(TRY(bind_call(bound, step)));
  for (const graph::PlanOutput& output : bound.plan.outputs) bound.outputs.push_back(bind(bound, output.binding));
  return bound;
}

Result<void> read_output(const BoundPlan& bound, uint32_t output, const graph::StepCounts& n,
                         std::span<std::byte> out) {
  if (output >= bound.outputs.size()) {
    return fail(ErrorCode::kInvalidArgument, "Output {} is asked for; the plan has {}.", output, bound.outputs.size());
  }
  const Matrix& from = bound.outputs[output];
  const uint64_t rows = from.rows.at(n);
  if (out.size() != rows * from.cols * sizeof(float)) {
    return fail(ErrorCode::kInvalidArgument,
                "Output {} has [{}, {}] elements in this step; there is room for {} bytes.",
                bound.plan.outputs[output].name, rows, from.cols, out.size());
  }
  for (uint64_t row = 0; row < rows && from.cols > 0; ++row) {
    std::memcpy(out.data() + row * from.cols * sizeof(float), from.row(row).data(), from.cols * sizeof(float));
  }
  return {};
}

}  // namespace tern::backends
