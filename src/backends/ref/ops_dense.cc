#include <algorithm>
#include <cmath>

#include "backends/ref/ops.h"

namespace tern::backends::ref {

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += double{a[i]} * b[i];
  return sum;
}

void normalise(std::span<const float> x, std::span<const float> w, float eps, std::span<float> out) {
  const size_t group = w.size();
  for (size_t begin = 0; begin < x.size(); begin += group) {
    const std::span<const float> part = x.subspan(begin, group);
    const double factor = 1 / std::sqrt(dot(part, part) / static_cast<double>(group) + eps);
    for (size_t i = 0; i < group; ++i) out[begin + i] = static_cast<float>(part[i] * factor * w[i]);
  }
}

double activate(graph::Activation activation, double x) {
  if (activation == graph::Activation::kSilu) return x / (1 + std::exp(-x));
  return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

void decode_stacked(std::span<const Matrix> weights, uint64_t row, std::span<float> out) {
  for (const Matrix& m : weights) {
    if (row < m.weight->rows) return m.weight->decode(static_cast<uint32_t>(row), out);
    row -= m.weight->rows;
  }
  std::ranges::fill(out, 0.0f);  // only a plan that is wrong asks for more
}

void embed(const Run& run) {
  const float factor = run.attrs<graph::ScaleAttrs>().factor;
  for (size_t t = 0; t < run.tokens(); ++t) {
    const std::span<float> out = run.out().row(t);
    decode_stacked(run.call.inputs, static_cast<uint32_t>(run.step.tokens[t]), out);
    for (float& value : out) value *= factor;
  }
}

void gather_rows(const Run& run) {
  for (size_t r = 0; r < run.step.rows.size(); ++r) {
    std::ranges::copy(run.in(0).row(run.step.rows[r]), run.out().row(r).begin());
  }
}

void linear(const Run& run) {
  const WeightRows& weight = *run.in(1).weight;
  const bool has_bias = run.attrs<graph::LinearAttrs>().has_bias;
  std::vector<float> w(weight.cols);
  for (uint32_t n = 0; n < weight.rows; ++n) {
    weight.decode(n, w);
    const double bias = has_bias ? run.in(2).row(0)[n] : 0;
    for (size_t m = 0; m < run.rows(run.in(0)); ++m) {
      run.out().row(m)[n] = static_cast<float>(dot(run.in(0).row(m), w) + bias);
    }
  }
}

void rms_norm(const Run& run) {
  for (size_t m = 0; m < run.rows(run.in(0)); ++m) {
    normalise(run.in(0).row(m), run.in(1).row(0), run.attrs<graph::NormAttrs>().eps, run.out().row(m));
  }
}

void pool_norm(const Run& run) {
  std::vector<float> norm(run.out().cols);
  for (size_t p = 0; p < run.step.pools.size(); ++p) {
    const auto [first, n] = run.step.pools[p];
    std::vector<double> sum(norm.size());
    for (uint32_t t = first; t < first + n; ++t) {
      normalise(run.in(0).row(t), run.in(1).row(0), run.attrs<graph::NormAttrs>().eps, norm);
      std::ranges::transform(sum, norm, sum.begin(), std::plus());
    }
    std::ranges::transform(sum, run.out().row(p).begin(), [](double x) { return static_cast<float>(x); });
  }
}

void add(const Run& run) {
  const bool one_row = run.in(1).rows != run.in(0).rows;
  for (size_t m = 0; m < run.rows(run.in(0)); ++m) {
    const std::span<const float> y = run.in(1).row(one_row ? 0 : m);
    std::ranges::transform(run.in(0).row(m), y, run.out().row(m).begin(), std::plus());
  }
}

void scale(const Run& run) {
  const float factor = run.attrs<graph::ScaleAttrs>().factor;
  for (size_t m = 0; m < run.rows(run.in(0)); ++m) {
    std::ranges::transform(run.in(0).row(m), run.out().row(m).begin(), [&](float x) { return factor * x; });
  }
}

void softcap(const Run& run) {
  const double cap = run.attrs<graph::SoftcapAttrs>().cap;
  for (size_t m = 0; m < run.rows(run.in(0)); ++m) {
    std::ranges::transform(run.in(0).row(m), run.out().row(m).begin(),
                           [&](float x) { return static_cast<float>(cap * std::tanh(x / cap)); });
  }
}

void glu(const Run& run) {
  const graph::Activation activation = run.attrs<graph::GluAttrs>().activation;
  for (size_t m = 0; m < run.rows(run.in(0)); ++m) {
    std::ranges::transform(run.in(0).row(m), run.in(1).row(m), run.out().row(m).begin(),
                           [&](float gate, float up) { return static_cast<float>(activate(activation, gate) * up); });
  }
}

}  // namespace tern::backends::ref
