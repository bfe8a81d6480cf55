// Builder: how a model is written down. Each call adds one node, infers its shape and gives the value back. Shape
// errors come from files (a config that disagrees with the tensors), so they are kept and returned by finish().
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"

namespace tern::graph {

class Builder {
 public:
  explicit Builder(uint32_t n_layers, uint32_t n_kv_heads, uint32_t head_dim);

  /// Prefix of the names of nodes added from here on: "blk.3".
  void scope(std::string prefix);

  // Leaves.
  ValueId weight(std::string name, Format format, uint32_t rows, uint32_t cols, std::vector<WeightSlice> slices);
  ValueId constant(std::string name, std::vector<float> values);  // [1, n]

  // Ops; see ops.h for what each computes. `name` is appended to the scope.
  ValueId embed(ValueId table, std::string_view name = "embed");
  ValueId gather_rows(ValueId x, std::string_view name = "gather_rows");
  ValueId linear(ValueId x, ValueId w, std::string_view name, ValueId bias = kNone);
  ValueId rms_norm(ValueId x, ValueId w, float eps, std::string_view name);  // group = columns of w
  ValueId pool_norm(ValueId x, ValueId w, float eps, std::string_view name);
  ValueId add(ValueId x, ValueId y, std::string_view name = "add");
  ValueId scale(ValueId x, float factor, std::string_view name = "scale");
  ValueId softcap(ValueId x, float cap, std::string_view name = "softcap");
  ValueId glu(ValueId gate, ValueId up, Activation activation, std::string_view name = "glu");
  ValueId slice(ValueId x, uint32_t begin, uint32_t count, std::string_view name = "slice");
  ValueId rope(ValueId x, ValueId freqs, const RopeAttrs& attrs, std::string_view name = "rope");
  void kv_write(ValueId k, ValueId v, const KvAttrs& attrs, std::string_view name = "kv_write");
  ValueId attention(ValueId q, const AttentionAttrs& attrs, std::string_view name = "attention");
  struct Routes {
    ValueId ids, weights;
  };
  Routes route_topk(ValueId logits, const RouteAttrs& attrs, std::string_view name = "route_topk");
  ValueId linear_experts(ValueId x, ValueId w, ValueId ids, const ExpertsAttrs& attrs, std::string_view name);
  ValueId combine_experts(ValueId y, ValueId weights, std::string_view name = "combine_experts");

  void output(std::string name, ValueId value);
  const TensorDesc& desc(ValueId value) const { return graph_.values[value].desc; }

  /// The finished graph, or the first shape error. The builder is spent.
  Result<Graph> finish();

 private:
  Graph graph_;
  std::string scope_;
  std::optional<Error> error_;

  /// Adds a node with the outputs its shape rule gives; after an error, with `n_outputs` stand-ins.
  std::vector<ValueId> infer(Op op, Attrs attrs, std::vector<ValueId> inputs, size_t n_outputs, std::string_view name);
  std::vector<ValueId> node(Op op, Attrs attrs, std::vector<ValueId> inputs, std::vector<TensorDesc> outputs,
                            std::string_view name);
  ValueId add_weight(Weight weight);
  void shape_error(std::string_view name, Error error);
};

}  // namespace tern::graph
