// Several steps in flight on a backend that samples: the same answers for any depth, and what it takes to have them.
#include <cmath>

#include "harness.h"
#include "letters_tokenizer.h"

namespace tern::engine {
namespace {

Request greedy(std::vector<int32_t> prompt, uint32_t max_tokens) {
  Request request{.prompt = std::move(prompt), .max_tokens = max_tokens};
  request.sampling.temperature = 0;
  return request;
}

/// Everything that callers see of one request, in order.
using Log = std::vector<std::string>;

std::map<RequestId, Log> run_text(uint32_t depth, uint32_t pending_polls) {
  const auto tokenizer = letters_tokenizer();
  Harness h(depth);
  h.tokenizer = tokenizer.get();
  h.vocab = kLetters;
  h.end_tokens = {kEnd};
  h.options = {.max_seqs = 3, .max_tokens = 8, .context = 40, .kv_tokens = 80, .page_tokens = 4};
  h.backend.pending_polls = pending_polls;
  EXPECT_TRUE(h.create());
  for (int32_t i = 0; i < 12; i++) {
    Request request{.prompt = {i, i, 3}, .max_tokens = i % 3 == 0 ? 9u : 1000u};
    request.sampling.temperature = i % 2 ? 1.f : 0.f;
    request.sampling.seed = uint64_t(i);
    request.sampling.repetition_penalty = i % 5 ? 1.f : 1.2f;
    request.sampling.logprobs = i == 4 ? 2 : 0;
    if (i % 4 == 1) request.stop = {"a", "q", "zz"};
    EXPECT_TRUE(h.engine->submit(request));
  }
  std::map<RequestId, Log> logs;
  std::vector<Event> events;
  for (auto state = Engine::State::kBusy; state == Engine::State::kBusy;) {
    events.clear();
    state = h.engine->pump(events);
    for (const Event& event : events) {
      const char* reason = event.kind == Event::Kind::kFinished ? stop_reason_name(event.reason) : "";
      logs[event.request].push_back(fmt::format("{} {} {}", event.token, event.text, reason));
    }
  }
  EXPECT_TRUE(h.backend.violations.empty()) << h.backend.violations.front();
  EXPECT_EQ(h.engine->stats().pages_free, h.engine->stats().pages_total);
  return logs;
}

TEST(StepsInFlight, EventsAreTheSameForAnyDepth) {
  const auto expected = run_text(0, 0);
  ASSERT_EQ(expected.size(), 12u);
  for (const uint32_t depth : {1u, 2u, 4u, 8u}) {
    for (const uint32_t pending : {0u, 1u, 3u}) EXPECT_EQ(run_text(depth, pending), expected) << depth;
  }
}

TEST(StepsInFlight, AsManyAsTheTargetWantsAndNoMore) {
  for (const uint32_t depth : {1u, 2u, 4u}) {
    Harness h(depth);
    h.backend.pending_polls = 1000;
    ASSERT_TRUE(h.create());
    const RequestId id = h.submit(greedy({1, 2}, 3));
    for (int i = 0; i < 10; i++) EXPECT_EQ(h.pump(), Engine::State::kBusy);
    EXPECT_EQ(h.backend.steps.size(), std::min(depth, 3u)) << "and none beyond the tokens that are wanted";
    h.backend.pending_polls = 0;
    for (uint32_t i = 0; i < depth; i++) h.engine->wait(), h.pump();
    h.drain();
    EXPECT_EQ(h.answers[id].tokens, expected_answer(greedy({1, 2}, 3), noise_logits, h.vocab, 1000).tokens);
    EXPECT_EQ(h.backend.steps.size(), 3u);
  }
}

TEST(StepsInFlight, FourBytesAreReadBackForAToken) {
  Harness h(2);
  ASSERT_TRUE(h.create());
  Request request = greedy({1, 2, 3}, 50);
  h.submit(request);
  request.sampling = {.temperature = 1, .top_k = 5, .repetition_penalty = 1.3f, .seed = 3};
  h.submit(request);
  h.drain();
  EXPECT_EQ(h.backend.read_back, 4u * 2 * 50);
}

TEST(StepsInFlight, WhatTheDeviceCannotDrawIsDrawnFromLogits) {
  const auto bytes = [](auto set) {
    Harness h(2);
    EXPECT_TRUE(h.create());
    Request request = greedy({1, 2, 3}, 10);
    request.sampling.temperature = 1;
    set(request.sampling);
    const RequestId id = h.submit(request);
    h.drain();
    EXPECT_EQ(h.answers[id].tokens, expected_answer(request, noise_logits, h.vocab, 1000).tokens);
    return h.backend.read_back / 10;
  };
  EXPECT_EQ(bytes([](SamplingOptions&) {}), 4u);
  EXPECT_EQ(bytes([](SamplingOptions& o) { o.typical_p = 0.9f; }), 200u);
  EXPECT_EQ(bytes([](SamplingOptions& o) { o.logprobs = 1; }), 200u);
  EXPECT_EQ(bytes([](SamplingOptions& o) { o.logit_bias = {{3, 1.f}}; }), 200u);
  EXPECT_EQ(bytes([](SamplingOptions& o) { o.presence_penalty = 1, o.penalty_last_n = 10000; }), 4u)
      << "a short answer has no more tokens to look back on";
}

TEST(StepsInFlight, AMaskIsAskedWithEveryTokenKnown) {
  for (const bool on_device : {true, false}) {
    Harness h(4);
    ASSERT_TRUE(h.create());
    Request request = greedy({1, 2}, 12);
    if (!on_device) request.sampling.logprobs = 1;
    size_t asked = 0;
    request.mask = [&](std::span<const int32_t> generated, std::span<uint32_t> allowed) {
      EXPECT_EQ(generated.size(), asked++);
      std::ranges::fill(allowed, 0u);
      const int32_t next = generated.empty() ? 5 : (generated.back() * 3 + 1) % 50;
      allowed[size_t(next) / 32] = 1u << next % 32;
    };
    const RequestId id = h.submit(request);
    h.drain();
    ASSERT_EQ(h.answers[id].tokens.size(), 12u);
    h.answers[id].tokens.resize(5);
    EXPECT_EQ(h.answers[id].tokens, (std::vector<int32_t>{5, 16, 49, 48, 45}));
    EXPECT_EQ(h.backend.unseen_tokens, 0u);
    EXPECT_EQ(h.backend.read_back, 12u * (on_device ? 4 : 200));
  }
}

TEST(StepsInFlight, ADeviceThatFindsNoTokenEndsOneRequestOnly) {
  Harness h(2);
  h.backend.script = [](std::span<const int32_t> visible, std::span<float> logits) {
    noise_logits(visible, logits);
    if (visible[0] == 13 && visible.size() > 3) logits[3] = std::nanf("");
  };
  ASSERT_TRUE(h.create());
  const RequestId bad = h.submit(greedy({13}, 9)), good = h.submit(greedy({12}, 9));
  h.drain();
  EXPECT_EQ(h.answers[bad].reason, StopReason::kError);
  EXPECT_NE(h.answers[bad].error.find("position 4"), std::string::npos) << h.answers[bad].error;
  EXPECT_EQ(h.answers[bad].tokens.size(), 3u);
  EXPECT_EQ(h.answers[good].tokens.size(), 9u);
}

TEST(StepsInFlight, AFailedStepLeavesNothingBehind) {
  for (const bool at_submit : {true, false}) {
    for (const uint32_t depth : {2u, 4u}) {
      Harness h(depth);
      (at_submit ? h.backend.fail_submit_at : h.backend.fail_poll_at) = 3;
      h.backend.pending_polls = 1;
      ASSERT_TRUE(h.create());
      const RequestId a = h.submit(greedy({1}, 20));
      h.drain();
      EXPECT_EQ(h.answers[a].reason, StopReason::kError);
      const Request request = greedy({3}, 20);
      const RequestId next = h.submit(request);
      h.drain();
      EXPECT_EQ(h.answers[next].tokens, expected_answer(request, noise_logits, h.vocab, 1000).tokens);
    }
  }
}

TEST(StepsInFlight, RawLogitsWaitForStepsThatNobodyWants) {
  Harness h(4);
  h.options = {.max_tokens = 8, .max_rows = 8};
  h.backend.pending_polls = 3;
  ASSERT_TRUE(h.create());
  const RequestId id = h.submit(greedy({1}, 20));
  h.pump();
  h.engine->cancel(id);
  std::vector<float> expected(h.vocab);
  noise_logits(std::vector<int32_t>{4}, expected);
  const auto check = [&](uint32_t, std::span<const float> logits) -> Result<void> {
    EXPECT_TRUE(std::ranges::equal(logits, expected));
    return {};
  };
  const auto result = h.engine->run_logits(std::vector<int32_t>{4}, 1, check);
  EXPECT_TRUE(result) << result.error().to_string();
  h.drain();
}

}  // namespace
}  // namespace tern::engine
