#include "graph/passes/rewrite.h"

#include <algorithm>

#include "graph/shapes.h"

namespace tern::graph {

Rewriter::Rewriter(Graph& g)
    : graph(g),
      uses(g.use_counts()),
      readers(g.values.size()),
      removed_(g.nodes.size(), false),
      inserted_(g.nodes.size() + 1) {
  for (NodeId n = 0; n < g.nodes.size(); ++n) {
    for (const ValueId input : g.nodes[n].inputs) readers[input].push_back(n);
  }
}

const Node* Rewriter::producer(ValueId value, Op op) const {
  const Node& node = graph.nodes[graph.values[value].producer];
  return node.op == op ? &node : nullptr;
}

ValueId Rewriter::add_value(const TensorDesc& desc) {
  graph.values.push_back({desc, kNone});
  return static_cast<ValueId>(graph.values.size() - 1);
}

ValueId Rewriter::add_weight(Weight weight) {
  const ValueId value = add_value(weight_desc(weight));
  const WeightAttrs attrs{static_cast<uint32_t>(graph.weights.size())};
  inserted_.back().push_back({Op::kWeight, attrs, {}, {value}, weight.name});  // sweep() moves it to the front
  graph.weights.push_back(std::move(weight));
  return value;
}

void Rewriter::insert_before(NodeId at, Node node) {
  inserted_[at].push_back(std::move(node));
}

void Rewriter::apply() {
  std::vector<Node> nodes;
  for (NodeId n = 0; n <= graph.nodes.size(); ++n) {
    for (Node& node : inserted_[n]) nodes.push_back(std::move(node));
    if (n < graph.nodes.size() && !removed_[n]) nodes.push_back(std::move(graph.nodes[n]));
  }
  graph.nodes = std::move(nodes);
  graph.sweep();
}

Weight take_rows(const Weight& weight, uint32_t row0, uint32_t rows) {
  Weight part{weight.name, weight.format, rows, weight.cols, {}, {}};
  if (weight.slices.empty()) {
    const auto begin = weight.constant.begin() + static_cast<ptrdiff_t>(uint64_t{row0} * weight.cols);
    part.constant.assign(begin, begin + static_cast<ptrdiff_t>(uint64_t{rows} * weight.cols));
    return part;
  }
  uint32_t at = 0;  // first row of the slice
  for (const WeightSlice& slice : weight.slices) {
    const uint32_t begin = std::max(at, row0), end = std::min(at + slice.rows, row0 + rows);
    if (begin < end) part.slices.push_back({slice.tensor, slice.row0 + (begin - at), end - begin});
    at += slice.rows;
  }
  return part;
}

void append_rows(Weight& to, const Weight& from) {
  to.rows += from.rows;
  to.constant.insert(to.constant.end(), from.constant.begin(), from.constant.end());
  for (const WeightSlice& slice : from.slices) {
    WeightSlice* last = to.slices.empty() ? nullptr : &to.slices.back();
    if (last && last->tensor == slice.tensor && last->row0 + last->rows == slice.row0) {
      last->rows += slice.rows;
    } else {
      to.slices.push_back(slice);
    }
  }
}

bool same_layout(const Weight& a, const Weight& b) {
  return a.format == b.format && a.cols == b.cols && a.slices.empty() == b.slices.empty();
}

std::optional<Weight> as_column(const Weight& vector) {
  if (vector.cols == 1) return vector;
  if (vector.rows != 1 || formats::info(vector.format).block != 1) return std::nullopt;
  Weight column{vector.name, vector.format, vector.cols, 1, vector.slices, vector.constant};
  for (WeightSlice& slice : column.slices) {
    if (__builtin_mul_overflow(slice.row0, vector.cols, &slice.row0)) return std::nullopt;
    slice.rows = vector.cols;
  }
  return column;
}

std::string joined_name(const std::string& a, const std::string& b) {
  size_t common = 0;  // end of the part up to a '.' that both share
  for (size_t i = 0; i < std::min(a.size(), b.size()) && a[i] == b[i]; ++i) {
    if (a[i] == '.') common = i + 1;
  }
  return a + "+" + b.substr(common);
}

namespace {

const Weight* bias_of(const Graph& graph, const Node& linear) {
  return linear.inputs.size() > 2 ? graph.weight_of(linear.inputs[2]) : nullptr;
}

}  // namespace

bool can_merge(const Rewriter& rewriter, NodeId a, NodeId b) {
  const Graph& graph = rewriter.graph;
  const Node &x = graph.nodes[a], &y = graph.nodes[b];
  if (x.op != Op::kLinear || y.op != Op::kLinear || x.inputs[0] != y.inputs[0]) return false;
  if (!rewriter.is_untouched(a) || !rewriter.is_untouched(b)) return false;
  if (rewriter.uses[x.inputs[1]] != 1 || rewriter.uses[y.inputs[1]] != 1) return false;
  const Weight &w = *graph.weight_of(x.inputs[1]), &v = *graph.weight_of(y.inputs[1]);
  if (!same_layout(w, v) || w.cols == 1 || w.rows > UINT32_MAX - v.rows) return false;
  if (x.inputs.size() != y.inputs.size()) return false;
  if (x.inputs.size() == 2) return true;
  const Weight *x_bias = bias_of(graph, x), *y_bias = bias_of(graph, y);
  if (!x_bias || !y_bias) return false;
  const std::optional<Weight> x_column = as_column(*x_bias), y_column = as_column(*y_bias);
  return x_column && y_column && same_layout(*x_column, *y_column);
}

void merge_linears(Rewriter& rewriter, const std::vector<NodeId>& linears) {
  if (linears.size() < 2) return;
  for (const NodeId a : linears) {
    for (const NodeId b : linears) {
      if (a != b && !can_merge(rewriter, a, b)) return;
    }
  }
  Graph& graph = rewriter.graph;
  const Node first = graph.nodes[linears[0]];
  Weight weight = *graph.weight_of(first.inputs[1]);
  std::optional<Weight> bias;
  if (const Weight* found = bias_of(graph, first)) bias = as_column(*found);
  std::string name = first.name;
  for (const NodeId n : linears) {
    if (n == linears[0]) continue;
    const Weight& more = *graph.weight_of(graph.nodes[n].inputs[1]);
    append_rows(weight, more);
    weight.name = joined_name(weight.name, more.name);
    if (bias) {
      const Weight& more_bias = *bias_of(graph, graph.nodes[n]);
      append_rows(*bias, *as_column(more_bias));
      bias->name = joined_name(bias->name, more_bias.name);
    }
    name = joined_name(name, graph.nodes[n].name);
  }

  const NodeId at = *std::ranges::min_element(linears);
  const Dim rows = graph.values[first.outputs[0]].desc.rows;
  const ValueId all = rewriter.add_value({DType::kF32, rows, weight.rows});
  Node merged{Op::kLinear, first.attrs, {first.inputs[0], rewriter.add_weight(std::move(weight))}, {all}, name};
  if (bias) merged.inputs.push_back(rewriter.add_weight(*std::move(bias)));
  rewriter.insert_before(at, std::move(merged));
  uint32_t begin = 0;
  for (const NodeId n : linears) {
    const Node& old = graph.nodes[n];
    const uint32_t cols = graph.values[old.outputs[0]].desc.cols;
    rewriter.insert_before(at, {Op::kSlice, SliceAttrs{begin, cols}, {all}, old.outputs, old.name});
    rewriter.remove(n);
    begin += cols;
  }
}

}  // namespace tern::graph
