// Tuned shapes of kernels: which are taken, and that a model computes the same with all of them.
#include <gtest/gtest.h>

#include <cmath>

#include "backends/webgpu/emitter.h"
#include "engine/logits.h"
#include "engine/memory.h"
#include "engine/model.h"
#include "graph/passes/passes.h"
#include "models/common/load.h"

namespace tern::engine {
namespace {

using backends::webgpu::Choice;

const std::string kDemo = std::string(TERN_SOURCE_DIR) + "/models/tern-demo-q8_0.gguf";
constexpr uint32_t kTokens = 40;

struct Lowered {
  graph::Plan plan;
  std::vector<Choice> choices;
};

Lowered lower_demo(graph::Target target, const graph::Tuning& tuning) {
  target.tuning = tuning;
  Lowered out;
  auto graph = models::build_graph(*io::open_model(kDemo))->graph;
  EXPECT_TRUE(graph::run_passes(graph, target));
  auto plan = backends::webgpu::lower(graph, plan_key({.max_seqs = 1}), target, &out.choices);
  EXPECT_TRUE(plan) << plan.error().to_string();
  if (plan) out.plan = *std::move(plan);
  return out;
}

graph::Target packed_dot() {
  graph::Target target{.backend = "webgpu"};
  target.gpu.packed_dot = true;
  return target;
}

graph::Tuning all_of(const std::vector<Choice>& choices, size_t variant) {
  graph::Tuning tuning;
  for (const Choice& choice : choices) tuning[choice.key] = choice.variants[variant % choice.variants.size()];
  return tuning;
}

TEST(GpuTuning, ChangesShapesThatKernelsOfferAndNoOthers) {
  const Lowered standard = lower_demo(packed_dot(), {});
  ASSERT_FALSE(standard.choices.empty());
  graph::Tuning unsound;
  for (const Choice& choice : standard.choices) {
    EXPECT_NE(std::ranges::find(choice.variants, choice.standard), choice.variants.end()) << choice.key;
    EXPECT_FALSE(choice.steps.empty()) << choice.key;
    unsound[choice.key] = {1000, 1000, 1000};
  }
  EXPECT_EQ(lower_demo(packed_dot(), unsound).plan, standard.plan);
  EXPECT_EQ(lower_demo(packed_dot(), {{"another kernel", {1}}}).plan, standard.plan);
  EXPECT_NE(lower_demo(packed_dot(), all_of(standard.choices, 1)).plan, standard.plan);
}

std::vector<float> logits(const std::string& device, const backends::BackendOptions& options) {
  auto backend = backends::make_backend(device, options);
  EXPECT_TRUE(backend) << backend.error().to_string();
  if (!backend) return {};
  auto model = load_model(kDemo, std::move(*backend), {.max_seqs = 1, .max_tokens = 16, .max_rows = 16});
  EXPECT_TRUE(model) << model.error().to_string();
  if (!model) return {};
  std::vector<int32_t> tokens;
  for (uint32_t i = 0; i < kTokens; ++i) tokens.push_back(static_cast<int32_t>(i * 37 % 200 + 3));
  std::vector<float> out;
  for (const uint32_t chunk : {16u, 1u}) {  // both programs
    const auto keep = [&](uint32_t, std::span<const float> row) -> Result<void> {
      out.insert(out.end(), row.begin(), row.end());
      return {};
    };
    const auto done = run_logits(**model, tokens, chunk, keep);
    EXPECT_TRUE(done) << done.error().to_string();
  }
  return out;
}

double difference(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size() || a.empty()) return INFINITY;
  double error = 0, scale = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    error += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
    scale += double{b[i]} * b[i];
  }
  return std::sqrt(error / scale);
}

/// Another order of a sum changes which way an int8 is rounded now and then, so that two shapes differ by about what
/// either loses to int8.
TEST(GpuTuning, GivesTheSameModelInEveryShape) {
  const auto gpu = backends::make_backend("gpu", {});
  if (!gpu) GTEST_SKIP() << gpu.error().to_string();
  const graph::Target target = (*gpu)->target();
  const std::vector<Choice> choices = lower_demo(target, {}).choices;
  ASSERT_FALSE(choices.empty());
  const auto exact = logits("cpu", {.threads = 1, .activations = backends::ActivationFormat::kF32});
  const double bound = 1.5 * difference(logits("cpu", {.threads = 1}), exact);
  size_t most = 0;
  for (const Choice& choice : choices) most = std::max(most, choice.variants.size());
  const size_t step = std::getenv("TERN_TEST_ALL") != nullptr ? 1 : most / 2;  // a CPU compiles each for seconds
  for (size_t variant = 1; variant < most; variant += step) {
    const std::map<std::string, graph::Tuning> tunings{{target.adapter, all_of(choices, variant)}};
    EXPECT_LE(difference(logits("gpu", {.gpu_tunings = &tunings}), exact), bound) << "variant " << variant;
  }
}

}  // namespace
}  // namespace tern::engine
