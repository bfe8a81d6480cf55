// Steps of many tokens on a GPU: a whole quantised model, in chunks of every size that has a program of its own.
// Skipped where there is no adapter.
#include "engine/gpu_logits.h"

namespace tern::engine {
namespace {

const std::string kDemo = std::string(TERN_SOURCE_DIR) + "/models/tern-demo-q8_0.gguf";
constexpr uint32_t kTokens = 90;

/// What int8 activations cost is measured on the cpu, whose kernels are others: the same products with activations in
/// f32 and in int8, both with a scale per 32. A GPU may lose half as much again, since its int8 is of values before the
/// norm; two chunkings differ by two such losses at most.
TEST(GpuPrefill, LosesWhatInt8ActivationsLoseInChunksOfAnySize) {
  const auto gpu = backends::make_backend("gpu", {});
  if (!gpu) GTEST_SKIP() << gpu.error().to_string();
  const backends::BackendOptions floats{.threads = 1, .activations = backends::ActivationFormat::kF32};
  const std::vector<float> exact = logits_of(kDemo, kTokens, {.device = "cpu", .chunk = kTokens, .backend = floats});
  const double bound = 1.5 * difference(logits_of(kDemo, kTokens, {.device = "cpu", .chunk = kTokens}), exact, kTokens);
  EXPECT_GT(bound, 0);
  std::vector<float> first;
  for (const uint32_t chunk : {1u, 16u, 17u, 64u, 90u}) {
    const std::vector<float> got = logits_of(kDemo, kTokens, {.device = "gpu", .chunk = chunk});
    EXPECT_LE(difference(got, exact, kTokens), bound) << "chunks of " << chunk;
    if (first.empty()) first = got;
    EXPECT_LE(difference(got, first, kTokens), std::sqrt(2.0) * bound) << "chunks of " << chunk;
  }
}

}  // namespace
}  // namespace tern::engine
