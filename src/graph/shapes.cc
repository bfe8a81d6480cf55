#include "graph/shapes.h"

#include <cmath>

namespace tern::graph {
namespace {

using Shapes = Result<std::vector<TensorDesc>>;

/// What the rule of an op looks at.
struct Call {
  std::span<const Operand> inputs;
  const CacheShape& cache;

  const TensorDesc& desc(size_t i) const { return inputs[i].desc; }
};

TensorDesc matrix_of(Dim rows, uint32_t cols) {
  return {DType::kF32, rows, cols};
}

/// `dim` times `factor`, as a Dim. Errors: kInvalidFile above 32 bits.
Result<Dim> times(Dim dim, uint32_t factor) {
  uint32_t multiple = 0;
  if (__builtin_mul_overflow(dim.multiple, factor, &multiple)) {
    return fail(ErrorCode::kInvalidFile, "{} times {} rows are too many.", to_string(dim), factor);
  }
  return Dim{dim.symbol, multiple};
}

Result<void> check_count(const Call& call, size_t least, size_t most) {
  if (call.inputs.size() < least || call.inputs.size() > most) {
    return fail(ErrorCode::kInvalidFile, "It has {} inputs, expected {} to {}.", call.inputs.size(), least, most);
  }
  return {};
}

/// Input `i` is a matrix of floats that a node computes.
Result<void> check_activation(const Call& call, size_t i) {
  if (call.inputs[i].is_weight)
    return fail(ErrorCode::kInvalidFile, "Input {} is a weight, expected a computed value.", i);
  if (call.desc(i).dtype != DType::kF32) return fail(ErrorCode::kInvalidFile, "Input {} is not f32.", i);
  return {};
}

/// Input `i` is an activation with the rows and, unless 0, the columns given.
Result<void> check_shape(const Call& call, size_t i, Dim rows, uint32_t cols) {
  TRY(check_activation(call, i));
  const TensorDesc& desc = call.desc(i);
  if (desc.rows != rows || (cols != 0 && desc.cols != cols)) {
    return fail(ErrorCode::kInvalidFile, "Input {} is {}, expected {}.", i, to_string(desc),
                to_string(matrix_of(rows, cols == 0 ? desc.cols : cols)));
  }
  return {};
}

/// Input `i` is one row of `cols` floats: a weight, or computed from weights.
Result<void> check_vector(const Call& call, size_t i, uint32_t cols) {
  const TensorDesc expected = matrix_of(Dim::constant(1), cols);
  if (call.desc(i) == expected) return {};
  return fail(ErrorCode::kInvalidFile, "Input {} is {}, expected {}.", i, to_string(call.desc(i)), to_string(expected));
}

/// Input `i` is a weight matrix of `cols` columns; gives its rows.
Result<uint32_t> check_matrix(const Call& call, size_t i, uint32_t cols) {
  const TensorDesc& desc = call.desc(i);
  if (!call.inputs[i].is_weight || desc.rows.symbol != Symbol::kOne) {
    return fail(ErrorCode::kInvalidFile, "Input {} is computed, expected a weight.", i);
  }
  if (desc.cols != cols) {
    return fail(ErrorCode::kInvalidFile, "Weight {} has {} columns, but {} are multiplied with them.", to_string(desc),
                desc.cols, cols);
  }
  return desc.rows.multiple;
}

Result<void> check_finite(float value, std::string_view name) {
  if (!std::isfinite(value)) return fail(ErrorCode::kInvalidFile, "{} is {}, expected a finite number.", name, value);
  return {};
}

Result<void> check_activation_attr(Activation activation) {
  if (activation == Activation::kSilu || activation == Activation::kGeluTanh) return {};
  return fail(ErrorCode::kInvalidFile, "The activation {} is unknown.", static_cast<uint32_t>(activation));
}

/// Weights [first, last) stacked by rows: their rows together. All have `cols` columns.
Result<uint32_t> stacked_rows(const Call& call, size_t first, size_t last, uint32_t cols) {
  uint32_t total = 0;
  for (size_t i = first; i < last; ++i) {
    const uint32_t rows = TRY(check_matrix(call, i, cols));
    if (__builtin_add_overflow(total, rows, &total)) {
      return fail(ErrorCode::kInvalidFile, "The weights have more than 2^32 rows.");
    }
  }
  return total;
}

Shapes embed(const Call& call, const ScaleAttrs& attrs) {
  TRY(check_count(call, 1, SIZE_MAX));
  TRY(check_finite(attrs.factor, "The factor"));
  const uint32_t cols = call.desc(0).cols;
  TRY(stacked_rows(call, 0, call.inputs.size(), cols));
  return {{matrix_of(Dim::tokens(), cols)}};
}

Shapes gather_rows(const Call& call) {
  TRY(check_count(call, 1, 1));
  TRY(check_shape(call, 0, Dim::tokens(), 0));
  return {{matrix_of(Dim::rows(), call.desc(0).cols)}};
}

/// linear, linear_add and linear_glu: x, W, bias when attrs say so, then the residual.
Shapes linear(const Call& call, Op op, const LinearAttrs& attrs) {
  if (attrs.has_bias > 1 || (attrs.has_bias == 1 && op == Op::kLinearGlu)) {
    return fail(ErrorCode::kInvalidFile, "has_bias is {}, expected {}.", attrs.has_bias,
                op == Op::kLinearGlu ? "0" : "0 or 1");
  }
  const size_t n_inputs = 2 + attrs.has_bias + (op == Op::kLinearAdd ? 1 : 0);
  TRY(check_count(call, n_inputs, n_inputs));
  TRY(check_activation_attr(attrs.activation));
  TRY(check_activation(call, 0));
  const Dim rows = call.desc(0).rows;
  const uint32_t cols = TRY(check_matrix(call, 1, call.desc(0).cols));
  if (attrs.has_bias) TRY(check_vector(call, 2, cols));
  if (op == Op::kLinearAdd) TRY(check_shape(call, n_inputs - 1, rows, cols));
  if (op == Op::kLinearGlu && cols % 2 != 0) {
    return fail(ErrorCode::kInvalidFile, "The weight has {} rows, expected gate and up rows in equal number.", cols);
  }
  return {{matrix_of(rows, op == Op::kLinearGlu ? cols / 2 : cols)}};
}

Result<void> check_norm(const NormAttrs& attrs, uint32_t cols) {
  if (attrs.group == 0 || cols % attrs.group != 0) {
    return fail(ErrorCode::kInvalidFile, "Groups of {} do not divide {} columns.", attrs.group, cols);
  }
  if (!std::isfinite(attrs.eps) || attrs.eps < 0) {
    return fail(ErrorCode::kInvalidFile, "The epsilon is {}, expected a small positive number.", attrs.eps);
  }
  return {};
}

Shapes rms_norm(const Call& call, const NormAttrs& attrs) {
  TRY(check_count(call, 2, 2));
  TRY(check_activation(call, 0));
  TRY(check_norm(attrs, call.desc(0).cols));
  TRY(check_vector(call, 1, attrs.group));
  return {{call.desc(0)}};
}

Shapes pool_norm(const Call& call, const NormAttrs& attrs) {
  TRY(check_count(call, 2, 2));
  TRY(check_shape(call, 0, Dim::tokens(), attrs.group));
  TRY(check_norm(attrs, call.desc(0).cols));
  TRY(check_vector(call, 1, attrs.group));
  return {{matrix_of(Dim::pools(), call.desc(0).cols)}};
}

/// An input of arithmetic: an activation, or a weight of one row.
Result<void> check_term(const Call& call, size_t i) {
  if (call.inputs[i].is_weight) return check_vector(call, i, call.desc(i).cols);
  return check_activation(call, i);
}

Shapes add(const Call& call) {
  TRY(check_count(call, 2, 2));
  TRY(check_term(call, 0));
  TRY(check_term(call, 1));
  if (call.desc(1) != call.desc(0)) TRY(check_vector(call, 1, call.desc(0).cols));
  return {{call.desc(0)}};
}

Shapes scale(const Call& call, const ScaleAttrs& attrs) {
  TRY(check_count(call, 1, 1));
  TRY(check_term(call, 0));
  TRY(check_finite(attrs.factor, "The factor"));
  return {{call.desc(0)}};
}

Shapes softcap(const Call& call, const SoftcapAttrs& attrs) {
  TRY(check_count(call, 1, 1));
  TRY(check_activation(call, 0));
  if (!std::isfinite(attrs.cap) || attrs.cap <= 0) {
    return fail(ErrorCode::kInvalidFile, "The softcap is {}, expected a positive number.", attrs.cap);
  }
  return {{call.desc(0)}};
}

Shapes glu(const Call& call, const GluAttrs& attrs) {
  TRY(check_count(call, 2, 2));
  TRY(check_activation_attr(attrs.activation));
  TRY(check_activation(call, 0));
  TRY(check_shape(call, 1, call.desc(0).rows, call.desc(0).cols));
  return {{call.desc(0)}};
}

Shapes slice(const Call& call, const SliceAttrs& attrs) {
  TRY(check_count(call, 1, 1));
  TRY(check_activation(call, 0));  // weights are cut by their WeightSlices
  const TensorDesc& x = call.desc(0);
  if (attrs.count == 0 || attrs.begin > x.cols || attrs.count > x.cols - attrs.begin) {
    return fail(ErrorCode::kInvalidFile, "Columns [{}, +{}) do not lie in {}.", attrs.begin, attrs.count, to_string(x));
  }
  return {{matrix_of(x.rows, attrs.count)}};
}

Shapes concat(const Call& call) {
  TRY(check_count(call, 1, SIZE_MAX));
  uint32_t cols = 0;
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    TRY(check_shape(call, i, call.desc(0).rows, 0));
    if (__builtin_add_overflow(cols, call.desc(i).cols, &cols)) {
      return fail(ErrorCode::kInvalidFile, "The columns together are more than 2^32.");
    }
  }
  return {{matrix_of(call.desc(0).rows, cols)}};
}

Result<void> check_rope(const RopeAttrs& attrs, const CacheShape& cache) {
  if (attrs.head_dim == 0 || attrs.head_dim != cache.head_dim) {
    return fail(ErrorCode::kInvalidFile, "rope turns heads of {}, but the model's heads have {} columns.",
                attrs.head_dim, cache.head_dim);
  }
  if (attrs.rot_dim == 0 || attrs.rot_dim % 2 != 0 || attrs.rot_dim > attrs.head_dim) {
    return fail(ErrorCode::kInvalidFile, "rope turns {} columns, expected an even number up to {}.", attrs.rot_dim,
                attrs.head_dim);
  }
  if (attrs.interleaved > 1)
    return fail(ErrorCode::kInvalidFile, "interleaved is {}, expected 0 or 1.", attrs.interleaved);
  return check_finite(attrs.magnitude, "The magnitude");
}

/// Input `i` is [T, some heads].
Result<void> check_heads(const Call& call, size_t i) {
  TRY(check_shape(call, i, Dim::tokens(), 0));
  if (call.desc(i).cols % call.cache.head_dim != 0) {
    return fail(ErrorCode::kInvalidFile, "Input {} is {}, expected heads of {} columns.", i, to_string(call.desc(i)),
                call.cache.head_dim);
  }
  return {};
}

Shapes rope(const Call& call, const RopeAttrs& attrs) {
  TRY(check_count(call, 2, 2));
  TRY(check_rope(attrs, call.cache));
  TRY(check_heads(call, 0));
  TRY(check_vector(call, 1, attrs.rot_dim / 2));
  return {{call.desc(0)}};
}

Result<void> check_cache(const CacheShape& cache, uint32_t layer, uint32_t n_kv_heads, uint32_t head_dim) {
  if (layer >= cache.n_layers) {
    return fail(ErrorCode::kInvalidFile, "It uses the cache of layer {}, but there are {}.", layer, cache.n_layers);
  }
  if (n_kv_heads == 0 || head_dim == 0 || n_kv_heads != cache.n_kv_heads || head_dim != cache.head_dim) {
    return fail(ErrorCode::kInvalidFile, "It uses a cache of {} heads of {}, but the model's has {} of {}.", n_kv_heads,
                head_dim, cache.n_kv_heads, cache.head_dim);
  }
  return {};
}

/// Keys and values, inputs `i` and i + 1, are [T, kv_heads * head_dim].
Result<void> check_keys_values(const Call& call, size_t i, const KvAttrs& attrs) {
  TRY(check_cache(call.cache, attrs.layer, attrs.n_kv_heads, attrs.head_dim));
  const Dim cols = TRY(times(Dim::constant(attrs.n_kv_heads), attrs.head_dim));
  TRY(check_shape(call, i, Dim::tokens(), cols.multiple));
  return check_shape(call, i + 1, Dim::tokens(), cols.multiple);
}

Shapes kv_write(const Call& call, const KvAttrs& attrs) {
  TRY(check_count(call, 2, 2));
  TRY(check_keys_values(call, 0, attrs));
  return std::vector<TensorDesc>{};
}

Shapes rope_kv_write(const Call& call, const RopeKvAttrs& attrs) {
  TRY(check_count(call, 4, 4));
  TRY(check_rope(attrs.rope, call.cache));
  TRY(check_heads(call, 0));
  TRY(check_keys_values(call, 1, attrs.kv));
  TRY(check_vector(call, 3, attrs.rope.rot_dim / 2));
  return {{call.desc(0)}};
}

Shapes attention(const Call& call, const AttentionAttrs& attrs) {
  TRY(check_count(call, 1, 1));
  TRY(check_cache(call.cache, attrs.layer, attrs.n_kv_heads, attrs.head_dim));
  if (attrs.n_heads == 0 || attrs.n_heads % attrs.n_kv_heads != 0) {
    return fail(ErrorCode::kInvalidFile, "{} KV heads do not divide {} heads.", attrs.n_kv_heads, attrs.n_heads);
  }
  const Dim cols = TRY(times(Dim::constant(attrs.n_heads), attrs.head_dim));
  TRY(check_shape(call, 0, Dim::tokens(), cols.multiple));
  TRY(check_finite(attrs.scale, "The scale"));
  if (!std::isfinite(attrs.softcap) || attrs.softcap < 0) {
    return fail(ErrorCode::kInvalidFile, "The softcap is {}, expected 0 or a positive number.", attrs.softcap);
  }
  return {{call.desc(0)}};
}

Shapes route_topk(const Call& call, const RouteAttrs& attrs) {
  TRY(check_count(call, 1, 1));
  TRY(check_activation(call, 0));
  const TensorDesc& logits = call.desc(0);
  if (attrs.k == 0 || attrs.k > logits.cols) {
    return fail(ErrorCode::kInvalidFile, "{} experts of {} are used for a token.", attrs.k, logits.cols);
  }
  if (attrs.normalise > 1) return fail(ErrorCode::kInvalidFile, "normalise is {}, expected 0 or 1.", attrs.normalise);
  return {{TensorDesc{DType::kI32, logits.rows, attrs.k}, matrix_of(logits.rows, attrs.k)}};
}

Shapes linear_experts(const Call& call, const ExpertsAttrs& attrs) {
  TRY(check_count(call, 3, SIZE_MAX));
  TRY(check_activation(call, 0));
  const size_t last = call.inputs.size() - 1;
  const TensorDesc& ids = call.desc(last);
  if (attrs.n_experts == 0 || attrs.k == 0 || attrs.k > attrs.n_experts) {
    return fail(ErrorCode::kInvalidFile, "{} experts of {} are used for a token.", attrs.k, attrs.n_experts);
  }
  if (call.inputs[last].is_weight || ids.dtype != DType::kI32 || ids.cols != attrs.k) {
    return fail(ErrorCode::kInvalidFile, "The ids are {}, expected i32 with {} columns.", to_string(ids), attrs.k);
  }
  const Dim rows = TRY(times(ids.rows, attrs.k));
  if (call.desc(0).rows != ids.rows) TRY(check_shape(call, 0, rows, 0));
  const uint32_t total = TRY(stacked_rows(call, 1, last, call.desc(0).cols));
  const uint32_t cols = total / attrs.n_experts;
  for (size_t i = 1; i < last; ++i) {
    if (cols == 0 || total % attrs.n_experts != 0 || call.desc(i).rows.multiple % cols != 0) {
      return fail(ErrorCode::kInvalidFile, "Weight {} does not hold whole experts of {} rows in {} rows.",
                  to_string(call.desc(i)), cols, total);
    }
  }
  return {{matrix_of(rows, cols)}};
}

Shapes combine_experts(const Call& call) {
  TRY(check_count(call, 2, 2));
  TRY(check_activation(call, 1));
  const TensorDesc& weights = call.desc(1);
  const Dim rows = TRY(times(weights.rows, weights.cols));
  TRY(check_shape(call, 0, rows, 0));
  return {{matrix_of(weights.rows, call.desc(0).cols)}};
}

Shapes add_rms_norm(const Call& call, const NormAttrs& attrs) {
  TRY(check_count(call, 3, 3));
  TRY(check_activation(call, 0));
  TRY(check_shape(call, 1, call.desc(0).rows, call.desc(0).cols));
  TRY(check_norm(attrs, call.desc(0).cols));
  TRY(check_vector(call, 2, attrs.group));
  return {{call.desc(0), call.desc(0)}};
}

}  // namespace

Shapes infer_shapes(Op op, const Attrs& attrs, std::span<const Operand> inputs, const CacheShape& cache) {
  if (static_cast<uint32_t>(op) >= kOpCount || op == Op::kWeight || attrs.index() != default_attrs(op).index()) {
    return fail(ErrorCode::kInvalidFile, "Op {} with attributes of kind {} is unknown.", static_cast<uint32_t>(op),
                attrs.index());
  }
  for (const Operand& input : inputs) {
    if (input.desc.cols == 0 || input.desc.rows.multiple == 0) {
      return fail(ErrorCode::kInvalidFile, "An input is {}, which is empty.", to_string(input.desc));
    }
  }
  const Call call{inputs, cache};
  switch (op) {
    case Op::kWeight:
      break;
    case Op::kEmbed:
      return embed(call, std::get<ScaleAttrs>(attrs));
    case Op::kGatherRows:
      return gather_rows(call);
    case Op::kLinear:
    case Op::kLinearAdd:
    case Op::kLinearGlu:
      return linear(call, op, std::get<LinearAttrs>(attrs));
    case Op::kRmsNorm:
      return rms_norm(call, std::get<NormAttrs>(attrs));
    case Op::kPoolNorm:
      return pool_norm(call, std::get<NormAttrs>(attrs));
    case Op::kAdd:
      return add(call);
    case Op::kScale:
      return scale(call, std::get<ScaleAttrs>(attrs));
    case Op::kSoftcap:
      return softcap(call, std::get<SoftcapAttrs>(attrs));
    case Op::kGlu:
      return glu(call, std::get<GluAttrs>(attrs));
    case Op::kSlice:
      return slice(call, std::get<SliceAttrs>(attrs));
    case Op::kConcat:
      return concat(call);
    case Op::kRope:
      return rope(call, std::get<RopeAttrs>(attrs));
    case Op::kKvWrite:
      return kv_write(call, std::get<KvAttrs>(attrs));
    case Op::kAttention:
      return attention(call, std::get<AttentionAttrs>(attrs));
    case Op::kRouteTopk:
      return route_topk(call, std::get<RouteAttrs>(attrs));
    case Op::kLinearExperts:
      return linear_experts(call, std::get<ExpertsAttrs>(attrs));
    case Op::kCombineExperts:
      return combine_experts(call);
    case Op::kAddRmsNorm:
      return add_rms_norm(call, std::get<NormAttrs>(attrs));
    case Op::kRopeKvWrite:
      return rope_kv_write(call, std::get<RopeKvAttrs>(attrs));
  }
  return fail(ErrorCode::kInvalidFile, "Op {} is unknown.", static_cast<uint32_t>(op));
}

}  // namespace tern::graph
