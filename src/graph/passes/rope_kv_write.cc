// rope(q), rope(k) and kv_write(k, v) become one op: three small dispatches less one after the other in every layer.
#include <algorithm>

#include "graph/passes/rewrite.h"

namespace tern::graph {
namespace {

/// The rope of the queries that go with rope_k: what the layer's first attention reads, with the same frequencies, and
/// read by nobody before the cache is written; kNone when there is none.
NodeId find_rope_q(const Rewriter& rewriter, NodeId kv_write, const Node& rope_k) {
  const Graph& graph = rewriter.graph;
  const uint32_t layer = graph.attrs<KvAttrs>(kv_write).layer;
  for (NodeId n = kv_write + 1; n < graph.nodes.size(); ++n) {
    const Node& attention = graph.nodes[n];
    if (attention.op != Op::kAttention || std::get<AttentionAttrs>(attention.attrs).layer != layer) continue;
    const ValueId q = attention.inputs[0];
    const Node* rope_q = rewriter.producer(q, Op::kRope);
    const bool fits = rope_q && rope_q != &rope_k && rope_q->attrs == rope_k.attrs &&
                      rope_q->inputs[1] == rope_k.inputs[1] && graph.values[q].producer < kv_write &&
                      std::ranges::all_of(rewriter.readers[q], [&](NodeId reader) { return reader > kv_write; });
    return fits ? graph.values[q].producer : kNone;
  }
  return kNone;
}

}  // namespace

Result<void> rope_kv_write(Graph& graph, const Target&) {
  Rewriter rewriter(graph);
  for (NodeId n = 0; n < graph.nodes.size(); ++n) {
    const Node& write = graph.nodes[n];
    if (write.op != Op::kKvWrite) continue;
    const Node* rope_k = rewriter.producer(write.inputs[0], Op::kRope);
    if (!rope_k || rewriter.uses[write.inputs[0]] != 1) continue;
    const NodeId q = find_rope_q(rewriter, n, *rope_k);
    if (q == kNone || !rewriter.is_untouched(q)) continue;
    const Node& rope_q = graph.nodes[q];
    const RopeKvAttrs attrs{std::get<RopeAttrs>(rope_q.attrs), std::get<KvAttrs>(write.attrs)};
    rewriter.insert_before(n, {Op::kRopeKvWrite,
                               attrs,
                               {rope_q.inputs[0], rope_k->inputs[0], write.inputs[1], rope_k->inputs[1]},
                               rope_q.outputs,
                               joined_name(joined_name(rope_q.name, rope_k->name), write.name)});
    rewriter.remove(q);
    rewriter.remove(graph.values[write.inputs[0]].producer);
    rewriter.remove(n);
  }
  rewriter.apply();
  return {};
}

}  // namespace tern::graph
