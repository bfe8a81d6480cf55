#include "graph/graph.h"

#include <algorithm>

#include "graph/shapes.h"

namespace tern::graph {

const Weight* Graph::weight_of(ValueId value) const {
  const NodeId producer = values[value].producer;
  if (producer == kNone || nodes[producer].op != Op::kWeight) return nullptr;
  return &weights[attrs<WeightAttrs>(producer).weight];
}

std::vector<uint32_t> Graph::use_counts() const {
  std::vector<uint32_t> counts(values.size(), 0);
  for (const Node& node : nodes) {
    for (const ValueId input : node.inputs) ++counts[input];
  }
  for (const Output& output : outputs) ++counts[output.value];
  return counts;
}

namespace {

bool has_side_effect(Op op) {
  return op == Op::kKvWrite || op == Op::kRopeKvWrite;
}

/// Nodes that something reads, weights first, both in their old order. Weights may stand anywhere, even after readers.
std::vector<Node> live_nodes(Graph& graph) {
  std::vector<bool> read(graph.values.size(), false);
  for (const Output& output : graph.outputs) read[output.value] = true;
  const auto is_read = [&](const Node& node) {
    return has_side_effect(node.op) || std::ranges::any_of(node.outputs, [&](ValueId v) { return read[v]; });
  };
  for (NodeId n = static_cast<NodeId>(graph.nodes.size()); n-- > 0;) {
    if (!is_read(graph.nodes[n])) continue;
    for (const ValueId input : graph.nodes[n].inputs) read[input] = true;
  }
  std::vector<Node> nodes;
  for (const bool weights : {true, false}) {
    for (Node& node : graph.nodes) {
      if ((node.op == Op::kWeight) == weights && is_read(node)) nodes.push_back(std::move(node));
    }
  }
  return nodes;
}

/// Keeps the weights that nodes name, in their order.
void compact_weights(Graph& graph) {
  std::vector<uint32_t> new_id(graph.weights.size(), kNone);
  std::vector<Weight> weights;
  for (Node& node : graph.nodes) {
    if (node.op != Op::kWeight) continue;
    uint32_t& id = std::get<WeightAttrs>(node.attrs).weight;
    if (new_id[id] == kNone) {
      new_id[id] = static_cast<uint32_t>(weights.size());
      weights.push_back(std::move(graph.weights[id]));
    }
    id = new_id[id];
  }
  graph.weights = std::move(weights);
}

}  // namespace

void Graph::sweep() {
  nodes = live_nodes(*this);
  std::vector<ValueId> new_id(values.size(), kNone);
  std::vector<Value> kept;
  for (NodeId n = 0; n < nodes.size(); ++n) {
    for (ValueId& input : nodes[n].inputs) {
      ASSERT(new_id[input] != kNone);
      input = new_id[input];
    }
    for (ValueId& output : nodes[n].outputs) {
      new_id[output] = static_cast<ValueId>(kept.size());
      kept.push_back({values[output].desc, n, std::move(values[output].name)});
      output = new_id[output];
    }
  }
  for (Output& output : outputs) output.value = new_id[output.value];
  values = std::move(kept);
  compact_weights(*this);
}

TensorDesc weight_desc(const Weight& weight) {
  if (weight.cols == 1) return {DType::kF32, Dim::constant(1), weight.rows};
  return {DType::kF32, Dim::constant(weight.rows), weight.cols};
}

Result<void> check_weight(const Weight& weight) {
  const auto wrong = [&](std::string what) {
    return fail(ErrorCode::kInvalidFile, "Weight {}: {}", weight.name, what);
  };
  if (formats::find(static_cast<uint32_t>(weight.format)) == nullptr) {
    return wrong(fmt::format("The format {} is unknown.", static_cast<uint32_t>(weight.format)));
  }
  if (weight.rows == 0 || weight.cols == 0) return wrong(fmt::format("It is [{}, {}].", weight.rows, weight.cols));
  const uint64_t row_bytes = TRY_CTX(formats::row_bytes(weight.format, weight.cols), "in weight {}", weight.name);
  uint64_t bytes = 0;
  if (__builtin_mul_overflow(row_bytes, uint64_t{weight.rows}, &bytes)) return wrong("It is larger than 2^64 bytes.");
  if (weight.slices.empty()) {
    if (weight.format != Format::kF32 || weight.constant.size() != uint64_t{weight.rows} * weight.cols) {
      return wrong(fmt::format("The constant has {} values of {}, expected {} x {} of f32.", weight.constant.size(),
                               formats::info(weight.format).name, weight.rows, weight.cols));
    }
    return {};
  }
  if (!weight.constant.empty()) return wrong("It has both slices and values.");
  uint64_t rows = 0;
  for (const WeightSlice& slice : weight.slices) {
    if (slice.rows == 0 || slice.rows > UINT32_MAX - slice.row0) {
      return wrong(fmt::format("A slice has rows [{}, +{}).", slice.row0, slice.rows));
    }
    rows += slice.rows;
  }
  if (rows != weight.rows) return wrong(fmt::format("Its slices have {} rows, expected {}.", rows, weight.rows));
  return {};
}

}  // namespace tern::graph
