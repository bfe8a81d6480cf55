// Does at load what needs no step:
//   add(c, d), scale(c)            of constants            -> a constant
//   scale(scale(x))                                        -> one scale
//   scale(embed(W))                read by nobody else     -> embed with the factor (Gemma's sqrt(d))
//   attention(scale(q)), attention(rope(scale(q)))         -> attention with the factor; rope is linear
#include <cmath>

#include "graph/passes/rewrite.h"

namespace tern::graph {
namespace {

const Weight* constant_of(const Graph& graph, ValueId value) {
  const Weight* weight = graph.weight_of(value);
  return weight && weight->slices.empty() ? weight : nullptr;
}

/// Turns an add or scale of constants into a constant; its value keeps its id.
void fold_arithmetic(Graph& graph, Node& node) {
  const Weight* x = constant_of(graph, node.inputs[0]);
  if (!x) return;
  Weight result = *x;
  result.name = node.name;
  if (node.op == Op::kAdd) {
    const Weight* y = constant_of(graph, node.inputs[1]);
    if (!y) return;
    for (size_t i = 0; i < result.constant.size(); ++i) result.constant[i] += y->constant[i];
  } else {
    for (float& value : result.constant) value *= std::get<ScaleAttrs>(node.attrs).factor;
  }
  node.op = Op::kWeight;
  node.attrs = WeightAttrs{static_cast<uint32_t>(graph.weights.size())};
  node.inputs.clear();
  graph.weights.push_back(std::move(result));
}

/// The factor of the scale that computes `value`, when multiplying `by` keeps it finite.
const Node* scale_before(const Rewriter& rewriter, ValueId value, float by) {
  const Node* scale = rewriter.producer(value, Op::kScale);
  return scale && std::isfinite(std::get<ScaleAttrs>(scale->attrs).factor * by) ? scale : nullptr;
}

void fold_scale(Rewriter& rewriter, NodeId n) {
  Graph& graph = rewriter.graph;
  Node& node = graph.nodes[n];
  float& factor = std::get<ScaleAttrs>(node.attrs).factor;
  if (const Node* inner = scale_before(rewriter, node.inputs[0], factor)) {
    factor *= std::get<ScaleAttrs>(inner->attrs).factor;
    node.inputs = inner->inputs;
  }
  const ValueId x = node.inputs[0];
  if (!rewriter.producer(x, Op::kEmbed) || rewriter.uses[x] != 1) return;
  Node& embed = graph.nodes[graph.values[x].producer];
  float& embed_factor = std::get<ScaleAttrs>(embed.attrs).factor;
  if (!std::isfinite(embed_factor * factor)) return;
  embed_factor *= factor;
  embed.outputs = node.outputs;
  graph.values[node.outputs[0]].producer = graph.values[x].producer;
  rewriter.remove(n);
}

void fold_into_attention(Rewriter& rewriter, Node& attention) {
  float& scale = std::get<AttentionAttrs>(attention.attrs).scale;
  ValueId* q = &attention.inputs[0];
  if (rewriter.producer(*q, Op::kRope) && rewriter.uses[*q] == 1) {
    q = &rewriter.graph.nodes[rewriter.graph.values[*q].producer].inputs[0];
  }
  if (const Node* found = scale_before(rewriter, *q, scale)) {
    scale *= std::get<ScaleAttrs>(found->attrs).factor;
    *q = found->inputs[0];
  }
}

}  // namespace

Result<void> fold_constants(Graph& graph, const Target&) {
  Rewriter rewriter(graph);
  for (NodeId n = 0; n < graph.nodes.size(); ++n) {
    Node& node = graph.nodes[n];
    if (node.op == Op::kAdd || node.op == Op::kScale) fold_arithmetic(graph, node);
    if (node.op == Op::kScale) fold_scale(rewriter, n);
    if (node.op == Op::kAttention) fold_into_attention(rewriter, node);
  }
  rewriter.apply();
  return {};
}

}  // namespace tern::graph
