// lower_ops: one step per node. Slices and concats are places in memory and get no step: a value is columns of its
// base, the value that owns a slot.
#include <map>

#include "graph/plan.h"
#include "graph/planner/memory.h"
#include "graph/shapes.h"

namespace tern::graph {
namespace {

bool is_step(Op op) {
  return op != Op::kWeight && op != Op::kSlice && op != Op::kConcat;
}

/// Columns [col0, ...) of the value `base`.
struct Place {
  ValueId base;
  uint32_t col0;
};

/// Where each value lies. Concats from last to first (their inputs are computed into them), then slices forwards.
std::vector<Place> place_values(const Graph& graph) {
  std::vector<Place> places;
  for (ValueId v = 0; v < graph.values.size(); ++v) places.push_back({v, 0});
  for (NodeId n = static_cast<NodeId>(graph.nodes.size()); n-- > 0;) {
    const Node& node = graph.nodes[n];
    if (node.op != Op::kConcat) continue;
    Place place = places[node.outputs[0]];
    for (const ValueId input : node.inputs) {
      places[input] = place;
      place.col0 += graph.values[input].desc.cols;
    }
  }
  for (const Node& node : graph.nodes) {
    if (node.op != Op::kSlice) continue;
    const Place& from = places[node.inputs[0]];
    places[node.outputs[0]] = {from.base, from.col0 + std::get<SliceAttrs>(node.attrs).begin};
  }
  return places;
}

class Lowering {
 public:
  Lowering(const Graph& graph, const PlanKey& key, bool reuse)
      : graph_(graph), reuse_(reuse), places_(place_values(graph)), slots_(graph.values.size(), kNone) {
    plan_.key = key;
    plan_.n_layers = graph.n_layers;
    plan_.n_kv_heads = graph.n_kv_heads;
    plan_.head_dim = graph.head_dim;
    plan_.weights = graph.weights;
  }

  Result<Plan> run(const std::string& backend) {
    plan_.backend = backend;
    TRY(add_arena_slots());
    TRY(add_weight_slots());
    TRY(add_cache_slots());
    for (const Node& node : graph_.nodes) {
      if (is_step(node.op)) add_step(node);
    }
    plan_.programs = {{plan_.key.max_tokens, 0, static_cast<uint32_t>(plan_.steps.size())}};
    for (const Output& output : graph_.outputs) plan_.outputs.push_back({output.name, binding(output.value)});
    TRY(validate(plan_));
    return std::move(plan_);
  }

 private:
  const Graph& graph_;
  bool reuse_;
  std::vector<Place> places_;    // index: ValueId
  std::vector<uint32_t> slots_;  // index: ValueId of a base or a weight
  Plan plan_;
  std::map<std::pair<Op, std::vector<uint32_t>>, uint32_t> pipelines_;

  /// Bases in the order in which they are first written, and their lifetimes in steps.
  Result<void> add_arena_slots() {
    std::vector<Lifetime> lives;
    uint32_t step = 0;
    for (const Node& node : graph_.nodes) {
      if (!is_step(node.op)) continue;
      for (const ValueId output : node.outputs) TRY(touch(output, step, lives));
      for (const ValueId input : node.inputs) {
        if (!graph_.weight_of(input)) TRY(touch(input, step, lives));
      }
      ++step;
    }
    for (const Output& output : graph_.outputs) TRY(touch(output.value, step, lives));

    const ArenaPlan arena = plan_memory(lives, reuse_);
    for (size_t i = 0; i < lives.size(); ++i) {
      plan_.slots.push_back({SlotKind::kArena, 0, arena.offsets[i], lives[i].bytes});
    }
    if (arena.bytes > 0) plan_.arena = {arena.bytes};
    return {};
  }

  /// The base of `value` lives at `step`.
  Result<void> touch(ValueId value, uint32_t step, std::vector<Lifetime>& lives) {
    const ValueId base = places_[value].base;
    if (slots_[base] != kNone) {
      lives[slots_[base]].last = step;
      return {};
    }
    const TensorDesc& desc = graph_.values[base].desc;
    const uint64_t rows = desc.rows.at(plan_.key.most());
    uint64_t bytes = 0;
    if (__builtin_mul_overflow(rows, uint64_t{desc.cols} * 4, &bytes) || bytes > kMaxArenaBytes) {
      return fail(ErrorCode::kUnsupported, "A value {} of {} tokens is too large for memory.", to_string(desc),
                  plan_.key.max_tokens);
    }
    slots_[base] = static_cast<uint32_t>(lives.size());
    lives.push_back({bytes, step, step});
    return {};
  }

  Result<void> add_weight_slots() {
    for (const Node& node : graph_.nodes) {
      if (node.op != Op::kWeight) continue;
      const uint32_t index = std::get<WeightAttrs>(node.attrs).weight;
      const Weight& weight = graph_.weights[index];
      const uint64_t row_bytes = TRY(formats::row_bytes(weight.format, weight.cols));
      slots_[node.outputs[0]] = static_cast<uint32_t>(plan_.slots.size());
      plan_.slots.push_back({SlotKind::kWeight, index, 0, row_bytes * weight.rows});
    }
    return {};
  }

  Result<void> add_cache_slots() {
    if (graph_.n_layers == 0) return {};
    TRY(check_key(plan_));  // page_bytes() needs a sane key
    for (const SlotKind kind : {SlotKind::kKeys, SlotKind::kValues}) {
      for (uint32_t layer = 0; layer < graph_.n_layers; ++layer) {
        plan_.slots.push_back({kind, layer, 0, plan_.page_bytes()});
      }
    }
    return {};
  }

  PlanBinding binding(ValueId value) const {
    const Place& place = places_[value];
    const TensorDesc& desc = graph_.values[value].desc;
    return {.slot = slots_[place.base],
            .dtype = desc.dtype,
            .rows = desc.rows,
            .cols = desc.cols,
            .col0 = place.col0,
            .row_stride = graph_.values[place.base].desc.cols};
  }

  uint32_t pipeline(const Node& node) {
    std::vector<uint32_t> words = attrs_to_words(node.attrs);
    const auto [found, is_new] =
        pipelines_.try_emplace({node.op, words}, static_cast<uint32_t>(plan_.pipelines.size()));
    if (is_new) plan_.pipelines.push_back({std::string(op_name(node.op)), "", node.op, std::move(words)});
    return found->second;
  }

  void add_step(const Node& node) {
    PlanStep step;
    step.pipeline = pipeline(node);
    step.first_binding = static_cast<uint32_t>(plan_.bindings.size());
    step.n_inputs = static_cast<uint32_t>(node.inputs.size());
    step.n_outputs = static_cast<uint32_t>(node.outputs.size());
    step.name = static_cast<uint32_t>(plan_.strings.size());
    for (const ValueId input : node.inputs) plan_.bindings.push_back(binding(input));
    for (const ValueId output : node.outputs) plan_.bindings.push_back(binding(output));
    plan_.steps.push_back(step);
    plan_.strings.push_back(node.name);
  }
};

}  // namespace

Result<Plan> lower_ops(const Graph& graph, const PlanKey& key, std::string backend, bool reuse) {
  TRY(validate(graph));
  return TRY_CTX(Lowering(graph, key, reuse).run(backend), "while planning for {}", backend);
}

}  // namespace tern::graph
