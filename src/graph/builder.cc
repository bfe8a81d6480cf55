#include "graph/builder.h"

#include "graph/shapes.h"

namespace tern::graph {
namespace {

/// What a call gives back once a shape was wrong, so that the model's code can go on to finish().
constexpr TensorDesc kAfterError = {DType::kF32, Dim::constant(1), 1};

}  // namespace

Builder::Builder(uint32_t n_layers, uint32_t n_kv_heads, uint32_t head_dim) {
  graph_.n_layers = n_layers;
  graph_.n_kv_heads = n_kv_heads;
  graph_.head_dim = head_dim;
}

void Builder::scope(std::string prefix) {
  scope_ = std::move(prefix);
}

std::vector<ValueId> Builder::node(Op op, Attrs attrs, std::vector<ValueId> inputs, std::vector<TensorDesc> outputs,
                                   std::string_view name) {
  const auto id = static_cast<NodeId>(graph_.nodes.size());
  std::string full_name = scope_.empty() ? std::string(name) : scope_ + "." + std::string(name);
  std::vector<ValueId> values;
  for (const TensorDesc& desc : outputs) {
    const std::string value_name = values.empty() ? full_name : fmt::format("{}#{}", full_name, values.size());
    values.push_back(static_cast<ValueId>(graph_.values.size()));
    graph_.values.push_back({desc, id, value_name});
  }
  graph_.nodes.push_back({op, std::move(attrs), std::move(inputs), values, std::move(full_name)});
  return values;
}

std::vector<ValueId> Builder::infer(Op op, Attrs attrs, std::vector<ValueId> inputs, size_t n_outputs,
                                    std::string_view name) {
  std::vector<TensorDesc> outputs(n_outputs, kAfterError);
  if (!error_) {
    std::vector<Operand> operands;
    for (const ValueId input : inputs) {
      ASSERT(input < graph_.values.size());
      operands.push_back({graph_.values[input].desc, graph_.weight_of(input) != nullptr});
    }
    auto shapes = infer_shapes(op, attrs, operands, {graph_.n_layers, graph_.n_kv_heads, graph_.head_dim});
    if (shapes) {
      ASSERT(shapes->size() == n_outputs);
      outputs = *std::move(shapes);
    } else {
      shape_error(fmt::format("{} ({})", name, op_name(op)), std::move(shapes).error());
    }
  }
  return node(op, std::move(attrs), std::move(inputs), std::move(outputs), name);
}

void Builder::shape_error(std::string_view name, Error error) {
  if (error_) return;  // the first one is the cause
  error.context.push_back(fmt::format("in {}{}{}", scope_, scope_.empty() ? "" : ".", name));
  error_ = std::move(error);
}

ValueId Builder::add_weight(Weight weight) {
  TensorDesc desc = kAfterError;
  if (const Result<void> checked = check_weight(weight)) {
    desc = weight_desc(weight);
  } else if (!error_) {
    error_ = checked.error();
  }
  const WeightAttrs attrs{static_cast<uint32_t>(graph_.weights.size())};
  const std::string name = weight.name;
  graph_.weights.push_back(std::move(weight));
  const ValueId value = node(Op::kWeight, attrs, {}, {desc}, "")[0];
  graph_.nodes.back().name = name;  // weights have the file's names, whatever the scope
  return value;
}

ValueId Builder::weight(std::string name, Format format, uint32_t rows, uint32_t cols,
                        std::vector<WeightSlice> slices) {
  if (slices.empty() && !error_) {
    error_ = Error{ErrorCode::kInvalidFile, fmt::format("Weight {} has no slices.", name), {}};
  }
  return add_weight({std::move(name), format, rows, cols, std::move(slices), {}});
}

ValueId Builder::constant(std::string name, std::vector<float> values) {
  const auto cols = static_cast<uint32_t>(values.size());
  return add_weight({std::move(name), Format::kF32, 1, cols, {}, std::move(values)});
}

ValueId Builder::embed(ValueId table, std::string_view name) {
  return infer(Op::kEmbed, ScaleAttrs{1.0f}, {table}, 1, name)[0];
}

ValueId Builder::gather_rows(ValueId x, std::string_view name) {
  return infer(Op::kGatherRows, NoAttrs{}, {x}, 1, name)[0];
}

ValueId Builder::linear(ValueId x, ValueId w, std::string_view name, ValueId bias) {
  if (bias == kNone) return infer(Op::kLinear, LinearAttrs{}, {x, w}, 1, name)[0];
  return infer(Op::kLinear, LinearAttrs{.has_bias = 1}, {x, w, bias}, 1, name)[0];
}

ValueId Builder::rms_norm(ValueId x, ValueId w, float eps, std::string_view name) {
  return infer(Op::kRmsNorm, NormAttrs{eps, desc(w).cols}, {x, w}, 1, name)[0];
}

ValueId Builder::pool_norm(ValueId x, ValueId w, float eps, std::string_view name) {
  return infer(Op::kPoolNorm, NormAttrs{eps, desc(w).cols}, {x, w}, 1, name)[0];
}

ValueId Builder::add(ValueId x, ValueId y, std::string_view name) {
  return infer(Op::kAdd, NoAttrs{}, {x, y}, 1, name)[0];
}

ValueId Builder::scale(ValueId x, float factor, std::string_view name) {
  return infer(Op::kScale, ScaleAttrs{factor}, {x}, 1, name)[0];
}

ValueId Builder::softcap(ValueId x, float cap, std::string_view name) {
  return infer(Op::kSoftcap, SoftcapAttrs{cap}, {x}, 1, name)[0];
}

ValueId Builder::glu(ValueId gate, ValueId up, Activation activation, std::string_view name) {
  return infer(Op::kGlu, GluAttrs{activation}, {gate, up}, 1, name)[0];
}

ValueId Builder::slice(ValueId x, uint32_t begin, uint32_t count, std::string_view name) {
  return infer(Op::kSlice, SliceAttrs{begin, count}, {x}, 1, name)[0];
}

ValueId Builder::rope(ValueId x, ValueId freqs, const RopeAttrs& attrs, std::string_view name) {
  return infer(Op::kRope, attrs, {x, freqs}, 1, name)[0];
}

void Builder::kv_write(ValueId k, ValueId v, const KvAttrs& attrs, std::string_view name) {
  infer(Op::kKvWrite, attrs, {k, v}, 0, name);
}

ValueId Builder::attention(ValueId q, const AttentionAttrs& attrs, std::string_view name) {
  return infer(Op::kAttention, attrs, {q}, 1, name)[0];
}

Builder::Routes Builder::route_topk(ValueId logits, const RouteAttrs& attrs, std::string_view name) {
  const std::vector<ValueId> outputs = infer(Op::kRouteTopk, attrs, {logits}, 2, name);
  return {outputs[0], outputs[1]};
}

ValueId Builder::linear_experts(ValueId x, ValueId w, ValueId ids, const ExpertsAttrs& attrs, std::string_view name) {
  return infer(Op::kLinearExperts, attrs, {x, w, ids}, 1, name)[0];
}

ValueId Builder::combine_experts(ValueId y, ValueId weights, std::string_view name) {
  return infer(Op::kCombineExperts, NoAttrs{}, {y, weights}, 1, name)[0];
}

void Builder::output(std::string name, ValueId value) {
  graph_.outputs.push_back({std::move(name), value});
}

Result<Graph> Builder::finish() {
  if (error_) return std::unexpected(*std::move(error_));
  TRY(validate(graph_));
  return std::move(graph_);
}

}  // namespace tern::graph
