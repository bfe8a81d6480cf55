// A device lost in mid-answer: the answer goes on elsewhere, with the tokens it would have had.
#include "engine/model.h"
#include "harness.h"
#include "lossy_backend.h"

namespace tern::engine {
namespace {

std::vector<Request> some_requests() {
  std::vector<Request> requests;
  for (int32_t i = 0; i < 5; i++) {
    Request request{.prompt = {7, 7, 7, 7, 7, i}, .max_tokens = uint32_t(4 + 3 * i)};
    request.sampling.seed = uint64_t(i);
    request.sampling.temperature = i % 2 ? 1.f : 0.f;
    if (i == 3) request.sampling.repetition_penalty = 1.2f;
    if (i == 4) request.sampling.typical_p = 0.9f;
    requests.push_back(request);
  }
  return requests;
}

/// A harness that is lost at one step, and may go on on `others`.
struct LossHarness : Harness {
  std::vector<std::unique_ptr<ScriptedBackend>> others;
  explicit LossHarness(uint32_t depth) : Harness(depth) {
    options = {.max_seqs = 3, .max_tokens = 8, .context = 60, .kv_tokens = 120, .page_tokens = 4};
  }
  ~LossHarness() { engine.reset(); }  // before the backends it plays on
  /// depth 0: it does not sample.
  ScriptedBackend& may_go_on(uint32_t depth) {
    others.push_back(std::make_unique<ScriptedBackend>(std::max(depth, 1u)));
    ScriptedBackend* other = others.back().get();
    replacements.push_back([this, other, depth]() -> Result<std::optional<Playable>> {
      return Playable{.backend = other, .plan = scripted_plan(options, vocab, depth > 0), .weights = {}};
    });
    return *other;
  }
  void answer_all() {
    std::map<RequestId, Request> asked;
    for (const Request& request : some_requests()) asked[submit(request)] = request;
    drain();
    for (const auto& [id, request] : asked) {
      const Finished expected = expected_answer(request, noise_logits, vocab, 60);
      EXPECT_EQ(answers[id].tokens, expected.tokens) << "request " << id;
      EXPECT_EQ(answers[id].reason, expected.reason);
    }
    for (const auto& other : others) {
      EXPECT_TRUE(other->violations.empty()) << other->violations.front();
    }
  }
};

TEST(DeviceLoss, AnswersGoOnWithTheSameTokens) {
  for (const uint32_t depth : {0u, 1u, 2u, 4u}) {
    for (uint64_t step = 1; step < 16; step++) {
      SCOPED_TRACE(fmt::format("depth {}, lost at step {}", depth, step));
      LossHarness h(depth);
      h.backend.pending_polls = step % 3;
      h.backend.lose_device_at = step;
      h.may_go_on((depth + step) % 3);
      ASSERT_TRUE(h.create());
      h.answer_all();
      ASSERT_EQ(h.device_events.size(), 2u);
      EXPECT_NE(h.device_events[0].find(fmt::format("lost during step {}", step)), std::string::npos);
      EXPECT_NE(h.device_events[1].find("a script"), std::string::npos) << "it says where it goes on";
      EXPECT_EQ(h.engine->stats().device_losses, 1u);
      EXPECT_EQ(h.backend.live_buffers + h.backend.live_plans, 0u) << "the lost backend may be destroyed";
    }
  }
}

TEST(DeviceLoss, NoticedBySubmitToo) {
  LossHarness h(2);
  h.may_go_on(2);
  ASSERT_TRUE(h.create());
  const Request request{.prompt = {1, 2}, .max_tokens = 5};
  const RequestId id = h.submit(request);
  h.backend.lost = true;
  h.drain();
  EXPECT_EQ(h.answers[id].tokens, expected_answer(request, noise_logits, h.vocab, 60).tokens);
}

TEST(DeviceLoss, ADeviceThatComesLaterIsWaitedFor) {
  LossHarness h(2);
  h.backend.lose_device_at = 4;
  h.may_go_on(2);
  int asked = 0;
  h.replacements[0] = [&, make = h.replacements[0]]() -> Result<std::optional<Playable>> {
    return ++asked < 5 ? std::nullopt : make();
  };
  ASSERT_TRUE(h.create());
  for (int i = 0; i < 6; i++) h.pump();
  h.answer_all();
  EXPECT_EQ(asked, 5);
}

TEST(DeviceLoss, RequestsMayComeAndGoWhileThereIsNoDevice) {
  LossHarness h(2);
  h.backend.lose_device_at = 1;
  h.may_go_on(2);
  bool there = false;
  h.replacements[0] = [&, make = h.replacements[0]]() -> Result<std::optional<Playable>> {
    return there ? make() : std::nullopt;
  };
  ASSERT_TRUE(h.create());
  const Request request{.prompt = {1, 2}, .max_tokens = 5};
  const RequestId cancelled = h.submit(request);
  for (int i = 0; i < 3; i++) EXPECT_EQ(h.pump(), Engine::State::kBusy);
  const RequestId id = h.submit(request);
  h.engine->cancel(cancelled);
  h.engine->wait();
  EXPECT_EQ(h.pump(), Engine::State::kBusy);
  there = true;
  h.drain();
  EXPECT_EQ(h.answers[cancelled].reason, StopReason::kCancelled);
  EXPECT_EQ(h.answers[id].tokens, expected_answer(request, noise_logits, h.vocab, 60).tokens);
}

TEST(DeviceLoss, TheNextChoiceIsTakenWhenOneFailsOrIsLostAtOnce) {
  LossHarness h(2);
  h.backend.lose_device_at = 3;
  h.may_go_on(2).out_of_memory = true;
  h.may_go_on(2).lose_device_at = 1;
  h.may_go_on(0);
  h.replacements.insert(h.replacements.begin(),
                        []() -> Result<std::optional<Playable>> { return fail(ErrorCode::kNotFound, "No adapter."); });
  ASSERT_TRUE(h.create());
  h.answer_all();
  EXPECT_EQ(h.engine->stats().device_losses, 2u);
  EXPECT_GT(h.others[2]->steps.size(), 5u);
}

TEST(DeviceLoss, ADeviceThatWorkedForAWhileIsTheFirstChoiceAgain) {
  LossHarness h(2);
  h.backend.lose_device_at = 3;
  ScriptedBackend& first = h.may_go_on(2);
  first.lose_device_at = 4;
  h.replacements[0] = [&, make = h.replacements[0]] {
    if (first.lost) first.lost = false, first.lose_device_at.reset();
    return make();
  };
  ASSERT_TRUE(h.create());
  h.answer_all();
  EXPECT_EQ(h.engine->stats().device_losses, 2u);
}

TEST(DeviceLoss, WithNoDeviceLeftEverythingEndsAndSaysWhy) {
  LossHarness h(2);
  h.backend.lose_device_at = 3;
  h.replacements.push_back(
      []() -> Result<std::optional<Playable>> { return fail(ErrorCode::kNotFound, "No adapter is there."); });
  ASSERT_TRUE(h.create());
  std::vector<RequestId> ids;
  for (const Request& request : some_requests()) ids.push_back(h.submit(request));
  h.drain();
  for (const RequestId id : ids) {
    EXPECT_EQ(h.answers[id].reason, StopReason::kError);
    EXPECT_NE(h.answers[id].error.find("No adapter is there."), std::string::npos) << h.answers[id].error;
  }
  const auto refused = h.engine->submit({.prompt = {1}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kDeviceLost);
}

TEST(DeviceLoss, APlanForOtherOptionsIsNoReplacement) {
  LossHarness h(1);
  h.backend.lose_device_at = 2;
  h.may_go_on(1);
  h.replacements[0] = [&]() -> Result<std::optional<Playable>> {
    EngineOptions other = h.options;
    other.max_tokens++;
    return Playable{.backend = h.others[0].get(), .plan = scripted_plan(other, h.vocab), .weights = {}};
  };
  ASSERT_TRUE(h.create());
  const RequestId id = h.submit({.prompt = {1}});
  h.drain();
  EXPECT_EQ(h.answers[id].reason, StopReason::kError);
}

TEST(DeviceLoss, RawLogitsFailOnceAndThenGoOn) {
  LossHarness h(2);
  h.options.max_rows = 8;
  h.backend.lose_device_at = 2;
  h.may_go_on(2);
  ASSERT_TRUE(h.create());
  const std::vector<int32_t> tokens = {1, 2, 3};
  uint32_t rows = 0;
  const auto count = [&](uint32_t, std::span<const float>) -> Result<void> {
    rows++;
    return {};
  };
  const auto lost = h.engine->run_logits(tokens, 1, count);
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, ErrorCode::kDeviceLost);
  EXPECT_TRUE(h.engine->run_logits(tokens, 1, count));
  EXPECT_EQ(rows, 1u + 3);
  h.answer_all();
  EXPECT_EQ(h.device_events.size(), 2u) << "told by the next pump()";
}

/// The whole way on the cpu backend: files, lowering and weights are gone through again.
TEST(DeviceLoss, ALoadedModelGoesOnOnAnotherBackend) {
  const std::string path = std::string(TERN_TEST_DATA) + "/golden/llama31-gqa-ropescale";
  const auto cpu = [] { return backends::make_backend("cpu", {.threads = 1, .isa = "scalar"}); };
  const auto tokens_of = [&](std::unique_ptr<backends::Backend> backend, std::vector<BackendFactory> replacements) {
    auto model = load_model(path, std::move(backend), {.kv_tokens = 1024}, {}, std::move(replacements)).value();
    std::map<RequestId, std::vector<int32_t>> tokens;
    for (int32_t i = 0; i < 3; i++) {
      Request request{.prompt = {1, 5, 9 + i}, .max_tokens = 12, .ignore_eos = true};
      request.sampling.seed = uint64_t(i);
      EXPECT_TRUE(model->engine->submit(std::move(request)));
    }
    std::vector<Event> events;
    while (model->engine->pump(events) == Engine::State::kBusy) model->engine->wait();
    for (const Event& event : events) {
      if (event.kind == Event::Kind::kToken) tokens[event.request].push_back(event.token);
    }
    return tokens;
  };
  const auto expected = tokens_of(cpu().value(), {});
  ASSERT_EQ(expected.at(1).size(), 12u);
  int made = 0;
  const BackendFactory lost_again = [&]() -> Result<std::unique_ptr<backends::Backend>> {
    made++;
    return std::make_unique<LossyBackend>(TRY(cpu()), 5);
  };
  const auto got = tokens_of(std::make_unique<LossyBackend>(cpu().value(), 7), {lost_again, cpu});
  EXPECT_EQ(got, expected);
  EXPECT_GE(made, 1);
}

}  // namespace
}  // namespace tern::engine
