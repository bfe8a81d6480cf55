// How many dispatches a step is: what decoding costs on a GPU is mostly their number. And which kernels prompts get.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <set>

#include "backends/webgpu/emitter.h"
#include "graph/builder.h"
#include "graph/passes/passes.h"

namespace tern::backends::webgpu {
namespace {

constexpr uint32_t kHidden = 128, kHeads = 4, kKvHeads = 2, kHeadDim = 32, kFeedForward = 256, kVocabulary = 96;

struct Kind {
  Format format = Format::kQ4_0;
  bool has_bias = false;
  uint32_t window = 0;
  std::optional<Format> v_format;      // as in Q4_K_M, where some v are Q6_K
  std::optional<Format> embed_format;  // as in AWQ checkpoints, where it is of floats
};

graph::Graph model(uint32_t layers, const Kind& kind) {
  graph::Builder b(layers, kKvHeads, kHeadDim);
  uint32_t tensor = 0;
  const auto weight = [&](const std::string& name, Format format, uint32_t rows, uint32_t cols) {
    return b.weight(name, format, rows, cols, {{tensor++, 0, rows}});
  };
  const auto linear = [&](graph::ValueId x, const std::string& name, uint32_t rows, uint32_t cols, bool bias = false) {
    const auto w = weight(name, kind.format, rows, cols);
    if (!bias) return b.linear(x, w, name);
    return b.linear(x, w, name, b.weight(name + ".bias", Format::kF32, rows, 1, {{tensor++, 0, rows}}));
  };
  const auto norm = [&](graph::ValueId x, const std::string& name, uint32_t cols) {
    return b.rms_norm(x, weight(name, Format::kF32, 1, cols), 1e-6f, name);
  };
  const auto freqs = b.constant("freqs", std::vector<float>(kHeadDim / 2, 0.5f));
  const graph::RopeAttrs rope{kHeadDim, kHeadDim, 0, 1.0f};
  auto x = b.embed(weight("embed", kind.embed_format.value_or(kind.format), kVocabulary, kHidden));
  for (uint32_t l = 0; l < layers; ++l) {
    const std::string at = "blk." + std::to_string(l);
    const auto n = norm(x, at + ".attn_norm", kHidden);
    const auto q = linear(n, at + ".q", kHeads * kHeadDim, kHidden, kind.has_bias);
    const auto k = linear(n, at + ".k", kKvHeads * kHeadDim, kHidden, kind.has_bias);
    const auto v = kind.v_format
                       ? b.linear(n, weight(at + ".v", *kind.v_format, kKvHeads * kHeadDim, kHidden), at + ".v")
                       : linear(n, at + ".v", kKvHeads * kHeadDim, kHidden, kind.has_bias);
    const auto turned = b.rope(q, freqs, rope, at + ".rope_q");
    b.kv_write(b.rope(k, freqs, rope, at + ".rope_k"), v, {l, kKvHeads, kHeadDim});
    const auto a = b.attention(turned, {l, kHeads, kKvHeads, kHeadDim, 0.125f, 0, kind.window});
    x = b.add(x, linear(a, at + ".o", kHidden, kHeads * kHeadDim));
    const auto m = norm(x, at + ".ffn_norm", kHidden);
    const auto g = b.glu(linear(m, at + ".gate", kFeedForward, kHidden), linear(m, at + ".up", kFeedForward, kHidden),
                         graph::Activation::kSilu);
    x = b.add(x, linear(g, at + ".down", kHidden, kFeedForward));
  }
  const auto pooled = b.pool_norm(x, weight("pool", Format::kF32, 1, kHidden), 1e-6f, "pooled");
  b.output("logits", linear(norm(b.gather_rows(x), "output_norm", kHidden), "output", kVocabulary, kHidden));
  b.output("pooled", pooled);
  auto graph = b.finish();
  EXPECT_TRUE(graph) << graph.error().to_string();
  return *std::move(graph);
}

/// A device with what Dawn adds to the standard.
graph::Target matrices() {
  graph::Target target{.backend = "webgpu"};
  target.gpu.packed_dot = target.gpu.f16 = target.gpu.subgroups = target.gpu.subgroup_matrix = true;
  target.gpu.subgroup_min = target.gpu.subgroup_max = 32;
  target.gpu.max_workgroup_bytes = 49152;
  return target;
}

graph::Target packed_dot() {
  graph::Target target{.backend = "webgpu"};
  target.gpu.packed_dot = true;
  return target;
}

/// Dispatches that a layer adds to a step of `tokens` tokens.
uint32_t dispatches_per_layer(const Kind& kind, uint32_t tokens, const graph::Target& target = packed_dot()) {
  uint32_t n[2] = {};
  for (const uint32_t layers : {2u, 3u}) {
    graph::Graph graph = model(layers, kind);
    EXPECT_TRUE(graph::run_passes(graph, target));
    const auto plan = lower(graph, {.max_tokens = 128, .max_rows = 64, .max_seqs = 64}, target);
    EXPECT_TRUE(plan) << plan.error().to_string();
    if (!plan) return 0;
    n[layers - 2] = plan->program(tokens).n_steps;
  }
  return n[1] - n[0];
}

TEST(FusedDecode, OneTokenTakesFiveDispatchesALayer) {
  EXPECT_EQ(dispatches_per_layer({}, 1), 5u);                         // llama
  EXPECT_EQ(dispatches_per_layer({.window = 16}, 1), 5u);             // mistral
  EXPECT_EQ(dispatches_per_layer({.has_bias = true}, 1), 5u);         // qwen2
  EXPECT_EQ(dispatches_per_layer({.format = Format::kQ4_1}, 1), 5u);  // scale and minimum
  EXPECT_EQ(dispatches_per_layer({.format = Format::kQ8_0}, 1), 5u);
  EXPECT_EQ(dispatches_per_layer({.embed_format = Format::kF16}, 1), 5u);
}

/// Q4_K_M: the product of q and k, and one of v, whose heads come after theirs.
TEST(FusedDecode, AVInAnotherFormatIsAProductOfItsOwn) {
  const Kind mix{.format = Format::kQ4_0, .v_format = Format::kQ8_0};
  EXPECT_EQ(dispatches_per_layer(mix, 1), 6u);
  EXPECT_EQ(dispatches_per_layer(mix, 16), 7u);
  EXPECT_EQ(dispatches_per_layer(mix, 100), 12u);
}

TEST(FusedDecode, FewTokensTakeSixDispatchesALayer) {
  for (const uint32_t tokens : {2u, 3u, 5u, 16u}) EXPECT_EQ(dispatches_per_layer({}, tokens), 6u) << tokens;
}

/// Such steps are played op by op.
TEST(FusedDecode, LeavesOtherModelsAndDevicesAlone) {
  EXPECT_GT(dispatches_per_layer({.format = Format::kF16}, 1), 6u) << "float weights have float activations";
  EXPECT_GT(dispatches_per_layer({}, 1, graph::Target{.backend = "webgpu"}), 6u) << "no packed products";
}

/// The kernels of a step of `tokens` tokens.
std::set<std::string> kernels(const Kind& kind, uint32_t tokens, const graph::Target& target) {
  graph::Graph graph = model(2, kind);
  EXPECT_TRUE(graph::run_passes(graph, target));
  const auto plan = lower(graph, {.max_tokens = 128, .max_rows = 64, .max_seqs = 64}, target);
  EXPECT_TRUE(plan) << plan.error().to_string();
  std::set<std::string> out;
  if (!plan) return out;
  const graph::PlanProgram program = plan->program(tokens);
  for (uint32_t s = 0; s < program.n_steps; ++s) {
    out.insert(plan->pipelines[plan->steps[program.first_step + s].pipeline].name);
  }
  return out;
}

/// The shaders of a step of one token whose names begin with `name`, for subgroups of these sizes.
std::vector<std::string> shaders(std::string_view name, uint32_t least, uint32_t most) {
  graph::Target target = packed_dot();
  target.gpu.subgroups = true;
  target.gpu.subgroup_min = least;
  target.gpu.subgroup_max = most;
  graph::Graph graph = model(2, {});
  EXPECT_TRUE(graph::run_passes(graph, target));
  const auto plan = lower(graph, {.max_tokens = 128, .max_rows = 64, .max_seqs = 64}, target);
  EXPECT_TRUE(plan) << plan.error().to_string();
  std::vector<std::string> out;
  const graph::PlanProgram program = plan->program(1);
  for (uint32_t s = 0; s < program.n_steps; ++s) {
    const graph::PlanPipeline& pipeline = plan->pipelines[plan->steps[program.first_step + s].pipeline];
    if (pipeline.name.starts_with(name)) out.push_back(pipeline.source);
  }
  EXPECT_FALSE(out.empty()) << name;
  return out;
}

/// Dawn counts the turns of every other loop in 64 bits, with a branch, wherever bounds are checked.
TEST(FusedDecode, LoopsAreOfTheKindThatDawnKnowsToEnd) {
  for (const std::string_view name : {"attention_split", "embed_q8"}) {
    for (const std::string& source : shaders(name, 32, 32)) {
      for (size_t at = source.find("for ("); at != std::string::npos; at = source.find("for (", at + 1)) {
        const std::string loop = source.substr(at, source.find('{', at) - at);
        EXPECT_TRUE(loop.ends_with("++) ")) << loop;
      }
    }
  }
}

TEST(FusedDecode, SubgroupsOfOneSizeAttendEachForItself) {
  const auto by_teams = [](uint32_t least, uint32_t most) {
    return shaders("attention_split", least, most)[0].find("fn attend(") != std::string::npos;
  };
  for (const uint32_t lanes : {8u, 16u, 32u, 64u}) EXPECT_TRUE(by_teams(lanes, lanes)) << lanes;
  EXPECT_FALSE(by_teams(8, 32)) << "which of them it will be is not known";
}

/// Hidden states that nobody asks for cost no dispatch.
TEST(FusedDecode, StepsWithoutPoolsSkipThem) {
  graph::Graph graph = model(2, {});
  ASSERT_TRUE(graph::run_passes(graph, packed_dot()));
  const auto plan = lower(graph, {.max_tokens = 128, .max_rows = 64, .max_seqs = 64}, packed_dot());
  ASSERT_TRUE(plan) << plan.error().to_string();
  for (const uint32_t tokens : {1u, 16u, 100u}) {
    uint32_t skipped = 0;
    const graph::PlanProgram program = plan->program(tokens);
    for (const graph::PlanStep& step : std::span(plan->steps).subspan(program.first_step, program.n_steps)) {
      const bool is_pool = plan->pipelines[step.pipeline].name.starts_with("pool_");
      const auto runs = [&](uint32_t pools) {
        const graph::StepCounts n{.t = tokens, .r = 1, .s = 1, .max_kv = tokens, .p = pools};
        return std::ranges::all_of(step.grid, [&](const graph::GridExpr& grid) { return grid.at(n) > 0; });
      };
      EXPECT_TRUE(runs(1)) << plan->strings[step.name];
      EXPECT_EQ(runs(0), !is_pool) << plan->strings[step.name];
      skipped += !runs(0);
    }
    EXPECT_EQ(skipped, 2u);
  }
}

TEST(FusedPrefill, TakesFewDispatchesALayer) {
  EXPECT_EQ(dispatches_per_layer({}, 100), 10u);             // attention leaves f32
  EXPECT_EQ(dispatches_per_layer({}, 100, matrices()), 8u);  // f16 there, and the product of gate and up stores GLU's
  EXPECT_EQ(dispatches_per_layer({.has_bias = true}, 100), 10u);
  EXPECT_EQ(dispatches_per_layer({}, 17), 10u) << "batches of single tokens";
}

TEST(FusedPrefill, UsesTheBestProductsThereAre) {
  EXPECT_TRUE(kernels({}, 100, packed_dot()).contains("gemm_dot"));
  EXPECT_TRUE(kernels({}, 100, packed_dot()).contains("flash"));
  EXPECT_TRUE(kernels({}, 100, matrices()).contains("gemm_matrix"));
  EXPECT_TRUE(kernels({}, 16, matrices()).contains("gemm_matrix"));
  EXPECT_FALSE(kernels({}, 8, matrices()).contains("gemm_matrix"));
  EXPECT_TRUE(kernels({}, 40, packed_dot()).contains("attention_split")) << "a token of each of 40 sequences";
  graph::Target small = matrices();
  small.gpu.max_workgroup_bytes = 16384;
  EXPECT_FALSE(kernels({}, 100, small).contains("gemm_matrix"));
}

/// Pipelines take time to compile: none for batches that cannot be.
TEST(FusedPrefill, PlansForAsManySequencesAsThereMayBe) {
  const auto most_tokens = [](uint32_t max_seqs) {
    std::vector<uint32_t> out;
    graph::Graph graph = model(1, {});
    EXPECT_TRUE(graph::run_passes(graph, packed_dot()));
    const auto plan = lower(graph, {.max_tokens = 512, .max_rows = 64, .max_seqs = max_seqs}, packed_dot());
    EXPECT_TRUE(plan) << plan.error().to_string();
    for (const graph::PlanProgram& program : plan->programs) out.push_back(program.max_tokens);
    return out;
  };
  EXPECT_EQ(most_tokens(1), (std::vector<uint32_t>{1, 16, 512}));
  EXPECT_EQ(most_tokens(16), (std::vector<uint32_t>{1, 2, 4, 8, 16, 512}));
  EXPECT_EQ(most_tokens(20), (std::vector<uint32_t>{1, 2, 4, 8, 16, 32, 512}));
}

/// What is not such a model is played op by op.
TEST(FusedPrefill, LeavesOtherModelsTheirOps) {
  const auto halves = kernels({.format = Format::kF16}, 100, packed_dot());
  EXPECT_TRUE(halves.contains("linear_tiled") && !halves.contains("gemm_dot")) << "float weights, float activations";
}

/// Whoever plays the plan may have tokens drawn on the device.
TEST(FusedDecode, EndsWithTheDrawingOfTokens) {
  graph::Target target{.backend = "webgpu"};
  const auto plan = lower(model(1, {}), {.max_tokens = 4, .max_rows = 3, .max_seqs = 2}, target);
  ASSERT_TRUE(plan) << plan.error().to_string();
  const uint32_t output = plan->find_output("tokens");
  ASSERT_NE(output, graph::kNone);
  const graph::PlanBinding& tokens = plan->outputs[output].binding;
  EXPECT_EQ(tokens.dtype, graph::DType::kI32);
  EXPECT_EQ(tokens.rows, graph::Dim::rows());
  EXPECT_EQ(plan->slots[tokens.slot].bytes, 3u * 4);
  for (const graph::PlanProgram& program : plan->programs) {
    const graph::PlanStep& last = plan->steps[program.first_step + program.n_steps - 1];
    EXPECT_EQ(plan->pipelines[last.pipeline].name, "sample_draw") << program.max_tokens;
  }
}

}  // namespace
}  // namespace tern::backends::webgpu
