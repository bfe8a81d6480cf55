// linear [gate; up] -> two slices -> glu becomes linear_glu: the product's epilogue writes act(gate) * up, half of the
// columns, and the intermediate never reaches memory. Only where nobody else reads it, and without a bias.
#include "graph/passes/rewrite.h"

namespace tern::graph {
namespace {

/// The merged linear whose halves are gate and up; nullptr when it is not like that.
const Node* linear_of_halves(const Rewriter& rewriter, const Node& glu) {
  const Node* gate = rewriter.producer(glu.inputs[0], Op::kSlice);
  const Node* up = rewriter.producer(glu.inputs[1], Op::kSlice);
  if (!gate || !up || gate == up || gate->inputs[0] != up->inputs[0]) return nullptr;
  if (rewriter.uses[glu.inputs[0]] != 1 || rewriter.uses[glu.inputs[1]] != 1) return nullptr;
  const ValueId all = gate->inputs[0];
  const Node* linear = rewriter.producer(all, Op::kLinear);
  if (!linear || rewriter.uses[all] != 2 || linear->inputs.size() != 2) return nullptr;
  const uint32_t half = rewriter.graph.values[glu.outputs[0]].desc.cols;
  const bool halves = rewriter.graph.values[all].desc.cols == 2 * half &&
                      std::get<SliceAttrs>(gate->attrs).begin == 0 && std::get<SliceAttrs>(up->attrs).begin == half;
  return halves ? linear : nullptr;
}

}  // namespace

Result<void> glu_epilogue(Graph& graph, const Target&) {
  Rewriter rewriter(graph);
  for (NodeId n = 0; n < graph.nodes.size(); ++n) {
    const Node& glu = graph.nodes[n];
    if (glu.op != Op::kGlu) continue;
    const Node* linear = linear_of_halves(rewriter, glu);
    if (!linear) continue;
    const LinearAttrs attrs{.has_bias = 0, .activation = std::get<GluAttrs>(glu.attrs).activation};
    rewriter.insert_before(n,
                           {Op::kLinearGlu, attrs, linear->inputs, glu.outputs, joined_name(linear->name, glu.name)});
    rewriter.remove(n);
  }
  rewriter.apply();
  return {};
}

}  // namespace tern::graph
