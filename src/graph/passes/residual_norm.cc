// The sum with the residual costs no pass over memory of its own:
//   add(residual, linear(x, W))  -> linear_add, where nobody else reads the product;
//   add(x, y), rms_norm          -> add_rms_norm, with the sum as first output.
// Where both apply linear_add wins: the product's epilogue has its values in registers anyway, whereas the norm must
// read the finished sum in either case. add_rms_norm is left for sums of other things: Gemma's norms after attention
// and feed-forward, mixtures of experts.
#include "graph/passes/rewrite.h"

namespace tern::graph {
namespace {

/// A sum of two computed values of one shape (no bias, no broadcast).
bool is_residual_add(const Graph& graph, const Node& node) {
  return node.op == Op::kAdd && graph.values[node.inputs[0]].desc == graph.values[node.inputs[1]].desc &&
         !graph.weight_of(node.inputs[0]) && !graph.weight_of(node.inputs[1]);
}

void fuse_linear_add(Graph& graph) {
  Rewriter rewriter(graph);
  for (NodeId n = 0; n < graph.nodes.size(); ++n) {
    const Node& add = graph.nodes[n];
    if (!is_residual_add(graph, add) || add.inputs[0] == add.inputs[1]) continue;
    for (const size_t side : {1, 0}) {  // models write add(residual, product); of two products the second is fused
      const Node* linear = rewriter.producer(add.inputs[side], Op::kLinear);
      if (!linear || rewriter.uses[add.inputs[side]] != 1) continue;
      Node fused{Op::kLinearAdd, linear->attrs, linear->inputs, add.outputs, joined_name(linear->name, add.name)};
      fused.inputs.push_back(add.inputs[1 - side]);
      rewriter.insert_before(n, std::move(fused));
      rewriter.remove(n);
      break;
    }
  }
  rewriter.apply();
}

/// The first norm over whole rows that reads `sum`, with a weight that is there before any node runs.
NodeId norm_of(const Rewriter& rewriter, ValueId sum) {
  const Graph& graph = rewriter.graph;
  for (const NodeId reader : rewriter.readers[sum]) {
    const Node& norm = graph.nodes[reader];
    if (norm.op == Op::kRmsNorm && norm.inputs[0] == sum && graph.weight_of(norm.inputs[1]) &&
        std::get<NormAttrs>(norm.attrs).group == graph.values[sum].desc.cols) {
      return reader;
    }
  }
  return kNone;
}

void fuse_add_rms_norm(Graph& graph) {
  Rewriter rewriter(graph);
  for (NodeId n = 0; n < graph.nodes.size(); ++n) {
    const Node& add = graph.nodes[n];
    if (!is_residual_add(graph, add)) continue;
    const NodeId reader = norm_of(rewriter, add.outputs[0]);
    if (reader == kNone) continue;
    const Node& norm = graph.nodes[reader];
    rewriter.insert_before(n, {Op::kAddRmsNorm,
                               norm.attrs,
                               {add.inputs[0], add.inputs[1], norm.inputs[1]},
                               {add.outputs[0], norm.outputs[0]},
                               joined_name(add.name, norm.name)});
    rewriter.remove(n);
    rewriter.remove(reader);
  }
  rewriter.apply();
}

}  // namespace

Result<void> residual_norm(Graph& graph, const Target&) {
  fuse_linear_add(graph);
  fuse_add_rms_norm(graph);
  return {};
}

}  // namespace tern::graph
