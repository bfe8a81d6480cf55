// What --compare-with-ref looks at: every value that the model named and no fusion swallowed becomes an output, in the
// order of computation and under its name. Ids (route_topk) are left out: outputs are f32.
#include <unordered_set>

#include "graph/passes/passes.h"

namespace tern::graph {

Result<void> expose_values(Graph& graph, const Target&) {
  std::unordered_set<ValueId> exposed;
  for (const Output& output : graph.outputs) exposed.insert(output.value);
  for (const Node& node : graph.nodes) {
    if (node.op == Op::kWeight) continue;
    for (const ValueId id : node.outputs) {
      const Value& value = graph.values[id];
      const bool wanted = value.desc.dtype == DType::kF32 && !value.name.empty() && exposed.insert(id).second;
      if (wanted) graph.outputs.push_back({value.name, id});
    }
  }
  return {};
}

}  // namespace tern::graph
