#include "backends/ref/ops.h"

namespace tern::backends::ref {

void add_rms_norm(const Run& run) {
  for (size_t m = 0; m < run.rows(run.in(0)); ++m) {
    const std::span<float> sum = run.out(0).row(m);
    for (size_t i = 0; i < sum.size(); ++i) sum[i] = run.in(0).row(m)[i] + run.in(1).row(m)[i];
    normalise(sum, run.in(2).row(0), run.attrs<graph::NormAttrs>().eps, run.out(1).row(m));
  }
}

void linear_add(const Run& run) {
  linear(run);
  const Matrix& residual = run.call.inputs.back();
  for (size_t m = 0; m < run.rows(run.out()); ++m) {
    const std::span<float> out = run.out().row(m);
    for (size_t n = 0; n < out.size(); ++n) out[n] += residual.row(m)[n];
  }
}

void linear_glu(const Run& run) {
  const WeightRows& weight = *run.in(1).weight;
  const graph::Activation activation = run.attrs<graph::LinearAttrs>().activation;
  const uint32_t half = weight.rows / 2;
  std::vector<float> gate(weight.cols), up(weight.cols);
  for (uint32_t n = 0; n < half; ++n) {
    weight.decode(n, gate);
    weight.decode(half + n, up);
    for (size_t m = 0; m < run.rows(run.in(0)); ++m) {
      const std::span<const float> x = run.in(0).row(m);
      run.out().row(m)[n] = static_cast<float>(activate(activation, dot(x, gate)) * dot(x, up));
    }
  }
}

}  // namespace tern::backends::ref
