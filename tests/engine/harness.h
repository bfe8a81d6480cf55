// An engine on the scripted backend, and what its answers should be: computed one sequence at a time from the script
// and the sampler, with no engine, pages or batches in between.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>

#include "engine/engine.h"
#include "engine/memory.h"
#include "engine/sampler.h"
#include "scripted_backend.h"

namespace tern::engine {

struct Finished {
  std::vector<int32_t> tokens;
  std::string text;
  std::vector<float> embedding;
  bool done = false;
  StopReason reason = StopReason::kError;
  std::string error;
};

inline graph::Plan scripted_plan(const EngineOptions& options, uint32_t vocab, bool samples = false) {
  graph::Plan plan;
  plan.backend = "scripted";
  plan.key = plan_key(options);
  plan.n_layers = 1;
  plan.n_kv_heads = 1;
  plan.head_dim = 32;
  plan.outputs.push_back(
      {.name = "logits", .binding = {.rows = graph::Dim::rows(), .cols = vocab, .row_stride = vocab}});
  plan.outputs.push_back(
      {.name = "pooled", .binding = {.rows = graph::Dim::pools(), .cols = kHidden, .row_stride = kHidden}});
  if (samples) {
    plan.outputs.push_back(
        {.name = "tokens",
         .binding = {.dtype = graph::DType::kI32, .rows = graph::Dim::rows(), .cols = 1, .row_stride = 1}});
  }
  return plan;
}

struct Harness {
  /// depth: of steps in flight, on a backend that samples; 0: one that only computes logits.
  explicit Harness(uint32_t depth = 0) : backend(std::max(depth, 1u)), samples(depth > 0) {}

  ScriptedBackend backend;
  bool samples;
  EngineOptions options;
  uint32_t vocab = 50;
  const text::Tokenizer* tokenizer = nullptr;
  std::vector<int32_t> end_tokens;
  std::unique_ptr<Engine> engine;
  std::map<RequestId, Finished> answers;
  std::vector<std::string> device_events;
  std::vector<Replacement> replacements;

  Result<void> create(uint32_t model_context = 1000) {
    PlayableModel model{
        .playable = {.backend = &backend, .plan = scripted_plan(options, vocab, samples), .weights = {}},
        .tokenizer = tokenizer,
        .end_tokens = end_tokens,
        .vocab = vocab,
        .context = model_context,
        .replacements = replacements};
    engine = TRY(Engine::create(std::move(model), options));
    return {};
  }
  RequestId submit(Request request) {
    auto id = engine->submit(std::move(request));
    EXPECT_TRUE(id) << id.error().to_string();
    return id.value_or(0);
  }
  Engine::State pump() {
    std::vector<Event> events;
    const auto state = engine->pump(events);
    for (Event& event : events) {
      if (event.kind == Event::Kind::kDevice) {
        device_events.push_back(event.text);
        continue;
      }
      Finished& answer = answers[event.request];
      EXPECT_FALSE(answer.done) << "an event after the last of request " << event.request;
      if (event.kind == Event::Kind::kToken) answer.tokens.push_back(event.token);
      if (event.kind == Event::Kind::kText) answer.text += event.text;
      if (event.kind == Event::Kind::kEmbedding) answer.embedding = event.embedding;
      if (event.kind != Event::Kind::kFinished) continue;
      answer.done = true;
      answer.reason = event.reason;
      answer.error = event.error;
    }
    return state;
  }
  /// Pumps until nothing is left; a step takes 1 + pending_polls pumps.
  void drain(uint32_t limit = 100000) {
    while (pump() == Engine::State::kBusy && limit-- > 0) {
    }
    EXPECT_GT(limit, 0u) << "the engine does not come to rest";
    EXPECT_TRUE(backend.violations.empty()) << backend.violations.front();
    const EngineStats stats = engine->stats();
    EXPECT_EQ(stats.pages_free, stats.pages_total) << "pages were lost";
    EXPECT_EQ(stats.running + stats.waiting, 0u);
  }
};

/// What a request must answer, by the definition alone.
inline Finished expected_answer(const Request& request, const Script& script, uint32_t vocab, uint32_t context,
                                const std::vector<int32_t>& end_tokens = {}) {
  Sampler sampler(vocab);
  std::vector<int32_t> tokens = request.prompt;
  std::vector<float> logits(vocab);
  Finished answer{.done = true};
  while (true) {
    if (answer.tokens.size() == request.max_tokens) return answer.reason = StopReason::kLength, answer;
    if (tokens.size() > context) return answer.reason = StopReason::kContext, answer;
    script(tokens, logits);
    std::vector<uint32_t> mask(request.mask ? (vocab + 31) / 32 : 0, UINT32_MAX);
    if (request.mask) request.mask(answer.tokens, mask);
    const auto sample = sampler.sample(logits, request.sampling, tokens, mask);
    const int32_t token = sample.value().token;
    if (!request.ignore_eos && std::ranges::count(end_tokens, token)) return answer.reason = StopReason::kEnd, answer;
    if (std::ranges::count(request.stop_tokens, token)) return answer.reason = StopReason::kStop, answer;
    tokens.push_back(token);
    answer.tokens.push_back(token);
  }
}

}  // namespace tern::engine
