// Norms, arithmetic, activations and rotations.
#include <cmath>

#include "conformance/harness.h"

namespace tern::conformance {
namespace {

using graph::ValueId;

/// Plays `model` on ref as written and on the candidate, in one step and token by token.
void compare(const Candidate& candidate, const Model& model, uint32_t tokens, double relative, double absolute) {
  Player expected(ref(), model, /*fuse=*/false);
  Player player(candidate, model);
  const Step step = one_sequence(model, 0, tokens);
  expect_close(player.run(step), expected.run(step), relative, absolute);
  expect_same(player.run(step), run_chunked(player, model, tokens, 1));
}

TEST_P(Conformance, RmsNormInGroups) {
  for (const auto& [cols, group] : {std::pair{1u, 1u}, {7u, 7u}, {64u, 64u}, {96u, 32u}, {2051u, 2051u}, {80u, 16u}}) {
    Model model;
    const ValueId x = model.activations(cols, 3.0f);
    model.builder.output("y", model.builder.rms_norm(x, model.weight(Format::kF16, 1, group), 1e-6f, "norm"));
    model.build();
    // The sum of squares has relative error n / lanes + a few ulp, of which the root keeps half.
    compare(GetParam(), model, 5, (0.5 * group / GetParam().lanes + 8) * kUlp, 1e-30);
  }
}

/// Pools of one token, of some and of many, and tokens in none, of three sequences.
TEST_P(Conformance, PoolNorm) {
  for (const uint32_t cols : {1u, 64u, 2051u}) {
    Model model;
    const ValueId x = model.activations(cols, 3.0f);
    const ValueId w = model.weight(Format::kF16, 1, cols);
    model.builder.output("y", model.builder.pool_norm(x, w, 1e-6f, "pool"));
    model.build();
    Player expected(ref(), model), player(GetParam(), model);
    Step step = one_sequence(model, 0, 60);
    step.seqs = {{60, 0}, {60, 0}, {60, 0}};
    for (uint32_t t = 0; t < 60; ++t) step.sequences[t] = t / 20;
    step.pools = {{3, 1}, {21, 4}, {40, 20}};
    // Each normalised value as in RmsNormInGroups, at most sqrt(cols) of a weight; a sum of n has n - 1 roundings.
    double largest = 0;
    const std::vector<float> gains = model.decoded(w)[0];
    for (const float gain : gains) largest = std::max(largest, std::abs(double{gain}));
    const double each = (0.5 * cols / GetParam().lanes + 8) * kUlp;
    expect_close(player.run(step), expected.run(step), each, 20 * (each + 20 * kUlp) * largest * std::sqrt(cols));
    step.pools = {};
    EXPECT_TRUE(player.run(step).empty());
  }
}

TEST_P(Conformance, AddRmsNorm) {
  for (const bool norm_is_output : {false, true}) {
    Model model;
    const ValueId both = model.activations(2 * 72);
    const ValueId x = model.builder.slice(both, 0, 72), y = model.builder.slice(both, 72, 72);
    const ValueId sum = model.builder.add(x, y);
    const ValueId norm = model.builder.rms_norm(sum, model.weight(Format::kF32, 1, 72), 1e-5f, "norm");
    // Both outputs are used, so that the pass has to keep both.
    const ValueId other = model.builder.scale(norm_is_output ? sum : norm, 2.0f);
    model.builder.output("y", norm_is_output ? norm : sum);
    model.builder.output("other", other);
    model.build();
    Player player(GetParam(), model);
    EXPECT_TRUE(player.uses(graph::Op::kAddRmsNorm));
    compare(GetParam(), model, 17, (36.0 / GetParam().lanes + 8) * kUlp, 1e-30);
  }
}

TEST_P(Conformance, Arithmetic) {
  for (const uint32_t cols : {1u, 3u, 16u, 4097u}) {
    Model model;
    const ValueId both = model.activations(2 * cols);
    const ValueId x = model.builder.slice(both, 0, cols), y = model.builder.slice(both, cols, cols);
    const ValueId one_row = model.weight(Format::kBF16, 1, cols);
    const ValueId sum = model.builder.add(model.builder.add(x, y), one_row);
    model.builder.output("y", model.builder.scale(sum, -1.7f));
    model.build();
    compare(GetParam(), model, 5, 0, 0);  // the same single roundings
  }
}

TEST_P(Conformance, Softcap) {
  for (const float spread : {0.3f, 30.0f, 1000.0f}) {
    for (const uint32_t cols : {1u, 19u, 4100u}) {
      Model model;
      model.builder.output("y", model.builder.softcap(model.activations(cols, spread), 30.0f));
      model.build();
      compare(GetParam(), model, 3, 8 * kUlp, 0);
    }
  }
}

TEST_P(Conformance, GluOfBothActivations) {
  for (const graph::Activation activation : {graph::Activation::kSilu, graph::Activation::kGeluTanh}) {
    for (const float spread : {0.01f, 2.0f, 60.0f}) {  // 60: e^-x underflows and overflows
      Model model;
      const ValueId both = model.activations(2 * 53, spread);
      const ValueId gate = model.builder.slice(both, 0, 53), up = model.builder.slice(both, 53, 53);
      model.builder.output("y", model.builder.glu(gate, up, activation));
      model.build();
      // Far below zero, where e^-u is large, its relative error is that of u, |u| ulp. There ref's 1 + tanh(u) has lost
      // all digits of its doubles: 60 * 60 * 2^-53.
      compare(GetParam(), model, 9, 140 * kUlp, 1e-12);
    }
  }
}

/// x rotated at positions up to a million.
TEST_P(Conformance, RopeOfBothPairings) {
  constexpr uint32_t kHeadDim = 72;  // 36 pairs: vectors of sixteen and a rest
  for (const uint32_t rot_dim : {2u, 16u, 24u, 72u}) {
    for (const uint32_t interleaved : {0u, 1u}) {
      Model model(1, 1, kHeadDim);
      const ValueId x = model.activations(3 * kHeadDim);
      std::vector<float> freqs;
      for (uint32_t i = 0; i < rot_dim / 2; ++i) freqs.push_back(std::pow(10000.0f, -2.0f * i / rot_dim));
      const graph::RopeAttrs attrs{kHeadDim, rot_dim, interleaved, 1.25f};
      model.builder.output("y", model.builder.rope(x, model.builder.constant("freqs", freqs), attrs));
      model.key.page_tokens = 1u << 16;  // 16 pages: a million tokens
      model.build();
      Player expected(ref(), model);
      Player player(GetParam(), model);
      for (const uint32_t begin : {0u, 1000u, (1u << 20) - 5}) {
        const Step step = one_sequence(model, begin, 5);
        // Two products of values below 4 sigma and cosines rounded to f32.
        expect_close(player.run(step), expected.run(step), 0, 16 * kUlp);
        expect_same(player.run(step), player.run(step));
      }
    }
  }
}

/// Turning keeps the length of every pair, and position 0 turns nothing: what rope is, independent of ref.
TEST_P(Conformance, RopeKeepsLengths) {
  Model model(1, 1, 8);
  const ValueId x = model.activations(8);
  const graph::RopeAttrs attrs{8, 8, 0, 1.0f};
  model.builder.output("y", model.builder.rope(x, model.builder.constant("freqs", {1, 0.1f, 0.01f, 0.001f}), attrs));
  model.build();
  Player player(GetParam(), model);
  const Step step = one_sequence(model, 0, 9);
  const std::vector<float> y = player.run(step);
  for (size_t t = 0; t < 9; ++t) {
    const std::vector<float> row = model.embedded(model.table, step.tokens[t]);
    for (size_t i = 0; i < 4; ++i) {
      EXPECT_NEAR(std::hypot(y[8 * t + i], y[8 * t + i + 4]), std::hypot(row[i], row[i + 4]), 8 * kUlp);
      EXPECT_TRUE(t > 0 || y[i] == row[i]);
    }
  }
}

}  // namespace
}  // namespace tern::conformance
