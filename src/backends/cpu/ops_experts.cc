#include <algorithm>
#include <cmath>

#include "backends/cpu/ops.h"

namespace tern::backends::cpu {

namespace {

/// One token. candidates: scratch, [E].
void route(const graph::RouteAttrs& attrs, std::span<const float> logits, std::span<float> candidates,
           std::span<int32_t> ids, std::span<float> weights) {
  const double largest = *std::ranges::max_element(logits);
  double total = 0;
  for (const float logit : logits) total += std::exp(logit - largest);
  std::ranges::copy(logits, candidates.begin());
  double chosen = 0;
  for (uint32_t j = 0; j < attrs.k; ++j) {
    // The first of the largest; one that was taken is NaN, which max_element's comparison never prefers.
    uint32_t best = UINT32_MAX;
    for (uint32_t e = 0; e < candidates.size(); ++e) {
      if (!std::isnan(candidates[e]) && (best == UINT32_MAX || candidates[e] > candidates[best])) best = e;
    }
    best = best == UINT32_MAX ? j : best;  // logits of a broken model: any k experts
    candidates[best] = NAN;
    ids[j] = static_cast<int32_t>(best);
    const double weight = std::exp(logits[best] - largest);
    weights[j] = static_cast<float>(weight);
    chosen += weight;
  }
  for (uint32_t j = 0; j < attrs.k; ++j) {
    weights[j] = static_cast<float>(std::exp(logits[static_cast<uint32_t>(ids[j])] - largest) /
                                    (attrs.normalise ? chosen : total));
  }
}

}  // namespace

void route_topk(const Run& run) {
  const uint32_t n_experts = run.in(0).cols;
  const size_t cost = size_t{n_experts} * (16 + run.attrs<graph::RouteAttrs>().k);  // an exponential is about 16
  run.pool.parallel_for(run.rows(run.in(0)), least_items(cost), [&](size_t begin, size_t end, uint32_t worker) {
    for (size_t t = begin; t < end; ++t) {
      route(run.attrs<graph::RouteAttrs>(), run.in(0).row(t), {run.scratch.of_worker(worker), n_experts},
            run.out(0).mutable_int_row(t), run.out(1).row(t));
    }
  });
}

void combine_experts(const Run& run) {
  const uint32_t k = run.in(1).cols, d = run.out().cols;
  run.pool.parallel_for(run.rows(run.out()), least_items(size_t{k} * d), [&](size_t begin, size_t end, uint32_t) {
    for (size_t t = begin; t < end; ++t) {
      float* out = run.out().row(t).data();
      run.kernels.scale(run.in(0).row(t * k).data(), run.in(1).row(t)[0], d, out);
      for (uint32_t j = 1; j < k; ++j) {
        run.kernels.add_scaled(run.in(0).row(t * k + j).data(), run.in(1).row(t)[j], d, out);
      }
    }
  });
}

}  // namespace tern::backends::cpu
