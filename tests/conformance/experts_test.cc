// Mixture of experts: routing, products by expert, and their combination.
#include <cmath>

#include "conformance/harness.h"

namespace tern::conformance {
namespace {

using graph::ValueId;

TEST_P(Conformance, RouteWeights) {
  for (const auto& [n_experts, k] : {std::pair{1u, 1u}, {8u, 2u}, {60u, 4u}, {128u, 8u}, {5u, 5u}}) {
    for (const uint32_t normalise : {0u, 1u}) {
      Model model;
      const ValueId logits = model.activations(n_experts, 2.0f);
      model.builder.output("weights", model.builder.route_topk(logits, {k, normalise}).weights);
      model.build();
      Player expected(ref(), model);
      Player player(GetParam(), model);
      const Step step = one_sequence(model, 0, 17);
      const std::vector<float> got = player.run(step);
      expect_close(got, expected.run(step), 4 * kUlp, 0);
      for (size_t t = 0; t < 17; ++t) {  // descending, and with normalise a partition of 1
        double sum = 0;
        for (size_t j = 0; j < k; ++j) {
          sum += got[t * k + j];
          EXPECT_LE(got[t * k + j], j > 0 ? got[t * k + j - 1] : 1);
        }
        EXPECT_TRUE(!normalise || std::abs(sum - 1) <= k * kUlp) << sum;
      }
    }
  }
}

/// A whole block: x routed by its first columns, two products, weighted sum.
Model experts_model(Format format, uint32_t n_experts, uint32_t k, uint32_t d, uint32_t f) {
  Model model;
  const ValueId x = model.activations(d);
  const ValueId router = model.weight(Format::kF32, n_experts, d, 0.1f);
  const auto routes = model.builder.route_topk(model.builder.linear(x, router, "router"), {k, 1});
  const graph::ExpertsAttrs attrs{n_experts, k};
  const ValueId up = model.builder.linear_experts(x, model.weight(format, n_experts * f, d, 0.1f, /*pieces=*/3),
                                                  routes.ids, attrs, "up");
  const ValueId down =
      model.builder.linear_experts(up, model.weight(format, n_experts * d, f, 0.1f), routes.ids, attrs, "down");
  model.builder.output("y", model.builder.combine_experts(down, routes.weights));
  model.build();
  return model;
}

TEST_P(Conformance, Experts) {
  for (const Format format : {Format::kF32, Format::kQ8_0, Format::kQ4_0}) {
    for (const auto& [n_experts, k] : {std::pair{1u, 1u}, {8u, 2u}, {7u, 3u}}) {
      const Model model = experts_model(format, n_experts, k, 64, 96);
      Player expected(ref(), model);
      Player player(GetParam(), model);
      const Step step = one_sequence(model, 0, 70);
      const std::vector<float> got = player.run(step);
      // Terms of size 0.1 summed over 64, then 96 columns: values below 4, errors of some 160 / lanes + 20 ulp.
      expect_close(got, expected.run(step), 0, 4 * (160.0 / GetParam().lanes + 20) * kUlp);
      for (const uint32_t chunk : {1, 3, 16}) expect_same(run_chunked(player, model, 70, chunk), got);
      if (HasFailure()) return;
    }
  }
}

/// Equal logits choose the experts of the lowest index.
TEST_P(Conformance, TiesGoToTheLowerIndex) {
  Model model;
  const ValueId x = model.activations(32);
  const auto routes = model.builder.route_topk(model.builder.scale(x, 0.0f), {2, 1});
  // Expert e gives rows that are its own, so the output tells who was chosen.
  const ValueId w = model.weight(Format::kF32, 32 * 4, 32);
  model.builder.output("y", model.builder.linear_experts(x, w, routes.ids, {32, 2}, "experts"));
  model.build();
  Player player(GetParam(), model);
  const Step step = one_sequence(model, 0, 3);
  const std::vector<float> got = player.run(step);
  const auto rows = model.decoded(w);
  for (size_t t = 0; t < 3; ++t) {
    const std::vector<float> in = model.embedded(model.table, step.tokens[t]);
    for (size_t n = 0; n < 8; ++n) {  // experts 0 and 1, four rows each
      double sum = 0;
      for (size_t i = 0; i < 32; ++i) sum += double{in[i]} * rows[n][i];
      EXPECT_NEAR(got[t * 8 + n], sum, 64 * kUlp * 8);
    }
  }
}

}  // namespace
}  // namespace tern::conformance
