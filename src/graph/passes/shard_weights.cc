// A GPU binds no more than target.max_weight_bytes at once. Larger weights are cut by rows (counted in the file's
// format):
//   linear, linear_add, linear_glu -> one of it per shard, whose outputs are columns of a concat;
//   embed                          -> one op with all the shards of its table;
//   linear_experts                 -> one op with shards of whole experts.
#include <algorithm>
#include <map>

#include "graph/passes/rewrite.h"

namespace tern::graph {
namespace {

Result<uint64_t> weight_bytes(const Weight& weight) {
  return TRY(formats::row_bytes(weight.format, weight.cols)) * weight.rows;
}

class Sharding {
 public:
  Sharding(Graph& graph, uint64_t max_bytes) : rewriter_(graph), graph_(graph), max_bytes_(max_bytes) {}

  Result<void> run() {
    for (NodeId n = 0; n < graph_.nodes.size(); ++n) {
      const Node node = graph_.nodes[n];
      for (const ValueId input : node.inputs) {
        const Weight* weight = graph_.weight_of(input);
        if (!weight || TRY(weight_bytes(*weight)) <= max_bytes_) continue;
        TRY_CTX(shard(n, node), "while sharding {} for {} ({})", weight->name, node.name, op_name(node.op));
        break;
      }
    }
    rewriter_.apply();
    return {};
  }

 private:
  Rewriter rewriter_;
  Graph& graph_;
  uint64_t max_bytes_;
  std::map<ValueId, std::vector<ValueId>> shards_;  // of weights cut by plain rows: a tied table is cut once

  Result<void> shard(NodeId n, const Node& node) {
    switch (node.op) {
      case Op::kEmbed:
        return shard_inputs(n, 0, 1);
      case Op::kLinearExperts: {
        const uint32_t n_experts = std::get<ExpertsAttrs>(node.attrs).n_experts;
        return shard_inputs(n, 1, graph_.weight_of(node.inputs[1])->rows / n_experts);
      }
      case Op::kLinear:
      case Op::kLinearAdd:
        return shard_linear(n, node);
      case Op::kLinearGlu:
        return shard_glu(n, node);
      default:
        return fail(ErrorCode::kUnsupported, "The weight is larger than the {} bytes that the device binds at once.",
                    max_bytes_);
    }
  }

  /// How many units of `unit` rows go into a shard: as many as fit, in 64s where possible, which kernels like.
  Result<uint32_t> units_per_shard(const Weight& weight, uint32_t unit) const {
    const uint64_t unit_bytes = TRY(formats::row_bytes(weight.format, weight.cols)) * unit;
    const uint64_t fit = max_bytes_ / unit_bytes;
    if (fit == 0) {
      return fail(ErrorCode::kUnsupported, "{} rows take {} bytes, but the device binds {} at once.", unit, unit_bytes,
                  max_bytes_);
    }
    const uint64_t units = std::min<uint64_t>(fit, weight.rows / unit);
    return static_cast<uint32_t>(units < 64 ? units : units / 64 * 64);
  }

  static Weight named_rows(const Weight& weight, uint32_t row0, uint32_t rows) {
    Weight part = take_rows(weight, row0, rows);
    part.name = fmt::format("{}[{}:{}]", weight.name, row0, row0 + rows);
    return part;
  }

  /// The shards of a weight, whole units of `unit` rows each.
  Result<std::vector<ValueId>> cut(ValueId value, uint32_t unit) {
    if (const auto found = shards_.find(value); found != shards_.end()) return found->second;
    const Weight weight = *graph_.weight_of(value);
    const uint32_t step = TRY(units_per_shard(weight, unit)) * unit;
    std::vector<ValueId> shards;
    for (uint32_t row0 = 0; row0 < weight.rows; row0 += std::min(step, weight.rows - row0)) {
      shards.push_back(rewriter_.add_weight(named_rows(weight, row0, std::min(step, weight.rows - row0))));
    }
    shards_.emplace(value, shards);
    return shards;
  }

  /// Puts the shards of input `i` in its place.
  Result<void> shard_inputs(NodeId n, size_t i, uint32_t unit) {
    std::vector<ValueId>& inputs = graph_.nodes[n].inputs;
    const std::vector<ValueId> shards = TRY(cut(inputs[i], unit));
    const auto at = inputs.erase(inputs.begin() + static_cast<ptrdiff_t>(i));
    inputs.insert(at, shards.begin(), shards.end());
    return {};
  }

  /// Columns [begin, begin + count) of a vector or an activation.
  ValueId columns(NodeId n, ValueId value, uint32_t begin, uint32_t count) {
    if (const Weight* weight = graph_.weight_of(value)) {
      if (const std::optional<Weight> column = as_column(*weight)) {
        return rewriter_.add_weight(named_rows(*column, begin, count));
      }
    }
    const TensorDesc desc = graph_.values[value].desc;
    const ValueId part = rewriter_.add_value({desc.dtype, desc.rows, count});
    rewriter_.insert_before(n, {Op::kSlice, SliceAttrs{begin, count}, {value}, {part}, graph_.nodes[n].name});
    return part;
  }

  Result<void> shard_linear(NodeId n, const Node& node) {
    const std::vector<ValueId> shards = TRY(cut(node.inputs[1], 1));
    std::vector<ValueId> parts;
    uint32_t begin = 0;
    for (const ValueId shard : shards) {
      const uint32_t count = graph_.values[shard].desc.rows.multiple;
      std::vector<ValueId> inputs = {node.inputs[0], shard};
      for (size_t i = 2; i < node.inputs.size(); ++i) inputs.push_back(columns(n, node.inputs[i], begin, count));
      parts.push_back(add_part(n, node, std::move(inputs), begin, count));
      begin += count;
    }
    finish(n, node, std::move(parts));
    return {};
  }

  /// Shards hold the gate rows of some columns, then their up rows.
  Result<void> shard_glu(NodeId n, const Node& node) {
    const Weight weight = *graph_.weight_of(node.inputs[1]);
    const uint32_t half = weight.rows / 2, step = TRY(units_per_shard(weight, 2));
    std::vector<ValueId> parts;
    for (uint32_t begin = 0; begin < half; begin += std::min(step, half - begin)) {
      const uint32_t count = std::min(step, half - begin);
      Weight part = named_rows(weight, begin, count);
      append_rows(part, take_rows(weight, half + begin, count));
      const ValueId value = rewriter_.add_weight(std::move(part));
      parts.push_back(add_part(n, node, {node.inputs[0], value}, begin, count));
    }
    finish(n, node, std::move(parts));
    return {};
  }

  ValueId add_part(NodeId n, const Node& node, std::vector<ValueId> inputs, uint32_t begin, uint32_t count) {
    const ValueId part = rewriter_.add_value({DType::kF32, graph_.values[node.outputs[0]].desc.rows, count});
    std::string name = fmt::format("{}[{}:{}]", node.name, begin, begin + count);
    rewriter_.insert_before(n, {node.op, node.attrs, std::move(inputs), {part}, std::move(name)});
    return part;
  }

  void finish(NodeId n, const Node& node, std::vector<ValueId> parts) {
    rewriter_.insert_before(n, {Op::kConcat, NoAttrs{}, std::move(parts), node.outputs, node.name});
    rewriter_.remove(n);
  }
};

}  // namespace

Result<void> shard_weights(Graph& graph, const Target& target) {
  return Sharding(graph, target.max_weight_bytes).run();
}

}  // namespace tern::graph
