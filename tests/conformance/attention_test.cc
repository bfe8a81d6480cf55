// Attention over the paged cache: formats of the cache, windows, page borders, chunks, several sequences, and what
// fuses with it.
#include <cmath>

#include "conformance/harness.h"

namespace tern::conformance {
namespace {

using graph::KvFormat;
using graph::ValueId;

struct Shape {
  uint32_t n_heads = 4, n_kv_heads = 2, head_dim = 32;
  uint32_t window = 0;
  float softcap = 0;
  bool turned = false;  // with rope, as models have it
};

/// q, k and v are columns of the token's embedding. Keys of variance 1 and this scale give scores between -4 and 4.
Model attention_model(const Shape& s, KvFormat format, uint32_t page_tokens, uint32_t positions = 192) {
  Model model(1, s.n_kv_heads, s.head_dim);
  model.key.kv_format = format;
  model.key.page_tokens = page_tokens;
  model.n_pages = positions / page_tokens + 2;
  const uint32_t q_cols = s.n_heads * s.head_dim, kv_cols = s.n_kv_heads * s.head_dim;
  const ValueId all = model.activations(q_cols + 2 * kv_cols);
  ValueId q = model.builder.slice(all, 0, q_cols);
  ValueId k = model.builder.slice(all, q_cols, kv_cols);
  const ValueId v = model.builder.slice(all, q_cols + kv_cols, kv_cols);
  if (s.turned) {
    std::vector<float> freqs;
    for (uint32_t i = 0; i < s.head_dim / 2; ++i) freqs.push_back(std::pow(100.0f, -2.0f * i / s.head_dim));
    const ValueId f = model.builder.constant("freqs", freqs);
    const graph::RopeAttrs attrs{s.head_dim, s.head_dim, 1, 1.0f};
    q = model.builder.rope(q, f, attrs, "q");
    k = model.builder.rope(k, f, attrs, "k");
  }
  model.builder.kv_write(k, v, {0, s.n_kv_heads, s.head_dim});
  const float scale = 1 / std::sqrt(static_cast<float>(s.head_dim));
  model.builder.output(
      "y", model.builder.attention(q, {0, s.n_heads, s.n_kv_heads, s.head_dim, scale, s.softcap, s.window}));
  model.build();
  return model;
}

/// Scores are sums of head_dim products of size 1 (times scale, softcapped), so that weights have a relative error of
/// about head_dim ulp; the output is a mean of values of size below 4 with these weights over n positions.
double bound_of(const Shape& s, uint32_t n) {
  return 4 * (2.0 * s.head_dim + n + 16) * kUlp;
}

void compare(const Candidate& candidate, const Shape& shape, KvFormat format, uint32_t page_tokens, uint32_t n) {
  const Model model = attention_model(shape, format, page_tokens);
  Player expected(ref(), model, /*fuse=*/false);
  Player player(candidate, model);
  ASSERT_TRUE(player.plan_id()) << player.plan_id().error().to_string();
  const std::vector<float> got = run_chunked(player, model, n, 80);
  double bound = bound_of(shape, n);
  // Turned keys may round to the other neighbour: one step of the cache's format.
  if (shape.turned && format == KvFormat::kF16) bound += 4 * 0x1p-11;
  if (shape.turned && format == KvFormat::kQ8_0) bound += 4 * 4.0 / 127;
  expect_close(got, run_chunked(expected, model, n, 80), 0, bound);
  for (const uint32_t chunk : {1, 3, 7, 16, 33}) expect_same(run_chunked(player, model, n, chunk), got);
}

constexpr KvFormat kFormats[] = {KvFormat::kF32, KvFormat::kF16, KvFormat::kQ8_0};

TEST_P(Conformance, AttentionOfEveryCacheFormatAndPageSize) {
  for (const KvFormat format : kFormats) {
    for (const uint32_t page_tokens : {1u, 16u, 24u, 32u, 64u}) {
      compare(GetParam(), {}, format, page_tokens, 70);
      if (HasFailure()) return;
    }
  }
}

TEST_P(Conformance, AttentionOfGroupedHeads) {
  for (const Shape& shape : {Shape{1, 1, 32}, Shape{6, 6, 64}, Shape{7, 1, 32}, Shape{8, 4, 128}, Shape{12, 4, 96}}) {
    compare(GetParam(), shape, KvFormat::kF16, 16, 37);
    if (HasFailure()) return;
  }
  for (const uint32_t head_dim : {2u, 5u, 16u, 80u, 100u}) {  // not a multiple of the vectors
    compare(GetParam(), {4, 2, head_dim}, KvFormat::kF16, 16, 37);
    if (HasFailure()) return;
  }
}

/// Several blocks of positions (kAttentionBlock = 256), which threads share when there are few heads: a chunk of one
/// token must give the bits of a chunk of 80 there too.
TEST_P(Conformance, AttentionOverSeveralBlocks) {
  struct Case {
    Shape shape;
    KvFormat format;
    uint32_t page_tokens;
  };
  for (const Case& c : {Case{{4, 1, 32}, KvFormat::kF16, 32}, Case{{2, 2, 64}, KvFormat::kQ8_0, 32},
                        Case{{4, 1, 64}, KvFormat::kF16, 32}, Case{{6, 2, 128}, KvFormat::kQ8_0, 16},
                        Case{{2, 1, 64, 300}, KvFormat::kF16, 48}, Case{{4, 2, 16, 300, 30.0f}, KvFormat::kF32, 24}}) {
    constexpr uint32_t kPositions = 530;
    const Model model = attention_model(c.shape, c.format, c.page_tokens, kPositions);
    Player expected(ref(), model, /*fuse=*/false);
    Player player(GetParam(), model);
    const std::vector<float> got = run_chunked(player, model, kPositions, 80);
    expect_close(got, run_chunked(expected, model, kPositions, 80), 0, bound_of(c.shape, kPositions));
    for (const uint32_t chunk : {1, 37}) expect_same(run_chunked(player, model, kPositions, chunk), got);
    if (HasFailure()) return;
  }
}

/// The step at which the window begins to slide, and those beside it, in the middle and at the border of a page.
TEST_P(Conformance, AttentionWindows) {
  for (const uint32_t window : {1u, 2u, 15u, 16u, 17u, 33u, 64u}) {
    for (const uint32_t n : {window > 1 ? window - 1 : 1, window, window + 1, 80u}) {
      compare(GetParam(), {.window = window}, KvFormat::kF32, 16, n);
      if (HasFailure()) return;
    }
  }
}

/// A window as long as the sequence is no window.
TEST_P(Conformance, AttentionWindowOfEverything) {
  const Model all = attention_model({}, KvFormat::kF16, 16);
  const Model windowed = attention_model({.window = 40}, KvFormat::kF16, 16);
  Player without(GetParam(), all), with(GetParam(), windowed);
  expect_same(run_chunked(with, windowed, 40, 40), run_chunked(without, all, 40, 40));
}

TEST_P(Conformance, AttentionSoftcap) {
  compare(GetParam(), {.softcap = 2.0f}, KvFormat::kF32, 16, 60);
  compare(GetParam(), {.window = 20, .softcap = 50.0f}, KvFormat::kF16, 16, 60);
}

TEST_P(Conformance, RopeKvWrite) {
  for (const KvFormat format : kFormats) {
    const Shape shape{.window = 0, .turned = true};
    const Model model = attention_model(shape, format, 16);
    Player player(GetParam(), model);
    EXPECT_TRUE(player.uses(graph::Op::kRopeKvWrite));
    Player fused(ref(), model), unfused(ref(), model, /*fuse=*/false);
    expect_same(run_chunked(fused, model, 40, 40), run_chunked(unfused, model, 40, 40));
    compare(GetParam(), shape, format, 16, 60);
  }
}

TEST_P(Conformance, Q8CacheNeedsHeadsOfWholeBlocks) {
  Model model = attention_model({4, 2, 80}, KvFormat::kQ8_0, 16);
  EXPECT_EQ(Player::make(GetParam(), model, "attention q8_0 head_dim=80"), nullptr);
}

/// Two sequences in one step, their tokens interleaved and at different positions: bits as if each were alone.
TEST_P(Conformance, SequencesDoNotSeeEachOther) {
  const Model model = attention_model({.turned = true}, KvFormat::kF16, 16);
  Player alone(GetParam(), model);
  const std::vector<float> expected = run_chunked(alone, model, 40, 40);
  const size_t cols = expected.size() / 40;

  Player player(GetParam(), model);
  Step first = one_sequence(model, 0, 35);
  first.page_table = {5, 4, 3};  // sequence a, 35 tokens
  player.run(first);
  Step step;  // a goes on with 5 tokens while b begins with 17
  step.page_table = {5, 4, 3, 9, 1};
  step.seqs = {{40, 0}, {17, 3}};
  std::vector<size_t> rows;  // of `expected`
  for (uint32_t i = 0; i < 17; ++i) {
    for (const uint32_t s : {0u, 1u}) {
      if (s == 0 && i >= 5) continue;
      const uint32_t position = s == 0 ? 35 + i : i;
      step.tokens.push_back(one_sequence(model, position, 1).tokens[0]);
      step.positions.push_back(position);
      step.sequences.push_back(s);
      rows.push_back(position);
    }
  }
  const std::vector<float> got = player.run(step);
  for (size_t t = 0; t < rows.size(); ++t) {
    expect_same(std::span(got).subspan(t * cols, cols), std::span(expected).subspan(rows[t] * cols, cols));
  }
}

/// With equal scores the output is the mean of the values: what attention is, independent of ref.
TEST_P(Conformance, AttentionOfEqualScoresIsTheMean) {
  Model model(1, 1, 32);
  const ValueId v = model.activations(32);
  const ValueId zero = model.builder.scale(v, 0.0f);
  model.builder.kv_write(zero, v, {0, 1, 32});
  model.builder.output("y", model.builder.attention(zero, {0, 1, 1, 32, 1.0f, 0.0f, 0}));
  model.build();
  Player player(GetParam(), model);
  const Step step = one_sequence(model, 0, 50);
  const std::vector<float> got = player.run(step);
  std::vector<double> sum(32, 0);
  for (size_t t = 0; t < 50; ++t) {
    const std::vector<float> row = model.embedded(model.table, step.tokens[t]);
    for (size_t i = 0; i < 32; ++i) {
      sum[i] += row[i];
      EXPECT_NEAR(got[32 * t + i], sum[i] / static_cast<double>(t + 1), 60 * kUlp);
    }
  }
}

}  // namespace
}  // namespace tern::conformance
