// The engine's promises to its callers, one by one, on the scripted backend.
#include "engine/engine.h"

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

/// A script that says `answer` after a prompt of `prompt` tokens, then the end token for ever.
Script say(std::vector<int32_t> answer, size_t prompt = 1) {
  return [=](std::span<const int32_t> visible, std::span<float> logits) {
    std::ranges::fill(logits, 0.f);
    const size_t at = visible.size() - prompt;
    logits[at < answer.size() ? answer[at] : kEnd] = 10;
  };
}

struct LettersHarness : Harness {
  std::unique_ptr<text::Tokenizer> owned = letters_tokenizer();
  LettersHarness() {
    tokenizer = owned.get();
    vocab = kLetters;
    end_tokens = {kEnd};
  }
};

std::vector<int32_t> letters(std::string_view text) {
  std::vector<int32_t> ids;
  for (char c : text) ids.push_back(c == ' ' ? 26 : c - 'a');
  return ids;
}

Result<void> ignore_logits(uint32_t, std::span<const float>) {
  return {};
}

TEST(Engine, AnswersAsTheScriptAloneWould) {
  Harness h;
  ASSERT_TRUE(h.create());
  const Request request = greedy({1, 2, 3}, 20);
  const RequestId id = h.submit(request);
  h.drain();
  EXPECT_EQ(h.answers[id].tokens, expected_answer(request, noise_logits, h.vocab, 1000).tokens);
  EXPECT_EQ(h.answers[id].reason, StopReason::kLength);
}

TEST(Engine, IsIdleWithNothingToDo) {
  Harness h;
  ASSERT_TRUE(h.create());
  EXPECT_EQ(h.pump(), Engine::State::kIdle);
  EXPECT_TRUE(h.backend.steps.empty());
  h.engine->wait();
  EXPECT_EQ(h.backend.waits, 0u);
}

TEST(Engine, PumpNeverWaitsForAStep) {
  Harness h;
  h.backend.pending_polls = 1000000;
  ASSERT_TRUE(h.create());
  const RequestId id = h.submit(greedy({1}, 3));
  for (int i = 0; i < 1000; i++) EXPECT_EQ(h.pump(), Engine::State::kBusy);
  EXPECT_EQ(h.backend.steps.size(), 1u);
  EXPECT_EQ(h.backend.waits, 0u);
  EXPECT_TRUE(h.answers[id].tokens.empty());
  h.engine->wait();
  EXPECT_EQ(h.backend.waits, 1u);
  h.pump();
  EXPECT_EQ(h.answers[id].tokens.size(), 1u);
  h.engine->cancel(id);
  h.engine->wait();
  h.drain();
}

TEST(Engine, CountsTokensToTheLimitExactly) {
  Harness h;
  ASSERT_TRUE(h.create());
  for (uint32_t limit : {0u, 1u, 2u}) {
    const size_t steps = h.backend.steps.size();
    const RequestId id = h.submit(greedy({4}, limit));
    h.drain();
    EXPECT_EQ(h.answers[id].tokens.size(), limit);
    EXPECT_EQ(h.answers[id].reason, StopReason::kLength);
    EXPECT_EQ(h.backend.steps.size() - steps, limit) << "no step is spent on a token that nobody wants";
  }
}

TEST(Engine, EndsAtTheModelsEndTokenWithoutReportingIt) {
  LettersHarness h;
  h.backend.script = say(letters("hi"));
  ASSERT_TRUE(h.create());
  const RequestId id = h.submit(greedy({0}, 10));
  h.drain();
  EXPECT_EQ(h.answers[id].tokens, letters("hi"));
  EXPECT_EQ(h.answers[id].text, "hi");
  EXPECT_EQ(h.answers[id].reason, StopReason::kEnd);
}

TEST(Engine, IgnoringEosMakesTheEndTokenOneLikeOthers) {
  LettersHarness h;
  h.backend.script = say(letters("hi"));
  ASSERT_TRUE(h.create());
  Request request = greedy({0}, 4);
  request.ignore_eos = true;
  const RequestId id = h.submit(request);
  request.stop_tokens = {kEnd};
  const RequestId stopped = h.submit(request);
  h.drain();
  EXPECT_EQ(h.answers[id].tokens, (std::vector<int32_t>{7, 8, kEnd, kEnd}));
  EXPECT_EQ(h.answers[id].reason, StopReason::kLength);
  EXPECT_EQ(h.answers[id].text, "hi");
  EXPECT_EQ(h.answers[stopped].reason, StopReason::kStop) << "a stop token of the request still stops";
  EXPECT_EQ(h.answers[stopped].tokens, letters("hi"));
}

TEST(Engine, StopStringsAcrossTokensAreCutOut) {
  LettersHarness h;
  h.backend.script = say(letters("one two three"));
  ASSERT_TRUE(h.create());
  Request request = greedy({0}, 100);
  request.stop = {"o t", "zzz"};
  const RequestId id = h.submit(request);
  request.stop = {" twx"};
  const RequestId unhit = h.submit(request);
  request.stop = {"onf"};
  request.max_tokens = 2;
  const RequestId half = h.submit(request);
  h.drain();
  EXPECT_EQ(h.answers[id].text, "one tw");
  EXPECT_EQ(h.answers[id].reason, StopReason::kStop);
  EXPECT_EQ(h.answers[id].tokens, letters("one two t"));
  EXPECT_EQ(h.answers[unhit].text, "one two three");
  EXPECT_EQ(h.answers[unhit].reason, StopReason::kEnd);
  EXPECT_EQ(h.answers[half].text, "on") << "what was held back comes out at the end";
  EXPECT_EQ(h.answers[half].reason, StopReason::kLength);
}

TEST(Engine, TextComesInWholeCharacters) {
  LettersHarness h;
  h.backend.script = say({27, 28, 27});
  ASSERT_TRUE(h.create());
  std::vector<Event> events;
  ASSERT_TRUE(h.engine->submit(greedy({0}, 3)));
  std::vector<std::string> pieces;
  while (h.engine->pump(events) == Engine::State::kBusy) {
  }
  for (const Event& event : events) {
    if (event.kind == Event::Kind::kText) pieces.push_back(event.text);
  }
  EXPECT_EQ(pieces, (std::vector<std::string>{"\u00e9", "\ufffd"}));
}

TEST(Engine, TheContextLimitsPositionsExactly) {
  for (const uint32_t context : {7u, 8u, 9u}) {
    Harness h;
    h.options = {.context = context, .page_tokens = 4};
    ASSERT_TRUE(h.create());
    const Request request = greedy({1, 2, 3, 4, 5, 6}, 1000);
    const RequestId id = h.submit(request);
    h.drain();
    // Positions 6 .. context - 1 take tokens, and the last one yields a token that needs no position of its own.
    EXPECT_EQ(h.answers[id].tokens.size(), context - 6 + 1) << context;
    EXPECT_EQ(h.answers[id].reason, StopReason::kContext);
    EXPECT_EQ(h.answers[id].tokens, expected_answer(request, noise_logits, h.vocab, context).tokens);
  }
}

TEST(Engine, PromptsUpToTheContextAreTakenAndLongerOnesRefused) {
  Harness h;
  h.options = {.context = 8, .page_tokens = 4};
  ASSERT_TRUE(h.create());
  const RequestId id = h.submit(greedy(std::vector<int32_t>(8, 1), 5));
  h.drain();
  EXPECT_EQ(h.answers[id].tokens.size(), 1u);
  EXPECT_EQ(h.answers[id].reason, StopReason::kContext);
  const auto refused = h.engine->submit(greedy(std::vector<int32_t>(9, 1), 5));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("9 tokens"), std::string::npos) << refused.error().message;
}

TEST(Engine, AnAnswerThatFillsThePoolAloneEndsWithContext) {
  for (const uint32_t pool : {8u, 12u}) {
    Harness h;
    h.options = {.context = 100, .kv_tokens = pool, .page_tokens = 4};
    ASSERT_TRUE(h.create());
    const Request request = greedy({1, 2, 3, 4, 5}, 1000);
    const RequestId id = h.submit(request);
    h.drain();
    EXPECT_EQ(h.answers[id].tokens.size(), pool - 5 + 1);
    EXPECT_EQ(h.answers[id].reason, StopReason::kContext);
    EXPECT_FALSE(h.engine->submit(greedy(std::vector<int32_t>(pool + 1, 1), 5)));
  }
}

TEST(Engine, RefusesRequestsThatMakeNoSense) {
  Harness h;
  ASSERT_TRUE(h.create());
  EXPECT_FALSE(h.engine->submit(greedy({}, 1)));
  EXPECT_FALSE(h.engine->submit(greedy({50}, 1)));
  EXPECT_FALSE(h.engine->submit(greedy({1, -1}, 1)));
  Request request = greedy({1}, 1);
  request.sampling.top_p = 0;
  EXPECT_FALSE(h.engine->submit(request));
  request = greedy({1}, 1);
  request.stop = {"x"};
  EXPECT_FALSE(h.engine->submit(request)) << "without a tokenizer there is no text";
  EXPECT_EQ(h.pump(), Engine::State::kIdle);
}

TEST(Engine, CancelFreesPagesAtOnceInEveryState) {
  for (const uint32_t pumps : {0u, 1u, 2u, 3u, 5u, 6u, 9u}) {  // waiting, in flight, mid-prefill, decoding ...
    for (const uint32_t pending : {0u, 2u}) {
      Harness h;
      h.options = {.max_tokens = 16, .page_tokens = 4};
      h.backend.pending_polls = pending;
      ASSERT_TRUE(h.create());
      const Request other = greedy({9, 8, 7}, 12);
      const RequestId id = h.submit(greedy(std::vector<int32_t>(40, 3), 100));
      for (uint32_t i = 0; i < pumps; i++) h.pump();
      h.engine->cancel(id);
      EXPECT_EQ(h.engine->stats().pages_free, h.engine->stats().pages_total);
      const RequestId next = h.submit(other);  // gets the pages that a step in flight still writes
      h.drain();
      EXPECT_EQ(h.answers[id].reason, StopReason::kCancelled);
      EXPECT_EQ(h.answers[next].tokens, expected_answer(other, noise_logits, h.vocab, 1000).tokens);
    }
  }
}

TEST(Engine, CancellingTwiceOrUnknownRequestsIsNothing) {
  Harness h;
  ASSERT_TRUE(h.create());
  const RequestId id = h.submit(greedy({1}, 100));
  h.pump();
  h.engine->cancel(id);
  h.engine->cancel(id);
  h.engine->cancel(id + 100);
  h.drain();
  EXPECT_EQ(h.answers.size(), 1u);
}

TEST(Engine, SharedPrefixesSaveStepsAndChangeNothing) {
  std::vector<int32_t> system(64);
  for (size_t i = 0; i < system.size(); i++) system[i] = int32_t(i % 50);
  uint64_t computed[2];
  for (const bool share : {false, true}) {
    Harness h;
    h.options = {.max_tokens = 16, .page_tokens = 8, .share_prefixes = share};
    ASSERT_TRUE(h.create());
    for (int32_t user = 0; user < 5; user++) {
      Request request = greedy(system, 6);
      request.prompt.insert(request.prompt.end(), {user, user + 1});
      const RequestId id = h.submit(request);
      if (user < 2) continue;  // so that some share with the running, some with the finished
      h.drain();
      EXPECT_EQ(h.answers[id].tokens, expected_answer(request, noise_logits, h.vocab, 1000).tokens);
    }
    computed[share] = h.engine->stats().prompt_tokens;
    EXPECT_EQ(h.engine->stats().shared_tokens, share ? 4u * 64 : 0);
  }
  EXPECT_EQ(computed[false], 5u * 66);
  EXPECT_EQ(computed[true], 5u * 66 - 4 * 64);
}

TEST(Engine, LogprobsComeWithTokensWhenAskedFor) {
  Harness h;
  ASSERT_TRUE(h.create());
  Request request = greedy({1}, 2);
  request.sampling.logprobs = 3;
  ASSERT_TRUE(h.engine->submit(request));
  std::vector<Event> events;
  while (h.engine->pump(events) == Engine::State::kBusy) {
  }
  ASSERT_EQ(events.size(), 3u);
  for (const Event& event : std::span(events).first(2)) {
    ASSERT_TRUE(event.logprob);
    ASSERT_EQ(event.top_logprobs.size(), 3u);
    EXPECT_EQ(event.top_logprobs[0].token, event.token);
    EXPECT_EQ(event.top_logprobs[0].logprob, event.logprob->logprob);
  }
}

TEST(Engine, LogitsThatAreNoNumbersEndOneRequestOnly) {
  Harness h;
  h.backend.script = [](std::span<const int32_t> visible, std::span<float> logits) {
    noise_logits(visible, logits);
    if (visible[0] == 13) logits[3] = std::nanf("");
  };
  ASSERT_TRUE(h.create());
  const RequestId bad = h.submit(greedy({13}, 5)), good = h.submit(greedy({12}, 5));
  h.drain();
  EXPECT_EQ(h.answers[bad].reason, StopReason::kError);
  EXPECT_NE(h.answers[bad].error.find("nan"), std::string::npos) << h.answers[bad].error;
  EXPECT_EQ(h.answers[good].tokens.size(), 5u);
}

TEST(Engine, AFailedStepEndsItsRequestsAndTheEngineGoesOn) {
  for (const bool at_submit : {true, false}) {
    Harness h;
    (at_submit ? h.backend.fail_submit_at : h.backend.fail_poll_at) = 3;
    ASSERT_TRUE(h.create());
    const RequestId a = h.submit(greedy({1}, 5)), b = h.submit(greedy({2}, 5));
    h.drain();
    for (RequestId id : {a, b}) {
      EXPECT_EQ(h.answers[id].reason, StopReason::kError);
      EXPECT_NE(h.answers[id].error.find("The script fails this"), std::string::npos);
      EXPECT_EQ(h.answers[id].tokens.size(), 2u);
    }
    const RequestId next = h.submit(greedy({3}, 5));
    h.drain();
    EXPECT_EQ(h.answers[next].tokens.size(), 5u);
  }
}

TEST(Engine, ALostDeviceEndsEverythingAndRefusesMore) {
  Harness h;
  h.options.max_seqs = 1;
  h.backend.lose_device_at = 2;
  ASSERT_TRUE(h.create());
  const RequestId running = h.submit(greedy({1}, 5)), waiting = h.submit(greedy({2}, 5));
  h.drain();
  for (RequestId id : {running, waiting}) EXPECT_EQ(h.answers[id].reason, StopReason::kError);
  const auto refused = h.engine->submit(greedy({1}, 1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kDeviceLost);
  EXPECT_FALSE(h.engine->run_logits(std::vector<int32_t>{1}, 1, ignore_logits));
}

TEST(Engine, GivesEverythingBack) {
  Harness h;
  h.backend.pending_polls = 5;
  ASSERT_TRUE(h.create());
  EXPECT_EQ(h.backend.live_buffers, 2u);
  h.submit(greedy({1}, 5));
  h.pump();
  h.engine.reset();
  EXPECT_EQ(h.backend.waits, 1u) << "buffers must not go while a step uses them";
  EXPECT_EQ(h.backend.live_buffers, 0u);
  EXPECT_EQ(h.backend.live_plans, 0u);
}

TEST(Engine, CreateExplainsWhatCannotWork) {
  const auto error = [](auto set, auto check) {
    Harness h;
    set(h);
    const auto result = h.create();
    ASSERT_FALSE(result);
    EXPECT_NE(result.error().to_string().find(check), std::string::npos) << result.error().to_string();
  };
  error([](Harness& h) { h.backend.out_of_memory = true; }, "while making a KV cache of 1024 tokens");
  error([](Harness& h) { h.options.kv_bytes = 100; }, "holds no page");
  error([](Harness& h) { h.options.kv_tokens = UINT64_MAX; }, "pages");
  error([](Harness& h) { h.options.max_seqs = 0; }, "max_seqs is 0");
  error([](Harness& h) { h.options.max_tokens = 0; }, "max_tokens is 0");
  error([](Harness& h) { h.options.page_tokens = 0; }, "page_tokens is 0");
  error([](Harness& h) { h.vocab = 0; }, "vocabulary");
}

TEST(Engine, KvBudgetsBuyWholePages) {
  Harness h;
  h.options.kv_tokens = 33;
  ASSERT_TRUE(h.create());
  EXPECT_EQ(h.engine->stats().pages_total, 2u);
  Harness g;  // one layer, one head of 32 f16: 64 bytes a token for keys, as many for values
  g.options.kv_bytes = 3 * 32 * 128 + 127;
  ASSERT_TRUE(g.create());
  EXPECT_EQ(g.engine->stats().pages_total, 3u);
}

TEST(Engine, RunLogitsGivesEveryPositionForAnyChunk) {
  Harness h;
  h.options = {.max_tokens = 64, .max_rows = 64, .page_tokens = 4};
  ASSERT_TRUE(h.create());
  std::vector<int32_t> tokens(23);
  for (size_t i = 0; i < tokens.size(); i++) tokens[i] = int32_t(i * 7 % 50);
  for (const uint32_t chunk : {1u, 7u, 16u, 64u}) {
    uint32_t next = 0;
    const auto check = [&](uint32_t position, std::span<const float> logits) -> Result<void> {
      EXPECT_EQ(position, next++);
      std::vector<float> expected(h.vocab);
      noise_logits(std::span(tokens).first(position + 1), expected);
      EXPECT_TRUE(std::ranges::equal(logits, expected));
      return {};
    };
    const auto result = h.engine->run_logits(tokens, chunk, check);
    ASSERT_TRUE(result);
    EXPECT_EQ(next, tokens.size());
  }
  EXPECT_FALSE(h.engine->run_logits(tokens, 0, ignore_logits));
  EXPECT_FALSE(h.engine->run_logits(tokens, 65, ignore_logits));
  uint32_t rows = 0;
  const auto full = [&](uint32_t, std::span<const float>) -> Result<void> {
    if (++rows < 3) return {};
    return fail(ErrorCode::kIo, "The disk is full.");
  };
  EXPECT_EQ(h.engine->run_logits(tokens, 2, full).error().message, "The disk is full.");
  EXPECT_EQ(rows, 3u) << "no row comes after an error";
  EXPECT_TRUE(h.engine->run_logits(tokens, 2, ignore_logits)) << "and the engine goes on";
  h.submit(greedy({1}, 1));
  EXPECT_FALSE(h.engine->run_logits(tokens, 8, ignore_logits)) << "busy";
  h.drain();
}

}  // namespace
}  // namespace tern::engine
