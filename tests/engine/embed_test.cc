// Embeddings on the scripted backend, whose hidden states are whole numbers, so that sums of them are exact.
#include <cmath>

#include "harness.h"

namespace tern::engine {
namespace {

Request embed(std::vector<int32_t> prompt, Pooling pooling, bool normalise = false) {
  return {.prompt = std::move(prompt), .embedding = EmbeddingOptions{.pooling = pooling, .normalise = normalise}};
}

std::vector<int32_t> prompt_of(uint32_t n, int32_t first) {
  std::vector<int32_t> out;
  for (uint32_t i = 0; i < n; i++) out.push_back(static_cast<int32_t>(first + 7 * i) % 50);
  return out;
}

/// By the definition alone.
std::vector<float> expected_embedding(const Request& request) {
  std::vector<double> sum(kHidden);
  const bool is_mean = request.embedding->pooling == Pooling::kMean;
  const auto tokens = std::span(request.prompt);
  for (size_t n = is_mean ? 1 : tokens.size(); n <= tokens.size(); n++) {
    const auto state = hidden_state(tokens.first(n));
    for (uint32_t i = 0; i < kHidden; i++) sum[i] += state[i];
  }
  double length = 0;
  for (const double x : sum) length += x * x;
  std::vector<float> out;
  const double divisor = request.embedding->normalise ? std::sqrt(length) : is_mean ? double(tokens.size()) : 1;
  for (const double x : sum) out.push_back(static_cast<float>(x / divisor));
  return out;
}

TEST(Embed, GivesMeanAndLastOfTheHiddenStates) {
  Harness h;
  ASSERT_TRUE(h.create());
  for (const Pooling pooling : {Pooling::kMean, Pooling::kLast}) {
    for (const bool normalise : {false, true}) {
      for (const uint32_t n : {1u, 2u, 31u, 32u, 33u, 100u}) {
        const Request request = embed(prompt_of(n, 3), pooling, normalise);
        const RequestId id = h.submit(request);
        h.drain();
        EXPECT_EQ(h.answers[id].embedding, expected_embedding(request)) << n;
        EXPECT_EQ(h.answers[id].reason, StopReason::kEnd);
        EXPECT_TRUE(h.answers[id].tokens.empty());
      }
    }
  }
}

/// In chunks of every size, among answers, with steps in flight, and with a pool so small that some lose their place:
/// the same embeddings, and the answers' tokens are those that each has alone.
TEST(Embed, RidesWithAnswersAndChangesNothing) {
  for (const uint32_t depth : {0u, 1u, 3u}) {
    for (const uint32_t max_tokens : {5u, 16u, 64u}) {
      Harness h(depth);
      h.options = {.max_seqs = 4, .max_tokens = max_tokens, .kv_tokens = 96, .page_tokens = 4};
      h.backend.pending_polls = 1;
      ASSERT_TRUE(h.create());
      std::map<RequestId, Request> embedded, answered;
      for (int32_t i = 0; i < 12; i++) {
        const uint32_t n = 3 + static_cast<uint32_t>(i) * 5 % 37;
        if (i % 2) {
          Request request{.prompt = prompt_of(n, i), .max_tokens = 20};
          request.sampling.seed = static_cast<uint64_t>(i);
          answered.emplace(h.submit(request), request);
        } else {
          const Request request = embed(prompt_of(n, i / 4), i % 4 ? Pooling::kLast : Pooling::kMean);
          embedded.emplace(h.submit(request), request);
        }
        h.pump();
      }
      h.drain();
      for (const auto& [id, request] : embedded) {
        EXPECT_EQ(h.answers[id].embedding, expected_embedding(request)) << "chunks of " << max_tokens;
      }
      for (const auto& [id, request] : answered) {
        EXPECT_EQ(h.answers[id].tokens, expected_answer(request, noise_logits, h.vocab, 1000).tokens);
      }
    }
  }
}

/// A mean needs every token's hidden state, so it takes no pages of others; the last token's can.
TEST(Embed, OnlyTheLastTokenSharesPrefixes) {
  Harness h;
  h.options.page_tokens = 4;
  ASSERT_TRUE(h.create());
  const Request mean = embed(prompt_of(30, 1), Pooling::kMean), last = embed(prompt_of(30, 1), Pooling::kLast);
  h.submit(mean);
  h.drain();
  EXPECT_EQ(h.engine->stats().shared_tokens, 0u);
  const RequestId again = h.submit(mean);
  h.drain();
  EXPECT_EQ(h.engine->stats().shared_tokens, 0u);
  EXPECT_EQ(h.answers[again].embedding, expected_embedding(mean));
  const RequestId shared = h.submit(last);
  h.drain();
  EXPECT_EQ(h.engine->stats().shared_tokens, 28u);
  EXPECT_EQ(h.answers[shared].embedding, expected_embedding(last));
}

TEST(Embed, NothingIsReadBackThatNobodyAskedFor) {
  Harness h;
  h.options.max_tokens = 16;
  ASSERT_TRUE(h.create());
  h.submit(embed(prompt_of(40, 1), Pooling::kLast));
  h.drain();
  EXPECT_EQ(h.backend.read_back, kHidden * 4u) << "no logits, and of three chunks only the last one's hidden state";
}

TEST(Embed, CancelledAndOverlongRequestsEndAsOthersDo) {
  Harness h;
  h.options = {.max_seqs = 2, .max_tokens = 8, .kv_tokens = 64, .page_tokens = 4};
  ASSERT_TRUE(h.create());
  const RequestId id = h.submit(embed(prompt_of(40, 1), Pooling::kMean));
  h.pump();
  h.engine->cancel(id);
  h.drain();
  EXPECT_EQ(h.answers[id].reason, StopReason::kCancelled);
  EXPECT_TRUE(h.answers[id].embedding.empty());
  EXPECT_FALSE(h.engine->submit(embed({}, Pooling::kMean)));
  EXPECT_FALSE(h.engine->submit(embed({50}, Pooling::kMean)));
  EXPECT_FALSE(h.engine->submit(embed(prompt_of(65, 1), Pooling::kMean)));
}

TEST(Embed, StartsAgainOnAnotherDevice) {
  ScriptedBackend other;  // outlives the engine
  Harness h;
  h.options.max_tokens = 8;
  h.backend.lose_device_at = 3;
  h.replacements = {[&]() -> Result<std::optional<Playable>> {
    return Playable{.backend = &other, .plan = scripted_plan(h.options, h.vocab), .weights = {}};
  }};
  ASSERT_TRUE(h.create());
  const Request request = embed(prompt_of(40, 1), Pooling::kMean);
  const RequestId id = h.submit(request);
  h.drain();
  EXPECT_EQ(h.engine->stats().device_losses, 1u);
  EXPECT_EQ(h.answers[id].embedding, expected_embedding(request));
}

}  // namespace
}  // namespace tern::engine
