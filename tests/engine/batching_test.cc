// The batch a sequence rides in never changes its tokens: random arrivals, cancels and preemptions, all page sizes,
// chunks, pools and numbers of steps in flight, against the same requests computed alone from the definition.
#include <random>

#include "harness.h"

namespace tern::engine {
namespace {

/// Two thirds of the tokens, others after each token.
void two_thirds(std::span<const int32_t> generated, std::span<uint32_t> allowed) {
  const uint32_t last = generated.empty() ? 0 : uint32_t(generated.back());
  for (uint32_t id = 0; id < allowed.size() * 32; id++) {
    if ((id + last) % 3 == 0) allowed[id / 32] &= ~(1u << id % 32);
  }
}

Request random_request(std::mt19937& random, uint32_t longest_prompt) {
  Request request;
  request.prompt.resize(1 + random() % longest_prompt);
  // Few different tokens at first, so that prefixes are often shared.
  for (size_t i = 0; i < request.prompt.size(); i++) request.prompt[i] = int32_t(i < 12 ? random() % 2 : random() % 50);
  request.max_tokens = 1 + random() % 25;
  request.sampling.seed = random();
  if (random() % 2) request.sampling.temperature = 0;
  if (random() % 3 == 0) request.sampling.repetition_penalty = 1.3f;
  if (random() % 6 == 0) request.sampling.typical_p = 0.9f;  // these two are drawn on the host
  if (random() % 6 == 0) request.sampling.logit_bias = {{int32_t(random() % 50), 2.f}};
  if (random() % 4 == 0) request.mask = two_thirds;
  if (random() % 3 == 0) request.stop_tokens = {int32_t(random() % 50)};
  return request;
}

void run_randomly(uint32_t seed, uint32_t depth) {
  std::mt19937 random(seed);
  Harness h(depth);
  h.end_tokens = {7};
  h.options.max_seqs = 1 + random() % 6;
  h.options.max_tokens = 1 + random() % 24;
  h.options.page_tokens = 1 + random() % 9;
  h.options.context = 48;
  h.options.kv_tokens = 48 + random() % 100;  // any request fits alone; most do not fit together
  h.options.share_prefixes = random() % 4 != 0;
  h.backend.pending_polls = random() % 3;
  ASSERT_TRUE(h.create());

  std::map<RequestId, Request> requests;
  std::vector<RequestId> cancelled;
  for (uint32_t i = 0; i < 40; i++) {
    const Request request = random_request(random, 40);
    requests[h.submit(request)] = request;
    for (uint32_t pumps = random() % 6; pumps > 0; pumps--) h.pump();
    if (random() % 6 == 0) {
      cancelled.push_back(1 + random() % (i + 1));
      h.engine->cancel(cancelled.back());
    }
  }
  h.drain();
  EXPECT_EQ(h.backend.unseen_tokens > 0, depth > 1);
  for (const auto& [id, request] : requests) {
    const Finished& answer = h.answers[id];
    const Finished expected = expected_answer(request, noise_logits, h.vocab, 48, h.end_tokens);
    ASSERT_TRUE(answer.done);
    if (answer.reason == StopReason::kCancelled) {
      ASSERT_TRUE(std::ranges::count(cancelled, id));
      ASSERT_LE(answer.tokens.size(), expected.tokens.size());
      ASSERT_TRUE(std::equal(answer.tokens.begin(), answer.tokens.end(), expected.tokens.begin())) << "seed " << seed;
    } else {
      ASSERT_EQ(answer.tokens, expected.tokens) << "seed " << seed << ", request " << id;
      ASSERT_EQ(answer.reason, expected.reason) << "seed " << seed << ", request " << id;
    }
  }
}

TEST(Batching, NeverChangesTokens) {
  for (uint32_t seed = 0; seed < 240 && !testing::Test::HasFailure(); seed++) {
    SCOPED_TRACE(seed);
    constexpr uint32_t kDepths[] = {0, 1, 2, 4};
    run_randomly(seed, kDepths[seed % 4]);
  }
}

void preempt(uint32_t depth) {
  Harness h(depth);
  h.options = {.max_seqs = 3, .max_tokens = 16, .context = 64, .kv_tokens = 64, .page_tokens = 4};
  ASSERT_TRUE(h.create());
  std::map<RequestId, Request> requests;
  for (int32_t i = 0; i < 3; i++) {
    Request request{.prompt = {i, i + 1, i + 2}, .max_tokens = 50};
    request.sampling.seed = 5;
    requests[h.submit(request)] = request;
  }
  h.drain();
  EXPECT_GT(h.engine->stats().preemptions, 0u) << "the test is to have some";
  for (const auto& [id, request] : requests) {
    EXPECT_EQ(h.answers[id].tokens, expected_answer(request, noise_logits, h.vocab, 64).tokens);
  }
}

TEST(Batching, PreemptedSequencesGoOnWithTheSameTokens) {
  for (const uint32_t depth : {0u, 1u, 2u, 4u}) preempt(depth);
}

TEST(Batching, SameSeedSameTextAndAnotherSeedAnother) {
  Harness h;
  ASSERT_TRUE(h.create());
  Request request{.prompt = {1, 2}, .max_tokens = 30};
  request.sampling.seed = 1;
  const RequestId a = h.submit(request), b = h.submit(request);
  request.sampling.seed = 2;
  const RequestId c = h.submit(request);
  h.drain();
  EXPECT_EQ(h.answers[a].tokens, h.answers[b].tokens);
  EXPECT_NE(h.answers[a].tokens, h.answers[c].tokens);
}

}  // namespace
}  // namespace tern::engine
