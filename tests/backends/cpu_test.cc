// What is special to the cpu backend: instruction sets, steps in flight, and that steps allocate nothing.
#include "backends/allocation_count.h"
#include "backends/cpu/kernels.h"
#include "backends/small_model.h"

namespace tern::backends {
namespace {

TEST(Cpu, StepsAllocateNothing) {
  for (const char* name : {"", "scalar"}) {
    SmallModel model("cpu", {.threads = 2, .isa = name});
    const SmallStep step;
    std::vector<float> out(2 * SmallModel::kVocabulary);
    const auto play = [&] {
      const auto ticket = model.backend->submit(model.id, step.params());
      ASSERT_TRUE(ticket);
      model.backend->wait(*ticket);
      ASSERT_EQ(model.backend->poll(*ticket, 0, out), Poll::kReady);
    };
    play();
    const uint64_t before = allocation_count();
    for (int i = 0; i < 10; ++i) play();
    EXPECT_EQ(allocation_count(), before);
  }
}

TEST(Cpu, UnknownIsaIsRefusedWithTheList) {
  const auto backend = make_backend("cpu", {.isa = "avx1024"});
  ASSERT_FALSE(backend);
  EXPECT_EQ(backend.error().code, ErrorCode::kUnsupported);
  for (const std::string_view isa : cpu::available_isas()) {
    EXPECT_NE(backend.error().message.find(isa), std::string::npos) << backend.error().message;
  }
}

TEST(Cpu, EveryAvailableIsaCanBeForced) {
  ASSERT_EQ(cpu::available_isas().front(), "scalar");
  for (const std::string_view isa : cpu::available_isas()) {
    const auto backend = make_backend("cpu", {.threads = 1, .isa = isa});
    ASSERT_TRUE(backend);
    EXPECT_EQ((*backend)->target().device, fmt::format("cpu {}", isa));
  }
  const auto best = make_backend("cpu", {.threads = 3});
  EXPECT_EQ((*best)->target().device, fmt::format("cpu {}", cpu::available_isas().back()));
  EXPECT_EQ((*best)->target().threads, 3u);
}

TEST(Cpu, UnknownBackend) {
  const auto backend = make_backend("npu", {});
  ASSERT_FALSE(backend);
  EXPECT_EQ(backend.error().code, ErrorCode::kNotFound);
}

/// Steps that were submitted without waiting give what they give one by one, and too many are refused.
TEST(Cpu, StepsInFlightRunInOrder) {
  SmallModel waiting("cpu", {.threads = 2}), rushing("cpu", {.threads = 2});
  std::vector<SmallStep> steps(12);  // each adds a token to sequence 0 and reads what those before have written
  for (uint32_t i = 0; i < steps.size(); ++i) {
    steps[i].tokens = {static_cast<int32_t>(i % SmallModel::kVocabulary)};
    steps[i].positions = {i};
    steps[i].sequences = {0};
    steps[i].seqs = {{i + 1, 0}};
    steps[i].rows = {0};
  }
  std::vector<float> expected(SmallModel::kVocabulary), got(expected);
  for (const SmallStep& step : steps) {
    const auto ticket = waiting.backend->submit(waiting.id, step.params());
    ASSERT_TRUE(ticket);
    waiting.backend->wait(*ticket);
    ASSERT_EQ(waiting.backend->poll(*ticket, 0, expected), Poll::kReady);
  }
  Ticket last;
  for (size_t i = 0; i < steps.size();) {
    const SmallStep step = steps[i];  // gone when the step runs
    if (const auto ticket = rushing.backend->submit(rushing.id, step.params())) {
      last = *ticket;
      ++i;
    } else {
      ASSERT_NE(ticket.error().message.find("in flight"), std::string::npos) << ticket.error().message;
    }
  }
  rushing.backend->wait(last);
  ASSERT_EQ(rushing.backend->poll(last, 0, got), Poll::kReady);
  EXPECT_EQ(got, expected);
}

TEST(Cpu, UnloadWaitsForItsSteps) {
  SmallModel model("cpu", {.threads = 2});
  ASSERT_TRUE(model.backend->submit(model.id, SmallStep().params()));
  model.backend->unload(model.id);
}

TEST(Cpu, SameLogitsOnEveryThreadCount) {
  std::vector<float> expected(2 * SmallModel::kVocabulary), got(expected);
  for (const uint32_t threads : {1u, 2u, 3u, 8u}) {
    SmallModel model("cpu", {.threads = threads});
    const auto ticket = model.backend->submit(model.id, SmallStep().params());
    ASSERT_TRUE(ticket);
    model.backend->wait(*ticket);
    ASSERT_EQ(model.backend->poll(*ticket, 0, got), Poll::kReady);
    if (threads == 1) expected = got;
    EXPECT_EQ(got, expected);
  }
}

}  // namespace
}  // namespace tern::backends
