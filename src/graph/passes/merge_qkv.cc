// The products that make a layer's queries, keys and values read the same x: one product with the weights one below
// the other reads it once and is one dispatch. Weights of another format stay apart (Q4_K_M files keep V in Q6_K).
#include <algorithm>

#include "graph/passes/rewrite.h"

namespace tern::graph {
namespace {

/// The linear behind `value`, through what may lie between it and the attention; kNone when there is none.
NodeId linear_behind(const Graph& graph, ValueId value) {
  while (true) {
    const NodeId n = graph.values[value].producer;
    const Op op = graph.nodes[n].op;
    if (op == Op::kLinear) return n;
    if (op != Op::kRope && op != Op::kRmsNorm && op != Op::kScale) return kNone;
    value = graph.nodes[n].inputs[0];
  }
}

/// Linears that make q, k and v of the layer that `kv_write` writes, in the graph's order.
std::vector<NodeId> qkv_linears(const Graph& graph, NodeId kv_write) {
  std::vector<NodeId> linears;
  const auto add = [&](ValueId value) {
    const NodeId n = linear_behind(graph, value);
    if (n != kNone && std::ranges::find(linears, n) == linears.end()) linears.push_back(n);
  };
  const uint32_t layer = graph.attrs<KvAttrs>(kv_write).layer;
  for (const Node& node : graph.nodes) {
    if (node.op == Op::kAttention && std::get<AttentionAttrs>(node.attrs).layer == layer) add(node.inputs[0]);
  }
  for (const ValueId input : graph.nodes[kv_write].inputs) add(input);
  std::ranges::sort(linears);
  return linears;
}

}  // namespace

Result<void> merge_qkv(Graph& graph, const Target&) {
  Rewriter rewriter(graph);
  for (NodeId n = 0; n < graph.nodes.size(); ++n) {
    if (graph.nodes[n].op != Op::kKvWrite) continue;
    std::vector<NodeId> left = qkv_linears(graph, n);
    while (!left.empty()) {
      std::vector<NodeId> group, others;
      for (const NodeId linear : left) {
        const bool fits = group.empty() || can_merge(rewriter, group[0], linear);
        (fits ? group : others).push_back(linear);
      }
      merge_linears(rewriter, group);
      left = std::move(others);
    }
  }
  rewriter.apply();
  return {};
}

}  // namespace tern::graph
