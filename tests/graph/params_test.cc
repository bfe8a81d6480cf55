// The params block: the words that kernels read, at the offsets that their constants say.
#include "graph/params.h"

#include <gtest/gtest.h>

#include <vector>

namespace tern::graph {
namespace {

TEST(Params, LayoutFollowsFromTheKey) {
  const ParamsLayout layout = ParamsLayout::of({.max_tokens = 8, .max_rows = 3, .max_seqs = 2, .max_pages = 5});
  EXPECT_EQ(layout.tokens, 16u);
  EXPECT_EQ(layout.positions, 24u);
  EXPECT_EQ(layout.sequences, 32u);
  EXPECT_EQ(layout.seqs, 40u);
  EXPECT_EQ(layout.rows, 48u);
  EXPECT_EQ(layout.samples, 51u);
  EXPECT_EQ(layout.pages, 99u);
  EXPECT_EQ(layout.bytes(), 104u * 4);
}

TEST(Params, AStepLiesAtItsOffsets) {
  const ParamsLayout layout = ParamsLayout::of({.max_tokens = 4, .max_rows = 2, .max_seqs = 3, .max_pages = 6});
  const std::vector<int32_t> tokens = {7, -1 - 2, 9};  // the second one is what state slot 2 holds
  const std::vector<uint32_t> positions = {4, 0, 1}, sequences = {0, 1, 1}, pages = {3, 1, 5}, rows = {0, 2};
  const std::vector<StepSequence> seqs = {{5, 0}, {2, 2}};
  std::vector<uint32_t> block(layout.words, 0xdeadbeef);
  const std::span<const uint32_t> used = write_params(layout, {tokens, positions, sequences, seqs, pages, rows}, block);
  EXPECT_EQ(used.size(), layout.pages + 3u);
  EXPECT_EQ(used.data(), block.data());
  const auto words = [&](uint32_t at, uint32_t n) {
    return std::vector<uint32_t>(block.begin() + at, block.begin() + at + n);
  };
  EXPECT_EQ(words(0, 6), (std::vector<uint32_t>{3, 2, 2, 5, 3, 0}));
  EXPECT_EQ(words(layout.tokens, 3), (std::vector<uint32_t>{7, 0xfffffffd, 9}));
  EXPECT_EQ(words(layout.positions, 3), positions);
  EXPECT_EQ(words(layout.sequences, 3), sequences);
  EXPECT_EQ(words(layout.seqs, 8), (std::vector<uint32_t>{5, 0, 0, 0, 2, 2, 0, 0}));
  EXPECT_EQ(words(layout.rows, 2), rows);
  EXPECT_EQ(words(layout.pages, 3), pages);
}

TEST(Params, GridsCountWorkgroups) {
  const StepCounts n{.t = 5, .r = 2, .s = 3, .max_kv = 1000};
  EXPECT_EQ((GridExpr{}.at(n)), 1u);
  EXPECT_EQ((GridExpr{.t = 64, .constant = 0, .divisor = 256}.at(n)), 2u);  // 320 / 256
  EXPECT_EQ((GridExpr{.s = 1, .kv = 1, .constant = 0, .divisor = 64}.at(n)), 16u);
  EXPECT_EQ((GridExpr{.r = 1, .constant = 0}.at({.t = 5})), 0u);  // such a step is skipped
  const uint32_t most = GridExpr::kMaxCoefficient;
  EXPECT_EQ((GridExpr{most, 0, 0, most, 0, 1}.at({UINT32_MAX, 0, 0, UINT32_MAX})), 2 * uint64_t{most} * UINT32_MAX);
}

}  // namespace
}  // namespace tern::graph
