// The params block: the words that kernels read, at the offsets that their constants say.
#include "graph/params.h"

#include <gtest/gtest.h>

#include <vector>

namespace tern::graph {
namespace {

TEST(Params, LayoutFollowsFromTheKey) {
  const ParamsLayout layout = ParamsLayout::of({.max_tokens = 8, .max_rows = 3, .max_seqs = 2, .max_pages = 5}, 0);
  EXPECT_EQ(layout.tokens, 16u);
  EXPECT_EQ(layout.positions, 24u);
  EXPECT_EQ(layout.sequences, 32u);
  EXPECT_EQ(layout.seqs, 40u);
  EXPECT_EQ(layout.rows, 48u);
  EXPECT_EQ(layout.pools, 51u);
  EXPECT_EQ(layout.samples, 55u);
  EXPECT_EQ(layout.pages, 103u);
  EXPECT_EQ(layout.bytes(), 108u * 4);
}

TEST(Params, AStepLiesAtItsOffsets) {
  const ParamsLayout layout = ParamsLayout::of({.max_tokens = 4, .max_rows = 2, .max_seqs = 3, .max_pages = 6}, 0);
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

TEST(Params, PoolsFollowTheRows) {
  const ParamsLayout layout = ParamsLayout::of({.max_tokens = 4, .max_rows = 2, .max_seqs = 3, .max_pages = 6}, 0);
  const std::vector<int32_t> tokens = {7, 8, 9, 9};
  const std::vector<uint32_t> positions = {0, 0, 1, 2}, sequences = {0, 1, 1, 1}, pages = {3, 1}, rows = {0};
  const std::vector<StepSequence> seqs = {{1, 0}, {3, 1}};
  const std::vector<StepPool> pools = {{0, 1}, {1, 3}};
  std::vector<uint32_t> block(layout.words, 0xdeadbeef);
  StepParams step{tokens, positions, sequences, seqs, pages, rows};
  step.pools = pools;
  write_params(layout, step, block);
  EXPECT_EQ(block[5], 2u);
  const auto at = block.begin() + layout.pools;
  EXPECT_EQ(std::vector<uint32_t>(at, at + 4), (std::vector<uint32_t>{0, 1, 1, 3}));
  EXPECT_EQ(count(step), (StepCounts{.t = 4, .r = 1, .s = 2, .max_kv = 3, .p = 2}));
}

TEST(Params, SamplesSayWhereTheirTokensAndMasksLie) {
  const PlanKey key = {.max_tokens = 4, .max_rows = 2, .max_seqs = 3, .max_pages = 6};
  const ParamsLayout layout = ParamsLayout::of(key, 40);
  EXPECT_EQ(layout.mask_words, 2u);
  EXPECT_EQ(layout.words, layout.pages + 6 + 2 * (kMaxRecent + 2));
  const std::vector<int32_t> tokens = {7, 8}, recent = {1, 2, 3};
  const std::vector<uint32_t> zeros = {0, 0}, sequences = {0, 1}, pages = {3, 1}, rows = {0, 1}, masks = {1, 2, 3, 4};
  const std::vector<StepSequence> seqs = {{1, 0}, {1, 1}};
  std::vector<StepSample> samples(2);
  samples[0].settings.seed = 0x100000002;
  samples[1] = {.settings = {.temperature = 0.5f, .top_k = 40},
                .position = 9,
                .word = 17,
                .first_recent = 1,
                .n_recent = 2,
                .masked = true};
  StepParams step{tokens, zeros, sequences, seqs, pages, rows, samples, recent, masks};
  ASSERT_TRUE(check_params(layout, key, step));
  std::vector<uint32_t> block(layout.words);
  EXPECT_EQ(write_params(layout, step, block).size(), layout.pages + 2 + 3 + 4u);
  const uint32_t* first = block.data() + layout.samples;
  EXPECT_EQ(first[7], 2u);
  EXPECT_EQ(first[8], 1u);
  EXPECT_EQ(first[11], ParamsLayout::kSampled);
  const uint32_t* second = first + ParamsLayout::kSample;
  EXPECT_EQ(second[0], 0x3f000000u);
  EXPECT_EQ(second[1], 40u);
  EXPECT_EQ(second[9], 9u);
  EXPECT_EQ(second[10], 17u);
  EXPECT_EQ(second[11], ParamsLayout::kSampled | ParamsLayout::kMasked);
  EXPECT_EQ(second[13], 2u);
  EXPECT_EQ(block[second[12]], 2u);
  EXPECT_EQ(block[second[14]], 3u);

  samples[1].n_recent = 3;  // beyond the list
  EXPECT_FALSE(check_params(layout, key, step));
  samples[1].n_recent = 2;
  samples[1].word = 24;  // 3 sequences have 24 words
  EXPECT_FALSE(check_params(layout, key, step));
  samples[1].word = 0;
  step.masks = std::span(masks).first(3);
  EXPECT_FALSE(check_params(layout, key, step));
  EXPECT_FALSE(check_params(ParamsLayout::of(key, 0), key, step));
}

TEST(Params, GridsCountWorkgroups) {
  const StepCounts n{.t = 5, .r = 2, .s = 3, .max_kv = 1000};
  EXPECT_EQ((GridExpr{}.at(n)), 1u);
  EXPECT_EQ((GridExpr{.t = 64, .constant = 0, .divisor = 256}.at(n)), 2u);  // 320 / 256
  EXPECT_EQ((GridExpr{.s = 1, .kv = 1, .constant = 0, .divisor = 64}.at(n)), 16u);
  EXPECT_EQ((GridExpr{.r = 1, .constant = 0}.at({.t = 5})), 0u);  // such a step is skipped
  EXPECT_EQ((GridExpr{.p = 3, .constant = 0}.at({.t = 5})), 0u);
  EXPECT_EQ((GridExpr{.p = 3, .constant = 0}.at({.t = 5, .p = 2})), 6u);
  const uint32_t most = GridExpr::kMaxCoefficient;
  EXPECT_EQ((GridExpr{.t = most, .kv = most, .constant = 0}.at({.t = UINT32_MAX, .max_kv = UINT32_MAX})),
            2 * uint64_t{most} * UINT32_MAX);
}

}  // namespace
}  // namespace tern::graph
