// Steps of many tokens on a GPU: a whole quantised model, in chunks of every size that has a program of its own.
// Skipped where there is no adapter.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/logits.h"
#include "engine/model.h"

namespace tern::engine {
namespace {

const std::string kDemo = std::string(TERN_SOURCE_DIR) + "/models/tern-demo-q8_0.gguf";
constexpr uint32_t kTokens = 90;

std::vector<float> logits(const std::string& device, uint32_t chunk, backends::ActivationFormat activations) {
  auto backend = backends::make_backend(device, {.threads = 1, .activations = activations});
  EXPECT_TRUE(backend) << backend.error().to_string();
  if (!backend) return {};
  auto model = load_model(kDemo, std::move(*backend), {.max_seqs = 1, .max_tokens = chunk, .max_rows = chunk});
  EXPECT_TRUE(model) << model.error().to_string();
  if (!model) return {};
  std::vector<int32_t> tokens;
  for (uint32_t i = 0; i < kTokens; ++i) tokens.push_back(static_cast<int32_t>(i * 37 % 200 + 3));
  std::vector<float> out;
  const auto done = run_logits(**model, tokens, chunk, [&](uint32_t, std::span<const float> row) {
    out.insert(out.end(), row.begin(), row.end());
  });
  EXPECT_TRUE(done) << done.error().to_string();
  return out;
}

/// |a - b| as a share of how far b's rows are from their means.
double difference(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size() || a.empty()) return INFINITY;
  const size_t cols = a.size() / kTokens;
  double error = 0, scale = 0;
  for (size_t row = 0; row < kTokens; ++row) {
    double mean = 0;
    for (size_t i = row * cols; i < (row + 1) * cols; ++i) mean += b[i] / static_cast<double>(cols);
    for (size_t i = row * cols; i < (row + 1) * cols; ++i) {
      error += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
      scale += (b[i] - mean) * (b[i] - mean);
    }
  }
  return std::sqrt(error / scale);
}

/// What int8 activations cost is measured on the cpu, whose kernels are others: the same products with activations in
/// f32 and in int8, both with a scale per 32. A GPU may lose half as much again, since its int8 is of values before the
/// norm; two chunkings differ by two such losses at most.
TEST(GpuPrefill, LosesWhatInt8ActivationsLoseInChunksOfAnySize) {
  const auto gpu = backends::make_backend("gpu", {});
  if (!gpu) GTEST_SKIP() << gpu.error().to_string();
  using backends::ActivationFormat;
  const std::vector<float> exact = logits("cpu", kTokens, ActivationFormat::kF32);
  const double bound = 1.5 * difference(logits("cpu", kTokens, ActivationFormat::kAuto), exact);
  EXPECT_GT(bound, 0);
  std::vector<float> first;
  for (const uint32_t chunk : {1u, 16u, 17u, 64u, 90u}) {
    const std::vector<float> got = logits("gpu", chunk, ActivationFormat::kAuto);
    EXPECT_LE(difference(got, exact), bound) << "chunks of " << chunk;
    if (first.empty()) first = got;
    EXPECT_LE(difference(got, first), std::sqrt(2.0) * bound) << "chunks of " << chunk;
  }
}

}  // namespace
}  // namespace tern::engine
