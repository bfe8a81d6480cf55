// The two products that feed a glu become one: gate rows, then up rows. For experts the rows alternate by expert (gate
// of expert 0, up of expert 0, gate of expert 1, ...), because an expert's rows are contiguous.
#include <algorithm>

#include "graph/passes/rewrite.h"

namespace tern::graph {
namespace {

bool can_merge_experts(const Rewriter& rewriter, NodeId a, NodeId b) {
  const Graph& graph = rewriter.graph;
  const Node &x = graph.nodes[a], &y = graph.nodes[b];
  if (x.op != Op::kLinearExperts || y.op != Op::kLinearExperts || a == b) return false;
  if (!rewriter.is_untouched(a) || !rewriter.is_untouched(b)) return false;
  if (x.inputs.size() != 3 || y.inputs.size() != 3 || x.attrs != y.attrs) return false;
  if (x.inputs[0] != y.inputs[0] || x.inputs[2] != y.inputs[2]) return false;
  if (rewriter.uses[x.inputs[1]] != 1 || rewriter.uses[y.inputs[1]] != 1) return false;
  const Weight &w = *graph.weight_of(x.inputs[1]), &v = *graph.weight_of(y.inputs[1]);
  return same_layout(w, v) && w.rows == v.rows && w.rows <= UINT32_MAX / 2;
}

void merge_experts(Rewriter& rewriter, NodeId gate, NodeId up) {
  Graph& graph = rewriter.graph;
  const Node x = graph.nodes[gate], y = graph.nodes[up];
  const Weight w = *graph.weight_of(x.inputs[1]), v = *graph.weight_of(y.inputs[1]);
  const uint32_t n_experts = std::get<ExpertsAttrs>(x.attrs).n_experts, rows = w.rows / n_experts;
  Weight both{joined_name(w.name, v.name), w.format, 0, w.cols, {}, {}};
  for (uint32_t e = 0; e < n_experts; ++e) {
    append_rows(both, take_rows(w, e * rows, rows));
    append_rows(both, take_rows(v, e * rows, rows));
  }
  const TensorDesc desc = graph.values[x.outputs[0]].desc;
  const ValueId all = rewriter.add_value({desc.dtype, desc.rows, 2 * desc.cols});
  const NodeId at = std::min(gate, up);
  const ValueId weight = rewriter.add_weight(std::move(both));
  rewriter.insert_before(
      at, {Op::kLinearExperts, x.attrs, {x.inputs[0], weight, x.inputs[2]}, {all}, joined_name(x.name, y.name)});
  rewriter.insert_before(at, {Op::kSlice, SliceAttrs{0, desc.cols}, {all}, x.outputs, x.name});
  rewriter.insert_before(at, {Op::kSlice, SliceAttrs{desc.cols, desc.cols}, {all}, y.outputs, y.name});
  rewriter.remove(gate);
  rewriter.remove(up);
}

}  // namespace

Result<void> merge_gate_up(Graph& graph, const Target&) {
  Rewriter rewriter(graph);
  for (const Node& node : graph.nodes) {
    if (node.op != Op::kGlu) continue;
    const NodeId gate = graph.values[node.inputs[0]].producer, up = graph.values[node.inputs[1]].producer;
    if (can_merge_experts(rewriter, gate, up)) {
      merge_experts(rewriter, gate, up);
    } else if (gate != up && can_merge(rewriter, gate, up)) {
      merge_linears(rewriter, {gate, up});
    }
  }
  rewriter.apply();
  return {};
}

}  // namespace tern::graph
