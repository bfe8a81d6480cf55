#include "backends/webgpu/emitter.h"

#include <algorithm>
#include <utility>

#include "backends/webgpu/fused_model.h"
#include "backends/webgpu/sampling.h"
#include "graph/planner/memory.h"

namespace tern::backends::webgpu {

using graph::SlotKind;

graph::GridExpr grid_constant(uint32_t n) {
  return {.constant = n};
}

graph::GridExpr grid_rows(graph::Dim rows, uint32_t each) {
  graph::GridExpr grid{.constant = 0, .divisor = each};
  (rows.symbol == graph::Symbol::kTokens  ? grid.t
   : rows.symbol == graph::Symbol::kRows  ? grid.r
   : rows.symbol == graph::Symbol::kPools ? grid.p
                                          : grid.constant) = rows.multiple;
  return grid;
}

namespace {

/// A node's attributes as far as they are the same in all layers.
std::vector<uint32_t> shared_attrs(graph::Attrs attrs) {
  std::visit(
      [](auto& a) {
        if constexpr (requires { a.layer; }) a.layer = 0;
        if constexpr (requires { a.kv.layer; }) a.kv.layer = 0;
      },
      attrs);
  return graph::attrs_to_words(attrs);
}

uint32_t vocabulary(const graph::Graph& graph) {
  for (const graph::Output& output : graph.outputs) {
    if (output.name == "logits") return graph.values[output.value].desc.cols;
  }
  return 0;
}

}  // namespace

Emitter::Emitter(const graph::Graph& graph, const graph::Target& target, const graph::PlanKey& key)
    : graph_(graph), target_(target), key_(key), params_layout_(graph::ParamsLayout::of(key, vocabulary(graph))) {
  plan_.backend = target.backend;
  plan_.key = key;
  plan_.n_layers = graph.n_layers;
  plan_.n_kv_heads = graph.n_kv_heads;
  plan_.head_dim = graph.head_dim;
  plan_.weights = graph.weights;
  place_values();
}

/// Where each value lies: concats give their inputs columns (last to first), slices are columns of their input.
void Emitter::place_values() {
  for (graph::ValueId v = 0; v < graph_.values.size(); ++v) {
    const graph::TensorDesc& desc = graph_.values[v].desc;
    places_.push_back({{SlotKind::kArena, v}, desc.rows, desc.cols, 0, desc.cols});
  }
  const auto put = [&](graph::ValueId value, const View& base, uint32_t col0) {
    places_[value].ref = base.ref;
    places_[value].col0 = base.col0 + col0;
    places_[value].stride = base.stride;
  };
  for (auto node = graph_.nodes.rbegin(); node != graph_.nodes.rend(); ++node) {
    if (node->op != graph::Op::kConcat) continue;
    uint32_t col0 = 0;
    for (const graph::ValueId input : node->inputs) {
      put(input, places_[node->outputs[0]], col0);
      col0 += graph_.values[input].desc.cols;
    }
  }
  for (const graph::Node& node : graph_.nodes) {
    if (node.op != graph::Op::kSlice) continue;
    put(node.outputs[0], places_[node.inputs[0]], std::get<graph::SliceAttrs>(node.attrs).begin);
  }
}

graph::StepCounts Emitter::most() const {
  graph::StepCounts most = key_.most();
  for (uint32_t* n : {&most.t, &most.r, &most.s, &most.p}) *n = std::min(*n, max_tokens_);
  return most;
}

uint64_t Emitter::most_rows(graph::Dim rows) const {
  return rows.at(most());
}

uint32_t Emitter::add_arena_value(uint64_t bytes, bool is_output) {
  const auto program = static_cast<uint32_t>(plan_.programs.size());
  arena_.push_back({.bytes = (bytes + 3) / 4 * 4, .program = program, .is_output = is_output});
  return static_cast<uint32_t>(arena_.size() - 1);
}

void Emitter::begin_program(uint32_t max_tokens) {
  max_tokens_ = max_tokens;
  taken_.assign(graph_.nodes.size(), false);
  std::vector<bool> is_output(graph_.values.size());
  for (const graph::Output& output : graph_.outputs) is_output[places_[output.value].ref.index] = true;
  base_value_.resize(graph_.values.size(), UINT32_MAX);
  for (graph::ValueId v = 0; v < graph_.values.size(); ++v) {
    if (graph_.weight_of(v) || places_[v].ref.index != v) continue;
    if (is_output[v] && base_value_[v] != UINT32_MAX) continue;  // the same in all programs
    const graph::TensorDesc& desc = graph_.values[v].desc;
    const uint64_t rows = is_output[v] ? desc.rows.at(key_.most()) : most_rows(desc.rows);
    base_value_[v] = add_arena_value(rows * desc.cols * 4, is_output[v]);
  }
}

View Emitter::view(graph::ValueId value) const {
  View out = places_[value];
  out.ref.index = base_value_[out.ref.index];
  return out;
}

Ref Emitter::weight_ref(graph::NodeId n, size_t i) const {
  const graph::Weight* weight = this->weight(n, i);
  ASSERT(weight);
  return {SlotKind::kWeight, static_cast<uint32_t>(weight - graph_.weights.data())};
}

Ref Emitter::tokens_output() {
  if (tokens_value_ == UINT32_MAX) tokens_value_ = add_arena_value(uint64_t{key_.max_rows} * 4, true);
  return {SlotKind::kArena, tokens_value_};
}

View Emitter::temporary(graph::Dim rows, uint32_t cols) {
  const uint32_t index = add_arena_value(most_rows(rows) * cols * 4, false);
  return {{SlotKind::kArena, index}, rows, cols, 0, cols};
}

Result<void> Emitter::check_fits(const graph::Node& node, const Dispatch& dispatch) const {
  if (dispatch.binds.size() > target_.gpu.max_storage_buffers) {
    return fail(ErrorCode::kInternal, "Kernel {} of {} binds {} buffers; the device allows {}.", dispatch.name,
                node.name, dispatch.binds.size(), target_.gpu.max_storage_buffers);
  }
  const graph::StepCounts most = this->most();
  for (const graph::GridExpr& grid : dispatch.grid) {
    if (grid.at(most) <= target_.gpu.max_workgroups) continue;
    return fail(ErrorCode::kUnsupported, "Kernel {} of {} needs {} workgroups along an axis; the device allows {}.",
                dispatch.name, node.name, grid.at(most), target_.gpu.max_workgroups);
  }
  return {};
}

uint32_t Emitter::pipeline(const Dispatch& dispatch, const graph::Node& node, std::string source) {
  std::vector<graph::Access> access;
  for (const Bind& bind : dispatch.binds) access.push_back(bind.access);
  std::vector<uint32_t> attrs = shared_attrs(node.attrs);
  std::string key = source;
  for (const graph::Access a : access) key.push_back(a == graph::Access::kRead ? 'r' : 'w');
  key += fmt::format("{} {}", graph::op_name(node.op), fmt::join(attrs, " "));
  const auto [found, is_new] = pipelines_.try_emplace(key, static_cast<uint32_t>(plan_.pipelines.size()));
  if (is_new) {
    plan_.pipelines.push_back(
        {std::string(dispatch.name), std::move(source), node.op, std::move(attrs), std::move(access)});
  }
  return found->second;
}

void Emitter::touch(Ref ref, uint32_t step) {
  if (ref.kind != SlotKind::kArena) return;
  ArenaValue& value = arena_[ref.index];
  value.first = std::min(value.first, step);
  value.last = std::max(value.last, step);
}

std::vector<uint32_t> Emitter::choose(Dispatch& dispatch, std::string_view work, std::vector<uint32_t> standard,
                                      std::vector<std::vector<uint32_t>> variants) {
  std::string key = fmt::format("{} {} {}", dispatch.name, work, max_tokens_);
  auto found = std::ranges::find(choices_, key, &Choice::key);
  if (found == choices_.end()) {
    if (std::ranges::find(variants, standard) == variants.end()) variants.insert(variants.begin(), standard);
    choices_.push_back({std::move(key), max_tokens_, std::move(standard), std::move(variants), {}});
    found = std::prev(choices_.end());
  }
  dispatch.choice = static_cast<uint32_t>(found - choices_.begin());
  const auto tuned = target_.tuning.find(found->key);
  const bool is_sound =
      tuned != target_.tuning.end() && std::ranges::find(found->variants, tuned->second) != found->variants.end();
  return is_sound ? tuned->second : found->standard;
}

Result<void> Emitter::dispatch(graph::NodeId n, const Dispatch& dispatch) {
  const graph::Node& node = graph_.nodes[n];
  TRY(check_fits(node, dispatch));
  std::string source = TRY(compose(dispatch.files, dispatch.constants, dispatch.features));
  const auto index = static_cast<uint32_t>(steps_.size());
  if (dispatch.choice != graph::kNone) choices_[dispatch.choice].steps.push_back(index);
  Step step;
  step.step.pipeline = pipeline(dispatch, node, std::move(source));
  for (const Bind& bind : dispatch.binds) {
    touch(bind.ref, index);
    // Inputs first is only for readers of dumps: kernels number their bindings as they like.
    (bind.access == graph::Access::kRead ? step.step.n_inputs : step.step.n_outputs) += 1;
  }
  step.binds = dispatch.binds;
  step.step.grid = dispatch.grid;
  step.step.name = static_cast<uint32_t>(plan_.strings.size());
  plan_.strings.push_back(node.name);
  steps_.push_back(std::move(step));
  return {};
}

Result<void> Emitter::program(uint32_t max_tokens) {
  begin_program(max_tokens);
  const auto first = static_cast<uint32_t>(steps_.size());
  for (graph::NodeId n = 0; n < graph_.nodes.size(); ++n) {
    const graph::Node& node = graph_.nodes[n];
    if (taken_[n] || node.op == graph::Op::kWeight || node.op == graph::Op::kSlice || node.op == graph::Op::kConcat) {
      continue;
    }
    bool is_done = false;
    for (const KernelDef& def : kernel_defs()) {
      is_done = TRY_CTX(def.emit(*this, n), "in kernel {} for {} ({})", def.name, node.name, graph::op_name(node.op));
      if (is_done) break;
    }
    if (!is_done) {
      return fail(ErrorCode::kUnsupported, "No WebGPU kernel computes {} ({}).", node.name, graph::op_name(node.op));
    }
  }
  TRY_CTX(emit_sampling(*this), "while planning how tokens are drawn");
  plan_.programs.push_back({max_tokens, first, static_cast<uint32_t>(steps_.size()) - first});
  return {};
}

/// In order of first use, each value takes the free buffer that fits it best, or makes one.
void Emitter::lay_out_program(uint32_t program) {
  std::vector<uint32_t> order;
  std::vector<uint32_t> free_from(plan_.arena.size(), 0);  // step from which a buffer is free
  for (uint32_t i = 0; i < arena_.size(); ++i) {
    const ArenaValue& value = arena_[i];
    if (value.first == UINT32_MAX) continue;
    if (value.is_output && value.buffer != UINT32_MAX) free_from[value.buffer] = UINT32_MAX;
    if (value.program == program && value.buffer == UINT32_MAX) order.push_back(i);
  }
  std::ranges::sort(order, {}, [&](uint32_t i) { return std::pair(arena_[i].first, i); });
  for (const uint32_t i : order) {
    ArenaValue& value = arena_[i];
    const uint64_t bytes = graph::align_arena(value.bytes);
    uint32_t best = UINT32_MAX;
    for (uint32_t b = 0; b < plan_.arena.size(); ++b) {
      if (free_from[b] > value.first) continue;
      const auto waste = [&](uint32_t c) { return std::max(plan_.arena[c], bytes) - std::min(plan_.arena[c], bytes); };
      if (best == UINT32_MAX || waste(b) < waste(best)) best = b;
    }
    if (best == UINT32_MAX || value.is_output) {
      best = static_cast<uint32_t>(plan_.arena.size());
      plan_.arena.push_back(0);
      free_from.push_back(0);
    }
    value.buffer = best;
    plan_.arena[best] = std::max(plan_.arena[best], bytes);
    free_from[best] = value.is_output ? UINT32_MAX : value.last + 1;
  }
}

Result<uint32_t> Emitter::slot(Ref ref, std::map<std::pair<uint32_t, uint32_t>, uint32_t>& slots) {
  const auto [found, is_new] =
      slots.try_emplace({static_cast<uint32_t>(ref.kind), ref.index}, static_cast<uint32_t>(plan_.slots.size()));
  if (!is_new) return found->second;
  graph::PlanSlot slot{ref.kind, ref.index, 0, 0};
  switch (ref.kind) {
    case SlotKind::kArena:
      slot.index = arena_[ref.index].buffer;
      slot.bytes = arena_[ref.index].bytes;
      break;
    case SlotKind::kWeight:
      slot.bytes = PlaneLayout::of(graph_.weights[ref.index]).bytes;
      break;
    case SlotKind::kKeys:
    case SlotKind::kValues:
      slot.bytes = plan_.page_bytes();
      break;
    case SlotKind::kParams:
      slot.bytes = params_layout_.bytes();
      break;
    case SlotKind::kState:
      slot.bytes = uint64_t{key_.max_seqs} * graph::kSampledTokens * 4;
      break;
  }
  const bool is_whole = ref.kind != SlotKind::kKeys && ref.kind != SlotKind::kValues;  // caches are checked at load
  if (is_whole && slot.bytes > target_.gpu.max_binding_bytes) {
    return fail(ErrorCode::kUnsupported,
                "A buffer of {} bytes is needed; the device binds {} at most. Plan for fewer tokens in a step.",
                slot.bytes, target_.gpu.max_binding_bytes);
  }
  plan_.slots.push_back(slot);
  return found->second;
}

Result<graph::Plan> Emitter::finish() {
  TRY(graph::check_key(plan_));
  for (uint32_t p = 0; p < plan_.programs.size(); ++p) lay_out_program(p);
  std::map<std::pair<uint32_t, uint32_t>, uint32_t> slots;
  for (const Step& step : steps_) {
    graph::PlanStep& out = plan_.steps.emplace_back(step.step);
    out.first_binding = static_cast<uint32_t>(plan_.bindings.size());
    for (const Bind& bind : step.binds) {
      graph::PlanBinding binding{TRY(slot(bind.ref, slots)), graph::DType::kF32, graph::Dim::constant(1), 1, 0, 1};
      if (bind.ref.kind == SlotKind::kWeight) {
        const graph::Weight& weight = graph_.weights[bind.ref.index];
        binding.rows = graph::Dim::constant(weight.rows);
        binding.cols = binding.row_stride = weight.cols;
      }
      plan_.bindings.push_back(binding);
    }
  }
  for (const graph::Output& output : graph_.outputs) {
    const View place = view(output.value);
    plan_.outputs.push_back({output.name,
                             {TRY(slot(place.ref, slots)), graph_.values[output.value].desc.dtype, place.rows,
                              place.cols, place.col0, place.stride}});
  }
  if (tokens_value_ != UINT32_MAX) {
    const uint32_t tokens = TRY(slot({SlotKind::kArena, tokens_value_}, slots));
    plan_.outputs.push_back({"tokens", {tokens, graph::DType::kI32, graph::Dim::rows(), 1, 0, 1}});
  }
  TRY(graph::validate(plan_));
  return std::move(plan_);
}

Result<graph::Plan> lower(const graph::Graph& graph, const graph::PlanKey& key, const graph::Target& target,
                          std::vector<Choice>* choices) {
  TRY(graph::validate(graph));
  Emitter emitter(graph, target, key);
  const bool is_fused = match_fused_model(emitter) && !target.gpu.software;  // a CPU compiles slowly and gains nothing
  for (const uint32_t max_tokens : {1u, 2u, 4u, 8u, 16u, 32u, 64u, 512u}) {
    const bool is_batch = is_fused && max_tokens / 2 < key.max_seqs;  // so many single tokens may come together
    const bool is_wanted = is_batch || max_tokens == 1 || max_tokens == 16 || (is_fused && max_tokens == 512);
    if (is_wanted && max_tokens < key.max_tokens) TRY(emitter.program(max_tokens));
  }
  TRY(emitter.program(key.max_tokens));
  if (choices) *choices = emitter.choices();
  return emitter.finish();
}

}  // namespace tern::backends::webgpu
