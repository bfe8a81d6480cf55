// What every op means. Each is a short function over whole matrices that reads like its formula in graph/ops.h:
// weights decoded row by row from the file's bytes, sums in double, values stored as f32, no threads. Slow on purpose.
#pragma once

#include "backends/host/bound_plan.h"

namespace tern::backends::ref {

/// One op of one step, ready to be computed.
struct Run {
  const BoundPlan& bound;
  const Call& call;
  const graph::StepParams& step;

  uint32_t tokens() const { return static_cast<uint32_t>(step.tokens.size()); }
  size_t rows(const Matrix& m) const {
    return m.rows.at(
        {.t = tokens(), .r = static_cast<uint32_t>(step.rows.size()), .p = static_cast<uint32_t>(step.pools.size())});
  }
  const Matrix& in(size_t i) const { return call.inputs[i]; }
  const Matrix& out(size_t i = 0) const { return call.outputs[i]; }
  template <class T>
  const T& attrs() const {
    return std::get<T>(call.attrs);
  }
};

using OpFunction = void (*)(const Run&);

/// The function that computes `op`; null when there is nothing to compute.
OpFunction op_function(graph::Op op);

// ops_dense.cc
void embed(const Run& run);
void gather_rows(const Run& run);
void linear(const Run& run);
void rms_norm(const Run& run);
void pool_norm(const Run& run);
void add(const Run& run);
void scale(const Run& run);
void softcap(const Run& run);
void glu(const Run& run);
// ops_attention.cc
void rope(const Run& run);
void kv_write(const Run& run);
void attention(const Run& run);
void rope_kv_write(const Run& run);
// ops_experts.cc
void route_topk(const Run& run);
void linear_experts(const Run& run);
void combine_experts(const Run& run);
// ops_fused.cc
void add_rms_norm(const Run& run);
void linear_add(const Run& run);
void linear_glu(const Run& run);

// Formulas that several ops share.

/// sum of a[i] * b[i].
double dot(std::span<const float> a, std::span<const float> b);
/// out = x / sqrt(mean(x^2) + eps) * w in groups of w.size().
void normalise(std::span<const float> x, std::span<const float> w, float eps, std::span<float> out);
/// silu: x / (1 + e^-x). gelu_tanh: x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) (Hendrycks and Gimpel 2016).
double activate(graph::Activation activation, double x);
/// Row `row` of weights that are stacked one after the other; out: [cols].
void decode_stacked(std::span<const Matrix> weights, uint64_t row, std::span<float> out);

}  // namespace tern::backends::ref
