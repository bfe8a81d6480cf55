// No allocation while tokens flow: operator new is counted over a thousand steps of steady decoding.
#include "allocation_count.h"
#include "engine/model.h"
#include "harness.h"
#include "letters_tokenizer.h"

namespace tern::engine {
namespace {

/// per_pump: steps that a pump gets done.
uint64_t allocations_while_decoding(Harness& h, const SamplingOptions& sampling, uint64_t per_pump) {
  for (int32_t i = 0; i < 4; i++) {
    Request request{.prompt = {i, 1, 2}, .sampling = sampling};
    request.sampling.seed = i;
    request.ignore_eos = true;
    if (h.tokenizer) request.stop = {"no such text"};
    h.submit(request);
  }
  h.backend.steps.reserve(10000);
  std::vector<Event> events;
  events.reserve(1000);
  for (int i = 0; i < 20; i++) h.engine->pump(events);  // admission and prefill may allocate
  const uint64_t before = allocation_count(), tokens = h.engine->stats().generated_tokens;
  for (int i = 0; i < 1000; i++) {
    events.clear();
    EXPECT_EQ(h.engine->pump(events), Engine::State::kBusy);
  }
  const uint64_t count = allocation_count() - before;
  EXPECT_EQ(h.engine->stats().generated_tokens - tokens, 4000 * per_pump);
  return count;
}

TEST(Allocations, NoneWhileTokensFlow) {
  if (!kCountsAllocations) GTEST_SKIP() << "ThreadSanitizer keeps operator new to itself";
  SamplingOptions everything{.temperature = 0.9f,
                             .top_k = 20,
                             .top_p = 0.9f,
                             .min_p = 0.01f,
                             .typical_p = 0.95f,
                             .repetition_penalty = 1.1f,
                             .frequency_penalty = 0.1f,
                             .presence_penalty = 0.1f,
                             .logit_bias = {{3, -1.f}}};
  SamplingOptions no_top_k{.temperature = 1, .top_k = 0, .top_p = 0.95f};
  SamplingOptions penalties{.repetition_penalty = 1.1f};
  for (const SamplingOptions& sampling : {SamplingOptions{.temperature = 0}, everything, no_top_k, penalties}) {
    for (const uint32_t depth : {0u, 1u}) {
      Harness h(depth);
      h.options.kv_tokens = 16000;  // room for all: being thrown out and let in again may allocate
      ASSERT_TRUE(h.create(3000));
      EXPECT_EQ(allocations_while_decoding(h, sampling, 1), 0u);
    }
  }
}

TEST(Allocations, NoneWithSeveralStepsInFlight) {
  if (!kCountsAllocations) GTEST_SKIP() << "ThreadSanitizer keeps operator new to itself";
  Harness h(2);
  h.options.kv_tokens = 40000;
  ASSERT_TRUE(h.create(9000));
  EXPECT_EQ(allocations_while_decoding(h, {.repetition_penalty = 1.1f}, 2), 0u);
}

TEST(Allocations, NoneForShortTextEither) {
  if (!kCountsAllocations) GTEST_SKIP() << "ThreadSanitizer keeps operator new to itself";
  const auto tokenizer = letters_tokenizer();
  Harness h;
  h.tokenizer = tokenizer.get();
  h.vocab = kLetters;
  h.options.kv_tokens = 16000;
  ASSERT_TRUE(h.create(3000));
  EXPECT_EQ(allocations_while_decoding(h, {}, 1), 0u) << "pieces of up to 15 bytes live in the string itself";
}

// The whole way: scheduler, sampler and the cpu backend with its threads.
TEST(Allocations, NoneOnTheCpuBackendEither) {
  if (!kCountsAllocations) GTEST_SKIP() << "ThreadSanitizer keeps operator new to itself";
  auto backend = backends::make_backend("cpu", {.threads = 2});
  ASSERT_TRUE(backend) << backend.error().to_string();
  auto model = load_model(std::string(TERN_TEST_DATA) + "/golden/llama31-gqa-ropescale", std::move(*backend),
                          {.kv_tokens = 4096});
  ASSERT_TRUE(model) << model.error().to_string();
  Engine& engine = *(*model)->engine;
  for (uint32_t i = 0; i < 3; i++) {
    Request request{.prompt = {1, 2, 3}, .ignore_eos = true};
    request.sampling.seed = i;
    ASSERT_TRUE(engine.submit(std::move(request)));
  }
  std::vector<Event> events;
  events.reserve(1000);
  uint64_t before = 0;
  for (int step = 0; step < 120; step++) {
    if (step == 20) before = allocation_count();
    events.clear();
    engine.pump(events);
    engine.wait();
  }
  EXPECT_EQ(allocation_count() - before, 0u);
  EXPECT_GT(engine.stats().generated_tokens, 300u);
}

}  // namespace
}  // namespace tern::engine
