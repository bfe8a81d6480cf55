// validate(Graph): the invariants that passes, planners and players rely on.
#include "graph/graph.h"
#include "graph/shapes.h"

namespace tern::graph {
namespace {

class Validator {
 public:
  explicit Validator(const Graph& graph)
      : graph_(graph),
        defined_(graph.values.size(), false),
        in_concat_(graph.values.size(), false),
        written_(graph.n_layers, false),
        read_(graph.n_layers, false) {}

  Result<void> run() {
    for (const Weight& weight : graph_.weights) TRY(check_weight(weight));
    for (NodeId n = 0; n < graph_.nodes.size(); ++n) {
      const Node& node = graph_.nodes[n];
      TRY_CTX(check_node(n), "in node {} ({})", node.name, op_name(node.op));
    }
    for (const Output& output : graph_.outputs) {
      if (output.value >= graph_.values.size() || !defined_[output.value] || graph_.weight_of(output.value)) {
        return fail(ErrorCode::kInvalidFile, "Output {} is value {}, which no node computes.", output.name,
                    output.value);
      }
    }
    return {};
  }

 private:
  const Graph& graph_;
  std::vector<bool> defined_;         // by a node seen so far
  std::vector<bool> in_concat_;       // values whose place is in a concat
  std::vector<bool> written_, read_;  // layers of the cache

  Result<void> check_node(NodeId n) {
    const Node& node = graph_.nodes[n];
    if (static_cast<uint32_t>(node.op) >= kOpCount || node.attrs.index() != default_attrs(node.op).index()) {
      return fail(ErrorCode::kInvalidFile, "The attributes are not the op's.");
    }
    for (const ValueId input : node.inputs) {
      if (input >= graph_.values.size() || !defined_[input]) {
        return fail(ErrorCode::kInvalidFile, "Input {} is used before it is computed.", input);
      }
    }
    const std::vector<TensorDesc> expected = TRY(shapes_of(node));
    TRY(check_outputs(n, expected));
    if (node.op == Op::kConcat) TRY(check_concat(node));
    return check_cache_order(node);
  }

  Result<std::vector<TensorDesc>> shapes_of(const Node& node) const {
    if (node.op != Op::kWeight) {
      std::vector<Operand> operands;
      for (const ValueId input : node.inputs) {
        operands.push_back({graph_.values[input].desc, graph_.weight_of(input) != nullptr});
      }
      return infer_shapes(node.op, node.attrs, operands, {graph_.n_layers, graph_.n_kv_heads, graph_.head_dim});
    }
    const uint32_t weight = std::get<WeightAttrs>(node.attrs).weight;
    if (weight >= graph_.weights.size()) {
      return fail(ErrorCode::kInvalidFile, "It is weight {} of {}.", weight, graph_.weights.size());
    }
    return {{weight_desc(graph_.weights[weight])}};
  }

  Result<void> check_outputs(NodeId n, const std::vector<TensorDesc>& expected) {
    const Node& node = graph_.nodes[n];
    if (node.outputs.size() != expected.size()) {
      return fail(ErrorCode::kInvalidFile, "It has {} outputs, expected {}.", node.outputs.size(), expected.size());
    }
    for (size_t i = 0; i < expected.size(); ++i) {
      const ValueId value = node.outputs[i];
      if (value >= graph_.values.size() || defined_[value] || graph_.values[value].producer != n) {
        return fail(ErrorCode::kInvalidFile, "Output {} is value {}, which is not its own.", i, value);
      }
      if (graph_.values[value].desc != expected[i]) {
        return fail(ErrorCode::kInvalidFile, "Output {} is {}, expected {}.", i, to_string(graph_.values[value].desc),
                    to_string(expected[i]));
      }
      defined_[value] = true;
    }
    return {};
  }

  /// What makes a concat free: see ops.h.
  Result<void> check_concat(const Node& node) {
    for (const ValueId input : node.inputs) {
      if (in_concat_[input] || graph_.nodes[graph_.values[input].producer].op == Op::kSlice) {
        return fail(ErrorCode::kInvalidFile, "Value {} is a view or in a concat twice.", input);
      }
      in_concat_[input] = true;
    }
    return {};
  }

  /// A layer's cache is written by one node, before any reads it.
  Result<void> check_cache_order(const Node& node) {
    if (const auto* attention = std::get_if<AttentionAttrs>(&node.attrs)) read_[attention->layer] = true;
    uint32_t layer = kNone;
    if (const auto* kv = std::get_if<KvAttrs>(&node.attrs)) layer = kv->layer;
    if (const auto* kv = std::get_if<RopeKvAttrs>(&node.attrs)) layer = kv->kv.layer;
    if (layer == kNone) return {};
    if (written_[layer] || read_[layer]) {
      return fail(ErrorCode::kInvalidFile, "The cache of layer {} is {} before.", layer,
                  written_[layer] ? "written" : "read");
    }
    written_[layer] = true;
    return {};
  }
};

/// Bounds the arrays by layer that validators and planners make.
constexpr uint32_t kMaxLayers = 1u << 16;

}  // namespace

Result<void> validate(const Graph& graph) {
  if (graph.n_layers > kMaxLayers) {
    return fail(ErrorCode::kInvalidFile, "The model has {} layers, at most {} are possible.", graph.n_layers,
                kMaxLayers);
  }
  return Validator(graph).run();
}

}  // namespace tern::graph
