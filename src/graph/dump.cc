// dump(Graph): the text of --dump-graph and of the goldens.
#include "graph/graph.h"
#include "graph/shapes.h"

namespace tern::graph {
namespace {

/// "blk.0.attn_norm.weight [1, 64] f32", "norm [1, 2] = {1, 2}"; longer constants show no values.
std::string weight_text(const Weight& weight) {
  constexpr size_t kShownValues = 8;
  std::string text = weight.name + " " + to_string(weight_desc(weight));
  if (!weight.slices.empty()) return fmt::format("{} {}", text, formats::info(weight.format).name);
  if (weight.constant.size() > kShownValues) return text + " constant";
  std::string values;
  for (const float value : weight.constant) values += fmt::format("{}{}", values.empty() ? "" : ", ", value);
  return fmt::format("{} = {{{}}}", text, values);
}

}  // namespace

std::string dump(const Graph& graph) {
  std::vector<uint32_t> number(graph.values.size(), 0);
  uint32_t n_computed = 0;
  const auto text_of = [&](ValueId value) {
    const Weight* weight = graph.weight_of(value);
    return weight ? weight_text(*weight) : fmt::format("%{}", number[value]);
  };
  std::string out;
  for (const Node& node : graph.nodes) {
    if (node.op == Op::kWeight) continue;
    std::string inputs, outputs, shapes;
    for (const ValueId input : node.inputs) inputs += (inputs.empty() ? "" : ", ") + text_of(input);
    for (const ValueId output : node.outputs) {
      number[output] = n_computed++;
      outputs += (outputs.empty() ? "" : ", ") + text_of(output);
      shapes += (shapes.empty() ? " : " : ", ") + to_string(graph.values[output].desc);
    }
    out += fmt::format("{}{}{}({}){}{}  # {}\n", outputs, outputs.empty() ? "" : " = ", op_name(node.op), inputs,
                       to_string(node.op, node.attrs), shapes, node.name);
  }
  for (const Output& output : graph.outputs) out += fmt::format("output {} = {}\n", output.name, text_of(output.value));
  return out;
}

}  // namespace tern::graph
