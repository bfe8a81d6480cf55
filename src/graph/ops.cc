// Names and attribute types of the ops, and how dumps write them.
#include "graph/ops.h"

#include <array>

#include "graph/shapes.h"

namespace tern::graph {
namespace {

struct OpFacts {
  std::string_view name;
  Attrs attrs;  // of the type that the op takes
};

constexpr std::array<OpFacts, kOpCount> kOps = {{
    {"weight", WeightAttrs{}},
    {"embed", ScaleAttrs{}},
    {"gather_rows", NoAttrs{}},
    {"linear", LinearAttrs{}},
    {"rms_norm", NormAttrs{}},
    {"pool_norm", NormAttrs{}},
    {"add", NoAttrs{}},
    {"scale", ScaleAttrs{}},
    {"softcap", SoftcapAttrs{}},
    {"glu", GluAttrs{}},
    {"slice", SliceAttrs{}},
    {"concat", NoAttrs{}},
    {"rope", RopeAttrs{}},
    {"kv_write", KvAttrs{}},
    {"attention", AttentionAttrs{}},
    {"route_topk", RouteAttrs{}},
    {"linear_experts", ExpertsAttrs{}},
    {"combine_experts", NoAttrs{}},
    {"add_rms_norm", NormAttrs{}},
    {"linear_add", LinearAttrs{}},
    {"linear_glu", LinearAttrs{}},
    {"rope_kv_write", RopeKvAttrs{}},
}};

/// Collects "name=value" pairs.
struct AttrsText {
  Op op;
  std::string text;

  template <class T>
  void field(std::string_view name, const T& value) {
    text += fmt::format("{}{}={}", text.empty() ? "" : ", ", name, value);
  }
  void activation(Activation value) { field("activation", value == Activation::kSilu ? "silu" : "gelu_tanh"); }

  void operator()(const NoAttrs&) {}
  void operator()(const WeightAttrs& a) { field("weight", a.weight); }
  void operator()(const ScaleAttrs& a) {
    if (op != Op::kEmbed || a.factor != 1) field("factor", a.factor);
  }
  void operator()(const NormAttrs& a) {
    field("eps", a.eps);
    field("group", a.group);
  }
  void operator()(const SoftcapAttrs& a) { field("cap", a.cap); }
  void operator()(const GluAttrs& a) { activation(a.activation); }
  void operator()(const SliceAttrs& a) {
    field("begin", a.begin);
    field("count", a.count);
  }
  void operator()(const LinearAttrs& a) {
    if (op == Op::kLinearGlu) activation(a.activation);
    if (a.has_bias) field("bias", a.has_bias);
  }
  void operator()(const RopeAttrs& a) {
    field("head_dim", a.head_dim);
    if (a.rot_dim != a.head_dim) field("rot_dim", a.rot_dim);
    if (a.interleaved) field("interleaved", a.interleaved);
    if (a.magnitude != 1) field("magnitude", a.magnitude);
  }
  void operator()(const KvAttrs& a) { field("layer", a.layer); }
  void operator()(const AttentionAttrs& a) {
    field("layer", a.layer);
    field("heads", fmt::format("{}/{}", a.n_heads, a.n_kv_heads));
    field("scale", a.scale);
    if (a.softcap != 0) field("softcap", a.softcap);
    if (a.window) field("window", a.window);
  }
  void operator()(const RopeKvAttrs& a) {
    (*this)(a.kv);
    (*this)(a.rope);
  }
  void operator()(const RouteAttrs& a) {
    field("k", a.k);
    if (a.normalise) field("normalise", a.normalise);
  }
  void operator()(const ExpertsAttrs& a) {
    field("experts", a.n_experts);
    field("k", a.k);
  }
};

}  // namespace

std::string_view op_name(Op op) {
  const auto index = static_cast<uint32_t>(op);
  return index < kOpCount ? kOps[index].name : "unknown";
}

Attrs default_attrs(Op op) {
  ASSERT(static_cast<uint32_t>(op) < kOpCount);
  return kOps[static_cast<uint32_t>(op)].attrs;
}

std::string to_string(Op op, const Attrs& attrs) {
  AttrsText text{op, {}};
  std::visit(text, attrs);
  return text.text.empty() ? "" : " {" + text.text + "}";
}

std::string to_string(const Dim& dim) {
  if (dim.symbol == Symbol::kOne) return fmt::format("{}", dim.multiple);
  const std::string_view symbol = dim.symbol == Symbol::kTokens ? "T" : dim.symbol == Symbol::kRows ? "R" : "P";
  return dim.multiple == 1 ? std::string(symbol) : fmt::format("{}*{}", symbol, dim.multiple);
}

std::string to_string(const TensorDesc& desc) {
  return fmt::format("{}[{}, {}]", desc.dtype == DType::kI32 ? "i32 " : "", to_string(desc.rows), desc.cols);
}

}  // namespace tern::graph
