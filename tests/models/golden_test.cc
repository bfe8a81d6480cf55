// Every architecture against PyTorch's f64 logits, on ref and on cpu, in any chunking, from safetensors and from GGUF.
#include "models/golden.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "models/gguf_file.h"
#include "models/runner.h"

namespace tern::test {
namespace {

using backends::BackendOptions;
using graph::KvFormat;

// f32 weights, activations and sums: a dot product of k <= 256 terms is off by at most k * 2^-24 = 1.5e-5 of the sum of
// its terms' sizes, which here is about ten. PyTorch's own f32 run differs from its f64 run by 2e-6 (golden.json).
constexpr float kF32Bound = 2e-4f;

// A cache of rounded keys and values, each off by u of its size (f16: 2^-11; q8_0: half a step of 1/127 of the largest
// of 32): a layer's scores, at most 4 here, are off by 4 u, its outputs by as much and by another u for the values. Two
// layers, and logits of size 4.
constexpr float cache_bound(float u) {
  return 2 * (4 + 1) * u * 4;
}
constexpr float kF16CacheBound = cache_bound(0x1p-11f);
constexpr float kQ8CacheBound = cache_bound(0.5f / 127);

class GoldenTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    Result<io::ModelFiles> files = io::open_model(golden_path(GetParam()));
    ASSERT_TRUE(files) << files.error().to_string();
    files_ = *std::move(files);
    golden_ = *read_golden(GetParam());
  }

  std::unique_ptr<Runner> runner(std::string_view backend, KvFormat kv = KvFormat::kF32,
                                 BackendOptions options = {.threads = 1},
                                 backends::ActivationFormat activations = backends::ActivationFormat::kF32) {
    options.activations = activations;
    Result<std::unique_ptr<Runner>> made = Runner::create(files_, backend, kv, options);
    EXPECT_TRUE(made) << made.error().to_string();
    return made ? *std::move(made) : nullptr;
  }

  // Logits within `bound` of PyTorch's, and bitwise the same whatever the chunks: one order of summation for every T.
  // A GPU has kernels of their own for few tokens: there, chunks have to keep the bound.
  std::vector<float> expect_logits(Runner& runner, float bound, bool bitwise = true) {
    const Result<std::vector<float>> logits = runner.prefill(golden_.ids);
    EXPECT_TRUE(logits) << logits.error().to_string();
    if (!logits) return {};
    EXPECT_LE(max_difference(*logits, golden_.logits), bound);
    for (const size_t chunk : {1, 7, 16}) {
      const Result<std::vector<float>> chunked = runner.prefill(golden_.ids, chunk);
      EXPECT_TRUE(chunked) << chunked.error().to_string();
      if (!chunked) return {};
      EXPECT_TRUE(!bitwise || *chunked == *logits) << "in chunks of " << chunk;
      EXPECT_LE(max_difference(*chunked, golden_.logits), bound) << "in chunks of " << chunk;
    }
    return *logits;
  }

  void expect_greedy(Runner& runner, const std::vector<float>& logits) {
    ASSERT_FALSE(logits.empty());
    const auto tokens = runner.greedy(std::span(logits).last(runner.vocab()), golden_.greedy.size());
    ASSERT_TRUE(tokens) << tokens.error().to_string();
    EXPECT_EQ(*tokens, golden_.greedy);
  }

  // Float weights have float activations on a GPU, others int8 ones: 1.5 times what these cost the cpu.
  float gpu_bound(float of_floats) {
    if (!is_quantised()) return of_floats;
    const auto int8 = runner("cpu", KvFormat::kF32, {.threads = 1}, backends::ActivationFormat::kAuto);
    const Result<std::vector<float>> logits = int8->prefill(golden_.ids);
    return of_floats + 1.5f * max_difference(*logits, golden_.logits);
  }
  bool is_quantised() const { return std::string_view(GetParam()).find("awq") != std::string_view::npos; }

  // The likeliest token is PyTorch's wherever its lead is more than two errors.
  void expect_likeliest(Runner& runner, const std::vector<float>& logits, float bound) {
    const size_t vocab = runner.vocab();
    size_t clear = 0;
    for (size_t row = 0; row + vocab <= logits.size(); row += vocab) {
      const std::span<const float> wanted = std::span(golden_.logits).subspan(row, vocab);
      const std::span<const float> got = std::span(logits).subspan(row, vocab);
      std::vector<float> sorted(wanted.begin(), wanted.end());
      std::ranges::nth_element(sorted, sorted.begin() + 1, std::greater());
      const auto best = std::ranges::max_element(wanted);
      if (*best - sorted[1] <= 2 * bound) continue;
      ++clear;
      EXPECT_EQ(std::ranges::max_element(got) - got.begin(), best - wanted.begin()) << "at " << row / vocab;
    }
    EXPECT_GT(clear, 0u);
  }

  io::ModelFiles files_;
  Golden golden_;
};

TEST_P(GoldenTest, Ref) {
  const auto ref = runner("ref");
  ASSERT_TRUE(ref);
  expect_greedy(*ref, expect_logits(*ref, kF32Bound));
}

// cpu runs the graph after all passes, ref as it was written.
TEST_P(GoldenTest, Cpu) {
  for (const BackendOptions& options : {BackendOptions{.threads = 2}, BackendOptions{.threads = 1, .isa = "scalar"}}) {
    const auto cpu = runner("cpu", KvFormat::kF32, options);
    ASSERT_TRUE(cpu);
    expect_greedy(*cpu, expect_logits(*cpu, kF32Bound));
  }
}

// On the adapter there is, with what it has and as the weakest device would do it: default limits, no optional
// features.
TEST_P(GoldenTest, Gpu) {
  const BackendOptions weak{.gpu_default_limits = true, .gpu_no_f16 = true, .gpu_no_subgroups = true};
  for (const BackendOptions& options : {BackendOptions{}, weak}) {
    if (const auto found = backends::make_backend("gpu", options); !found) {
      GTEST_SKIP() << found.error().to_string();
    }
    const auto gpu = runner("gpu", KvFormat::kF32, options);
    ASSERT_TRUE(gpu);
    const float bound = gpu_bound(kF32Bound);
    const std::vector<float> logits = expect_logits(*gpu, bound, /*bitwise=*/false);
    if (is_quantised()) {
      expect_likeliest(*gpu, logits, bound);
    } else {
      expect_greedy(*gpu, logits);
    }
    const bool again = GetParam() == std::string_view("gemma2") || GetParam() == std::string_view("qwen3-moe");
    if (!again) break;  // the generic kernels are the same on both: two models show that the limits are kept
  }
}

TEST_P(GoldenTest, GpuCacheInF16) {
  if (const auto found = backends::make_backend("gpu", {}); !found) GTEST_SKIP() << found.error().to_string();
  const auto rounded = runner("gpu", KvFormat::kF16);
  ASSERT_TRUE(rounded);
  expect_logits(*rounded, gpu_bound(kF16CacheBound), /*bitwise=*/false);
}

TEST_P(GoldenTest, CacheInF16) {
  for (const std::string_view backend : {"ref", "cpu"}) {
    const auto rounded = runner(backend, KvFormat::kF16);
    ASSERT_TRUE(rounded);
    expect_logits(*rounded, kF16CacheBound);
  }
}

// A block of q8_0 is 32 columns of a head; only one of the models has such heads, the others are refused.
TEST_P(GoldenTest, CacheInQ8) {
  const bool whole_blocks = models::build_graph(files_)->hparams.head_dim % 32 == 0;
  EXPECT_EQ(whole_blocks, std::string_view(GetParam()) == "llama3-awq-g128");
  for (const std::string_view backend : {"ref", "cpu"}) {
    if (whole_blocks) {
      const auto rounded = runner(backend, KvFormat::kQ8_0);
      ASSERT_TRUE(rounded);
      expect_logits(*rounded, kQ8CacheBound);
    } else {
      const auto refused = Runner::create(files_, backend, KvFormat::kQ8_0);
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument) << refused.error().to_string();
    }
  }
}

// Names, the order of Q and K rows, gemma's norms, stacked experts and rope factors all change on the way; the logits
// may not.
TEST_P(GoldenTest, ThroughGguf) {
  const std::string path = testing::TempDir() + "tern_" + GetParam() + ".gguf";
  const Result<models::Export> exported = models::export_gguf(files_);
  ASSERT_TRUE(exported) << exported.error().to_string();
  const Result<void> written = write_gguf(*exported, files_.weights, path);
  ASSERT_TRUE(written) << written.error().to_string();
  Result<io::ModelFiles> gguf = io::open_model(path);
  ASSERT_TRUE(gguf) << gguf.error().to_string();
  files_ = *std::move(gguf);
  const auto ref = runner("ref");
  ASSERT_TRUE(ref);
  expect_greedy(*ref, expect_logits(*ref, kF32Bound));
}

std::string test_name(const testing::TestParamInfo<const char*>& info) {
  std::string name = info.param;
  std::erase(name, '-');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenTest, testing::ValuesIn(kGoldenModels), test_name);

// PyTorch's logits of gemma2 are those of a model without the cap on attention scores (see golden.h).
TEST(Gemma2Test, WithoutTheCapItMatchesPyTorch) {
  io::ModelFiles files = *io::open_model(golden_path("gemma2"));
  files.config["attn_logit_softcapping"] = nullptr;
  const Golden golden = *read_golden("gemma2", "golden");
  const auto ref = Runner::create(files, "ref");
  ASSERT_TRUE(ref) << ref.error().to_string();
  EXPECT_LE(max_difference(*(*ref)->prefill(golden.ids), golden.logits), kF32Bound);
}

}  // namespace
}  // namespace tern::test
