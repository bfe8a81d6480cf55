// What the passes share: a way to change a graph while its ids stay valid, and weights put together and cut by rows.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"
#include "graph/passes/passes.h"

namespace tern::graph {

/// Collects changes of a graph and makes them in apply(). A new node takes over the value ids of what it replaces, so
/// readers need no change; until apply(), producers and node ids are those of the graph as it was.
class Rewriter {
 public:
  explicit Rewriter(Graph& graph);

  Graph& graph;
  std::vector<uint32_t> uses;                // Graph::use_counts() as it was
  std::vector<std::vector<NodeId>> readers;  // nodes that read a value, as it was

  /// The node that computes `value` when it is an `op`, else nullptr.
  const Node* producer(ValueId value, Op op) const;
  /// A node that insert_before() or remove() has not touched yet.
  bool is_untouched(NodeId node) const { return !removed_[node]; }

  ValueId add_value(const TensorDesc& desc);
  ValueId add_weight(Weight weight);
  void insert_before(NodeId at, Node node);
  void remove(NodeId node) { removed_[node] = true; }

  /// Makes the changes and sweeps. The rewriter is spent.
  void apply();

 private:
  std::vector<bool> removed_;
  std::vector<std::vector<Node>> inserted_;  // before each old node; the last list is the end
};

/// Rows [row0, row0 + rows) of a weight, as a weight of the same name.
Weight take_rows(const Weight& weight, uint32_t row0, uint32_t rows);

/// The rows of `from` follow those of `to`, which may be empty. Both have slices, or both have values; neighbouring
/// slices of a tensor become one.
void append_rows(Weight& to, const Weight& from);

/// Both are matrices of one format with the same columns, and both from files or both constants.
bool same_layout(const Weight& a, const Weight& b);

/// A vector [1, n] in the form [n, 1], whose elements append_rows and take_rows can handle. Errors: nullopt when its
/// format has blocks.
std::optional<Weight> as_column(const Weight& vector);

/// "blk.0.attn_q" and "blk.0.attn_k" -> "blk.0.attn_q+attn_k".
std::string joined_name(const std::string& a, const std::string& b);

/// Replaces kLinear nodes by one with their weights one below the other, and slices that give the old values.
/// Nothing happens unless can_merge() holds for all pairs.
void merge_linears(Rewriter& rewriter, const std::vector<NodeId>& linears);
/// Both read the same x, and their weights and biases can become one; no other node reads the weights.
bool can_merge(const Rewriter& rewriter, NodeId a, NodeId b);

}  // namespace tern::graph
