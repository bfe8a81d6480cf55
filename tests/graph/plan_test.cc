// Plans of lower_ops: memory that is live at the same time does not overlap, views are columns of their base.
#include "graph/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "graph/example_graphs.h"
#include "graph/passes/passes.h"

namespace tern::graph {
namespace {

constexpr PlanKey kKey = {.max_tokens = 5, .max_rows = 2, .max_seqs = 3, .kv_format = KvFormat::kF32, .page_tokens = 4};

Plan lowered(const Graph& graph, bool reuse = true, const PlanKey& key = kKey) {
  Result<Plan> plan = lower_ops(graph, key, "cpu", reuse);
  EXPECT_TRUE(plan) << plan.error().to_string();
  return *std::move(plan);
}

/// First and last step that bind each slot, outputs being read after the last.
std::vector<std::pair<size_t, size_t>> lifetimes(const Plan& plan) {
  std::vector<std::pair<size_t, size_t>> lives(plan.slots.size(), {SIZE_MAX, 0});
  const auto touch = [&](uint32_t slot, size_t step) {
    lives[slot] = {std::min(lives[slot].first, step), std::max(lives[slot].second, step)};
  };
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    const PlanStep& step = plan.steps[s];
    for (uint32_t i = 0; i < step.n_inputs + step.n_outputs; ++i) touch(plan.bindings[step.first_binding + i].slot, s);
  }
  for (const PlanOutput& output : plan.outputs) touch(output.binding.slot, plan.steps.size());
  return lives;
}

void expect_no_overlap(const Plan& plan) {
  const auto lives = lifetimes(plan);
  for (size_t a = 0; a < plan.slots.size(); ++a) {
    for (size_t b = 0; b < a; ++b) {
      const PlanSlot &x = plan.slots[a], &y = plan.slots[b];
      if (x.kind != SlotKind::kArena || y.kind != SlotKind::kArena) continue;
      const bool in_time = lives[a].first <= lives[b].second && lives[b].first <= lives[a].second;
      const bool in_space = x.offset < y.offset + y.bytes && y.offset < x.offset + x.bytes;
      EXPECT_FALSE(in_time && in_space) << "slots " << a << " and " << b << "\n" << dump(plan);
    }
  }
}

/// Columns of one slot may be written while others are read (the parts of a concat); the same ones never.
void expect_outputs_apart_from_inputs(const Plan& plan) {
  for (const PlanStep& step : plan.steps) {
    const auto* bindings = plan.bindings.data() + step.first_binding;
    for (uint32_t o = step.n_inputs; o < step.n_inputs + step.n_outputs; ++o) {
      for (uint32_t i = 0; i < o; ++i) {
        const PlanBinding &x = bindings[i], &y = bindings[o];
        const bool overlap = x.slot == y.slot && x.col0 < y.col0 + y.cols && y.col0 < x.col0 + x.cols;
        EXPECT_FALSE(overlap) << plan.strings[step.name];
      }
    }
  }
}

TEST(LowerOps, KeepsLiveValuesApartAndReusesTheRest) {
  const Graph graph = *llama_graph(4);
  const Plan reused = lowered(graph), separate = lowered(graph, false);
  expect_no_overlap(reused);
  expect_no_overlap(separate);
  EXPECT_LT(reused.arena_bytes(), separate.arena_bytes() / 4);
  EXPECT_EQ(reused, lowered(graph));
  EXPECT_EQ(reused.steps.size(), 1u + 4 * 16 + 3);
}

TEST(LowerOps, PassesAndShardsKeepTheRules) {
  for (const uint64_t bytes : {uint64_t{100}, uint64_t{300}, UINT64_MAX}) {
    Graph graph = *llama_graph(3);
    Target target;
    target.max_weight_bytes = bytes;
    ASSERT_TRUE(run_passes(graph, target));
    const Plan plan = lowered(graph);
    expect_no_overlap(plan);
    expect_outputs_apart_from_inputs(plan);
  }
}

/// A graph of `n` nodes that read any earlier values of [T, 12]: slices of slices, sums, norms, softcaps.
Graph random_graph(uint32_t seed, uint32_t n) {
  std::mt19937 random(seed);
  Example e(0);
  std::vector<ValueId> values = {e.b.embed(e.weight("table", kVocab, 12))};
  const ValueId weight = e.weight("norm", 1, 3);
  const auto any = [&] { return values[random() % values.size()]; };
  while (values.size() < n) {
    const ValueId x = any(), y = any();
    const uint32_t cols = e.b.desc(x).cols;
    switch (random() % 4) {
      case 0: {
        const uint32_t begin = random() % cols;
        values.push_back(e.b.slice(x, begin, 1 + random() % (cols - begin)));
        break;
      }
      case 1:
        values.push_back(e.b.softcap(x, 30));
        break;
      case 2:
        if (e.b.desc(y).cols == cols) values.push_back(e.b.add(x, y));
        break;
      case 3:
        if (cols % 3 == 0) values.push_back(e.b.rms_norm(x, weight, 1e-6f, "norm"));
        break;
    }
  }
  for (uint32_t i = 0; i < 3; ++i) e.b.output("out", any());
  return *e.b.finish();
}

TEST(LowerOps, RandomGraphsKeepTheRules) {
  for (uint32_t seed = 0; seed < 100; ++seed) {
    const Plan plan = lowered(random_graph(seed, 2 + seed));
    expect_no_overlap(plan);
    expect_outputs_apart_from_inputs(plan);
  }
}

TEST(LowerOps, ASliceOfASliceIsColumnsOfTheBase) {
  Example e(0);
  const ValueId x = e.b.embed(e.weight("table", kVocab, 12));
  const ValueId inner = e.b.slice(e.b.slice(x, 3, 8), 2, 4);  // columns 5, 6, 7, 8
  e.b.output("out", e.b.softcap(inner, 1));
  e.b.output("view", inner);
  const Plan plan = lowered(*e.b.finish());
  ASSERT_EQ(plan.steps.size(), 2u);
  const PlanBinding expected = {
      .slot = 0, .dtype = DType::kF32, .rows = Dim::tokens(), .cols = 4, .col0 = 5, .row_stride = 12};
  EXPECT_EQ(plan.bindings[plan.steps[1].first_binding], expected);
  EXPECT_EQ(plan.outputs[1].binding, expected);
}

TEST(LowerOps, SlotsHoldTheWorstCase) {
  Example e(0);
  const ValueId x = e.b.embed(e.weight("table", kVocab, 12));
  e.b.output("out", e.b.gather_rows(x));
  const Plan plan = lowered(*e.b.finish());
  EXPECT_EQ(plan.slots[0].bytes, 5 * 12 * 4u);  // T <= 5
  EXPECT_EQ(plan.slots[1].bytes, 2 * 12 * 4u);  // R <= 2
  EXPECT_EQ(plan.slots[2].bytes, 20 * 12 * 4u);
}

TEST(LowerOps, StepsWithTheSameAttributesShareAPipeline) {
  const Plan plan = lowered(*llama_graph(2));
  size_t linears = 0;
  for (const PlanPipeline& pipeline : plan.pipelines) linears += pipeline.op == Op::kLinear;
  EXPECT_EQ(linears, 1u);
}

TEST(LowerOps, RefusesKeysThatFixNoMemory) {
  const Graph graph = *llama_graph(1);
  PlanKey key = kKey;
  key.max_tokens = 0;
  EXPECT_FALSE(lower_ops(graph, key, "cpu", true));
  key = kKey;
  key.kv_format = KvFormat::kQ8_0;  // heads of 4
  const Result<Plan> plan = lower_ops(graph, key, "cpu", true);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().message, "A q8_0 cache holds blocks of 32 values, but heads have 4.");
}

TEST(Plan, DumpShowsSlotsAndSteps) {
  Example e(1);
  const ValueId x = e.b.embed(e.weight("table", kVocab, kDim));
  const ValueId k = e.b.slice(x, 4, 4);
  e.b.kv_write(k, k, {0, kKvHeads, kHeadDim});
  const ValueId a = e.b.attention(x, {0, kHeads, kKvHeads, kHeadDim, 0.5f, 0.0f, 0});
  e.b.output("out", e.b.softcap(a, 1));
  // T <= 5 rows of 8 columns of 4 bytes are 160 bytes, 192 in units of 64. The third value takes the first one's place.
  EXPECT_EQ(dump(lowered(*e.b.finish())),
            R"(plan for cpu: up to 5 tokens, 2 rows of logits, 3 sequences; kv f32 in pages of 4
arena 384 bytes; all values together 480 bytes
s0 arena          0 + 160         steps 0..2
s1 arena        192 + 160         steps 2..3
s2 arena          0 + 160         steps 3..end
s3 weight table [20, 8] f32, 640 bytes  steps 0..0
s4 keys of layer 0, 64 bytes a page
s5 values of layer 0, 64 bytes a page
0: s0 [T, 8] = embed(table)  # embed
1: kv_write(s0 [T, 4] columns 4.. of 8, s0 [T, 4] columns 4.. of 8) {layer=0}  # kv_write
2: s1 [T, 8] = attention(s0 [T, 8]) {layer=0, heads=2/1, scale=0.5}  # attention
3: s2 [T, 8] = softcap(s1 [T, 8]) {cap=1}  # softcap
output out = s2 [T, 8]
)");
}

TEST(Plan, PagesHoldHeadsOfTokens) {
  Plan plan;
  plan.key = {.page_tokens = 32};
  plan.n_kv_heads = 8;
  plan.head_dim = 64;
  plan.key.kv_format = KvFormat::kF32;
  EXPECT_EQ(plan.page_bytes(), 8u * 32 * 64 * 4);
  plan.key.kv_format = KvFormat::kF16;
  EXPECT_EQ(plan.page_bytes(), 8u * 32 * 64 * 2);
  plan.key.kv_format = KvFormat::kQ8_0;  // ggml's block: 32 int8 and a half
  EXPECT_EQ(plan.page_bytes(), 8u * 32 * 2 * 34);
  EXPECT_FALSE(kv_bytes(KvFormat::kQ8_0, 33));
  EXPECT_FALSE(kv_bytes(static_cast<KvFormat>(3), 32));
  EXPECT_FALSE(kv_bytes(KvFormat::kF32, UINT64_MAX / 2));
}

TEST(Plan, AttributesTravelAsWords) {
  const AttentionAttrs attention{1, 8, 2, 64, 0.125f, 50.0f, 4096};
  EXPECT_EQ(attrs_to_words(attention), (std::vector<uint32_t>{1, 8, 2, 64, 0x3e000000, 0x42480000, 4096}));
  EXPECT_EQ(*attrs_from_words(Op::kAttention, attrs_to_words(attention)), Attrs(attention));
  EXPECT_TRUE(attrs_to_words(NoAttrs{}).empty());
  EXPECT_EQ(*attrs_from_words(Op::kAdd, {}), Attrs(NoAttrs{}));
  EXPECT_FALSE(attrs_from_words(Op::kAdd, std::vector<uint32_t>{1}));
  EXPECT_FALSE(attrs_from_words(Op::kAttention, {}));
  EXPECT_FALSE(attrs_from_words(static_cast<Op>(kOpCount), {}));
}

}  // namespace
}  // namespace tern::graph
