// Every architecture against PyTorch's f64 logits, on ref and on cpu, in any chunking.
#include "models/golden.h"

#include <gtest/gtest.h>

#include "models/runner.h"

namespace tern::test {
namespace {

// ref computes in f32 with sums of at most 176 products of weights and activations of size one; PyTorch's own f32 run
// differs from its f64 run by 2e-6 (golden.json). The project's bound leaves room for other orders of summation.
constexpr float kF32Bound = 2e-4f;

class GoldenTest : public testing::TestWithParam<const char*> {};

TEST_P(GoldenTest, RefMatchesPyTorch) {
  const Golden golden = *read_golden(GetParam());
  const Result<io::ModelFiles> files = io::open_model(golden_path(GetParam()));
  ASSERT_TRUE(files) << files.error().to_string();
  const auto runner = Runner::create(*files, "ref");
  ASSERT_TRUE(runner) << runner.error().to_string();
  const auto logits = (*runner)->prefill(golden.ids);
  ASSERT_TRUE(logits) << logits.error().to_string();
  EXPECT_LE(max_difference(*logits, golden.logits), kF32Bound);

  const uint32_t vocab = (*runner)->vocab();
  const auto tokens = (*runner)->greedy(std::span(*logits).last(vocab), golden.greedy.size());
  ASSERT_TRUE(tokens) << tokens.error().to_string();
  EXPECT_EQ(*tokens, golden.greedy);

  for (const size_t chunk : {1, 7, 16}) {
    const auto chunked = (*runner)->prefill(golden.ids, chunk);
    ASSERT_TRUE(chunked) << chunked.error().to_string();
    EXPECT_EQ(*chunked, *logits) << "in chunks of " << chunk;  // bitwise: one order of summation whatever T is
  }
}

std::string test_name(const testing::TestParamInfo<const char*>& info) {
  std::string name = info.param;
  std::erase(name, '-');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenTest, testing::ValuesIn(kGoldenModels), test_name);

}  // namespace
}  // namespace tern::test
