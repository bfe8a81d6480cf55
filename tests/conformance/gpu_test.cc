// The generic WebGPU kernels against ref: products, tables and experts of every format, at the numbers of tokens at
// which another kernel is chosen (1, up to 16, more). On whatever adapter there is; skipped where there is none.
#include <cmath>

#include "conformance/harness.h"

namespace tern::conformance {
namespace {

using graph::ValueId;

const Candidate& gpu() {
  static const Candidate kGpu{"gpu", "gpu", "", 1, 1};
  return kGpu;
}

class Gpu : public testing::TestWithParam<FormatInfo> {
 protected:
  void SetUp() override {
    const auto backend = backends::make_backend("gpu", {});
    if (!backend) GTEST_SKIP() << backend.error().to_string();
  }
};

/// What planes may lose of a weight: scale and minimum are rounded to f16 (tests/backends/planes_test.cc), a minimum
/// being as large as the largest weight of its group.
double rounding(std::span<const float> row) {
  float largest = 0;
  for (const float w : row) largest = std::max(largest, std::abs(w));
  return 4 * largest * 0x1p-11;
}

/// False for formats whose scales have more bits than an f16: they are products of two numbers.
bool keeps_scales(Format format) {
  switch (format) {
    case Format::kQ2_K:
    case Format::kQ3_K:
    case Format::kQ4_K:
    case Format::kQ5_K:
    case Format::kQ6_K:
    case Format::kIQ4_XS:
      return false;
    default:
      return true;
  }
}

/// Products of many tokens with quantised weights have int8 activations with a scale per 32 (kernels/q8_block.wgsl).
bool is_int8(const FormatInfo& format, uint32_t tokens) {
  return tokens > 16 && format.block > 1;
}
/// What one of int8 is worth in the group of 32 that value i is in; rounding loses half of it.
double step_of_int8(std::span<const float> values, size_t i) {
  double largest = 0;
  for (size_t j = i / 32 * 32; j < std::min(values.size(), i / 32 * 32 + 32); ++j) {
    largest = std::max(largest, std::abs(double{values[j]}));
  }
  return largest / 127;
}

TEST_P(Gpu, LinearAndItsTable) {
  const FormatInfo& format = GetParam();
  const uint32_t cols = format.block > 1 ? 3 * format.block : 71;
  for (const uint32_t rows : {5u, 67u}) {
    Model model;
    const ValueId x = model.activations(cols);
    const ValueId w = model.weight(format.id, rows, cols);
    model.builder.output("y", model.builder.linear(x, w, "linear"));
    model.build();
    Player expected(ref(), model), player(gpu(), model);
    ASSERT_TRUE(player.plan_id()) << player.plan_id().error().to_string();
    const auto weights = model.decoded(w);
    for (const uint32_t tokens : {1u, 5u, 70u}) {
      const Step step = one_sequence(model, 0, tokens);
      std::vector<double> bounds;
      for (const int32_t id : step.tokens) {
        const std::vector<float> a = model.embedded(model.table, id);
        for (const std::vector<float>& row : weights) {
          const double lost = keeps_scales(format.id) ? 0 : rounding(row);
          double bound = kUlp;
          for (size_t i = 0; i < row.size(); ++i) {
            bound += ((cols + 10) * kUlp * std::abs(double{row[i]}) + lost) * std::abs(a[i]);
            if (is_int8(format, tokens)) bound += (std::abs(double{row[i]}) + lost) * step_of_int8(a, i) / 2;
          }
          bounds.push_back(bound);
        }
      }
      expect_close(player.run(step), expected.run(step), bounds);
      if (HasFailure()) return;
    }
  }
}

TEST_P(Gpu, Embed) {
  const uint32_t cols = GetParam().block > 1 ? GetParam().block : 71;
  Model model;
  const ValueId table = model.weight(GetParam().id, Model::kVocabulary, cols);
  model.builder.output("y", model.builder.scale(model.builder.embed(table), 2.0f));
  model.build();
  Player expected(ref(), model), player(gpu(), model);
  ASSERT_TRUE(player.plan_id()) << player.plan_id().error().to_string();
  double lost = 0;
  for (const auto& row : model.decoded(table)) lost = std::max(lost, rounding(row));
  const Step step = one_sequence(model, 0, 70);
  expect_close(player.run(step), expected.run(step), 2 * kUlp, keeps_scales(GetParam().id) ? 0 : 2 * lost);
}

TEST_P(Gpu, Experts) {
  const uint32_t cols = GetParam().block > 1 ? GetParam().block : 71;
  Model model;
  const ValueId x = model.activations(cols);
  const auto routes = model.builder.route_topk(model.builder.slice(x, 0, 7), {3, 1});
  const ValueId w = model.weight(GetParam().id, 7 * 10, cols);
  model.builder.output("y", model.builder.linear_experts(x, w, routes.ids, {7, 3}, "experts"));
  model.build();
  Player expected(ref(), model), player(gpu(), model);
  ASSERT_TRUE(player.plan_id()) << player.plan_id().error().to_string();
  double lost = 0, largest = 0;
  for (const auto& row : model.decoded(w)) {
    lost = std::max(lost, rounding(row));
    largest = std::max(largest, rounding(row) * 0x1p9);
  }
  const Step step = one_sequence(model, 0, 20);
  // Activations of variance 1, at most 5 of them.
  const double bound = 5.0 * cols * ((cols + 10) * kUlp * largest + (keeps_scales(GetParam().id) ? 0 : lost));
  expect_close(player.run(step), expected.run(step), 0, bound);
}

/// Sums in f32, in any order, whose relative errors are below their lengths in ulps; WGSL lets the root and the
/// division of 1 / rms be off by 4 ulps and 5.
TEST(GpuPool, SumsHiddenStates) {
  const auto backend = backends::make_backend("gpu", {});
  if (!backend) GTEST_SKIP() << backend.error().to_string();
  for (const uint32_t cols : {7u, 64u, 1100u}) {
    Model model;
    const ValueId x = model.activations(cols, 3.0f);
    const ValueId w = model.weight(Format::kF32, 1, cols);
    model.builder.output("y", model.builder.pool_norm(x, w, 1e-6f, "pool"));
    model.build();
    Player expected(ref(), model), player(gpu(), model);
    ASSERT_TRUE(player.plan_id()) << player.plan_id().error().to_string();
    double largest = 0;
    const std::vector<float> gains = model.decoded(w)[0];
    for (const float gain : gains) largest = std::max(largest, std::abs(double{gain}));
    for (const uint32_t tokens : {1u, 5u, 70u}) {
      Step step = one_sequence(model, 0, tokens);
      step.pools = {{0, tokens}};
      if (tokens > 5) step.pools = {{1, 1}, {4, 60}};
      step.seqs = {{tokens, 0}, {tokens, 0}};
      if (tokens > 5) std::fill(step.sequences.begin() + 4, step.sequences.end(), 1);
      const double bound = (cols + tokens + 16) * kUlp * tokens * largest * std::sqrt(cols);
      expect_close(player.run(step), expected.run(step), 0, bound);
    }
  }
}

/// Limits that nothing in reach has: 1e6 GB/s and 1e9 operations in a nanosecond would be mistakes of the measurement.
TEST(GpuRoofs, AreMeasured) {
  const auto backend = backends::make_backend("gpu", {});
  if (!backend) GTEST_SKIP() << backend.error().to_string();
  const auto roofs = (*backend)->measure_roofs();
  ASSERT_TRUE(roofs) << roofs.error().to_string();
  for (const double limit : {roofs->read_gb_s, roofs->peak_gflop_s, roofs->peak_int8_gop_s}) {
    EXPECT_GT(limit, 0);
    EXPECT_LT(limit, 1e6);
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, Gpu, testing::ValuesIn(formats::all().begin(), formats::all().end()),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace tern::conformance
