// Graph: the model as static single assignment, in arrays indexed by u32. Models write it through Builder, passes
// rewrite it, planners lower it to a Plan, and ref/ can run it as it stands.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "formats/format.h"
#include "graph/ops.h"
#include "graph/tensor.h"

namespace tern::graph {

using ValueId = uint32_t;
using NodeId = uint32_t;
inline constexpr uint32_t kNone = UINT32_MAX;

/// Rows [row0, row0 + rows) of tensor `tensor` of the model's WeightIndex. Experts are rows as well: a stacked tensor
/// [E, n, k] is a matrix of E * n rows.
struct WeightSlice {
  uint32_t tensor;
  uint32_t row0;
  uint32_t rows;
  bool operator==(const WeightSlice&) const = default;
};

/// A matrix [rows, cols] put together from slices of file tensors, all of one format; merging Q, K and V or sharding a
/// vocabulary is only another list of slices. A constant (norm weights that were folded, rope frequencies) has its
/// values here instead.
/// A weight of one column is a vector whose value has the shape [1, rows]: that way biases, too, can be put together
/// and cut by slices (an element is a row; formats without blocks only).
struct Weight {
  std::string name;
  Format format = Format::kF32;
  uint32_t rows = 0;
  uint32_t cols = 0;
  std::vector<WeightSlice> slices;
  std::vector<float> constant;  // [rows * cols] when slices is empty
  bool operator==(const Weight&) const = default;
};

struct Value {
  TensorDesc desc;
  NodeId producer = kNone;
  std::string name{};  // of the node as the model's author wrote it; passes keep it, and add values without a name
};

struct Node {
  Op op;
  Attrs attrs;
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  std::string name;  // "blk.3.ffn_up", for dumps and --compare-with-ref
};

struct Output {
  std::string name;  // "logits"
  ValueId value;
};

struct Graph {
  std::vector<Weight> weights;
  std::vector<Value> values;
  std::vector<Node> nodes;  // in an order in which they can run
  std::vector<Output> outputs;
  uint32_t n_layers = 0;  // layers of KV cache
  uint32_t n_kv_heads = 0;
  uint32_t head_dim = 0;

  /// Attributes of a node; asking for the wrong type is our own bug.
  template <class T>
  const T& attrs(NodeId node) const {
    const T* found = std::get_if<T>(&nodes[node].attrs);
    ASSERT(found);
    return *found;
  }
  /// The weight behind a value, or nullptr when the value is computed.
  const Weight* weight_of(ValueId value) const;
  /// Number of nodes and graph outputs that read each value; index: ValueId.
  std::vector<uint32_t> use_counts() const;
  /// Drops nodes whose outputs nobody reads (kv_write and outputs count as read), puts the weights before all other
  /// nodes, and compacts ids.
  void sweep();
};

/// One line per node but weights, computed values numbered in order; the text of goldens:
/// "%12 = rms_norm(%11, blk.0.attn_norm.weight [1, 64] f32) {eps=1e-06} : [T, 64]  # blk.0.attn_norm"
std::string dump(const Graph& graph);

/// Every id in range, every input defined before its use, shapes as the ops demand, a layer's cache written once and
/// before it is read. Run after each pass.
Result<void> validate(const Graph& graph);

}  // namespace tern::graph
