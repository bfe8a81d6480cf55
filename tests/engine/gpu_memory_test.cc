// How much memory a model on a GPU takes, and who is told when that is too much.
#include <gtest/gtest.h>

#include "engine/memory.h"
#include "engine/model.h"

namespace tern::engine {
namespace {

const std::string kDemo = std::string(TERN_SOURCE_DIR) + "/models/tern-demo-q8_0.gguf";

TEST(GpuMemory, OfADeviceOfItsOwnDoesNotCountForTheHost) {
  MemoryEstimate estimate{.weights = 5'000'000'000, .kv_cache = 500'000'000, .activations = 100'000'000};
  const EngineOptions options{.memory_limit = 1'000'000'000, .memory_limit_name = "--memory-limit"};
  EXPECT_FALSE(check_memory(estimate, options));
  estimate.on_device = true;
  estimate.staging = 64 << 20;
  EXPECT_TRUE(check_memory(estimate, options));
  EXPECT_EQ(estimate.device(), 5'600'000'000u);
  EXPECT_EQ(estimate.total(), estimate.device() + estimate.host());
  const auto refused = check_memory(estimate, {.memory_limit = 10'000'000, .memory_limit_name = "--memory-limit"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kOutOfMemory);
  EXPECT_NE(refused.error().message.find("--memory-limit is 10000000 bytes"), std::string::npos);
}

TEST(GpuMemory, ACpuThatPlaysGpuHasTheHosts) {
  graph::Target target{.backend = "webgpu"};
  EXPECT_TRUE(target.has_own_memory());
  target.gpu.software = true;
  EXPECT_FALSE(target.has_own_memory());
  EXPECT_FALSE(graph::Target{.backend = "cpu"}.has_own_memory());
}

/// Weights fit, but not what else is needed: said before any of them is read.
TEST(GpuMemory, IsCheckedBeforeWeightsAreUploaded) {
  auto gpu = backends::make_backend("gpu", {});
  if (!gpu) GTEST_SKIP() << gpu.error().to_string();
  uint64_t uploaded = 0;
  const auto model = load_model(kDemo, std::move(*gpu), {.max_seqs = 1, .kv_tokens = 1u << 30},
                                [&](uint64_t done, uint64_t) { uploaded = std::max(uploaded, done); });
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code, ErrorCode::kOutOfMemory) << model.error().to_string();
  const std::string text = model.error().to_string();
  EXPECT_NE(text.find("keys need"), std::string::npos) << text;
  EXPECT_NE(text.find("MB of memory"), std::string::npos) << text;
  EXPECT_LT(uploaded, 1'000'000u) << "constants at most";
}

}  // namespace
}  // namespace tern::engine
