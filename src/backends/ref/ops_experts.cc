#include <algorithm>
#include <cmath>
#include <numeric>

#include "backends/ref/ops.h"

namespace tern::backends::ref {

/// Mixture of experts (Shazeer et al. 2017): softmax over all logits, the k largest (the lower index first among
/// equals), and, when asked, their weights divided by their sum.
void route_topk(const Run& run) {
  const auto& attrs = run.attrs<graph::RouteAttrs>();
  for (size_t t = 0; t < run.rows(run.in(0)); ++t) {
    const std::span<const float> logits = run.in(0).row(t);
    std::vector<uint32_t> remaining(logits.size()), chosen;
    std::iota(remaining.begin(), remaining.end(), 0u);
    for (uint32_t j = 0; j < attrs.k; ++j) {
      const auto best = std::ranges::max_element(remaining, {}, [&](uint32_t e) { return logits[e]; });
      chosen.push_back(*best);
      remaining.erase(best);
    }
    const auto probability = [&](uint32_t e) { return std::exp(double{logits[e]} - logits[chosen[0]]); };
    double total = 0;
    for (const uint32_t e : chosen) total += probability(e);
    for (const uint32_t e : remaining) total += attrs.normalise ? 0 : probability(e);
    for (uint32_t j = 0; j < attrs.k; ++j) {
      run.out(0).mutable_int_row(t)[j] = static_cast<int32_t>(chosen[j]);
      run.out(1).row(t)[j] = static_cast<float>(probability(chosen[j]) / total);
    }
  }
}

void linear_experts(const Run& run) {
  const uint32_t k = run.attrs<graph::ExpertsAttrs>().k;
  const std::span<const Matrix> weights = std::span(run.call.inputs).subspan(1, run.call.inputs.size() - 2);
  const Matrix& x = run.in(0);
  const Matrix& ids = run.call.inputs.back();
  const bool row_per_expert = x.rows != ids.rows;  // x has T * k rows, not T
  std::vector<float> w(x.cols);
  for (size_t row = 0; row < run.rows(run.out()); ++row) {
    const std::span<float> out = run.out().row(row);
    const uint64_t expert = static_cast<uint32_t>(ids.int_row(row / k)[row % k]);
    for (size_t n = 0; n < out.size(); ++n) {
      decode_stacked(weights, expert * out.size() + n, w);
      out[n] = static_cast<float>(dot(x.row(row_per_expert ? row : row / k), w));
    }
  }
}

void combine_experts(const Run& run) {
  const uint32_t k = run.in(1).cols;
  for (size_t t = 0; t < run.rows(run.out()); ++t) {
    for (uint32_t i = 0; i < run.out().cols; ++i) {
      double sum = 0;
      for (uint32_t j = 0; j < k; ++j) sum += double{run.in(1).row(t)[j]} * run.in(0).row(t * k + j)[i];
      run.out().row(t)[i] = static_cast<float>(sum);
    }
  }
}

}  // namespace tern::backends::ref
