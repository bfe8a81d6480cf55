// The shape rules: the one place that says which inputs an op takes, what its attributes may be, and what it gives.
// Builder infers with them, validate(Graph) and validate(Plan) compare against them, so that a player may trust both.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"
#include "graph/ops.h"
#include "graph/tensor.h"

namespace tern::graph {

/// What an op sees of an input.
struct Operand {
  TensorDesc desc;
  bool is_weight = false;  // a weight of the graph, not computed by a node
};

/// The KV cache that rope, kv_write and attention work on.
struct CacheShape {
  uint32_t n_layers = 0, n_kv_heads = 0, head_dim = 0;
};

/// Descriptions of the outputs of `op`. Errors: kInvalidFile naming what does not fit, since shapes come from files.
Result<std::vector<TensorDesc>> infer_shapes(Op op, const Attrs& attrs, std::span<const Operand> inputs,
                                             const CacheShape& cache);

/// Attributes of the type that `op` takes, all zero.
Attrs default_attrs(Op op);

/// Format, slices and values of a weight make one matrix. Errors: kInvalidFile naming the weight.
Result<void> check_weight(const Weight& weight);

/// The description of a weight's value: [rows, cols], or [1, rows] when it has one column.
TensorDesc weight_desc(const Weight& weight);

/// "T", "T*2", "R", "1"; "[T, 64]", "i32 [T, 2]".
std::string to_string(const Dim& dim);
std::string to_string(const TensorDesc& desc);

/// " {eps=1e-06}" or "": attributes as dumps show them; those that say nothing (no softcap, factor 1) are left out.
std::string to_string(Op op, const Attrs& attrs);

}  // namespace tern::graph
