// Plans of lower_ops: memory that is live at the same time does not overlap, views are columns of their base.
#include "graph/plan.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "graph/example_graphs.h"

namespace tern::graph {
namespace {

constexpr PlanKey kKey = {.max_tokens = 5, .max_rows = 2, .max_seqs = 3, .kv_format = KvFormat::kF32, .page_tokens = 4};

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

TEST(LowerOps, KeepsLiveValuesApartAndReusesTheRest) {
  const Graph graph = *llama_graph(4);
  const Result<Plan> reused = lower_ops(graph, kKey, "cpu", true);
  const Result<Plan> separate = lower_ops(graph, kKey, "ref", false);
  ASSERT_TRUE(reused) << reused.error().to_string();
  ASSERT_TRUE(separate) << separate.error().to_string();
  expect_no_overlap(*reused);
  expect_no_overlap(*separate);
  EXPECT_LT(reused->arena_bytes, separate->arena_bytes / 4);
  EXPECT_TRUE(validate(*reused));
  EXPECT_EQ(*reused, *lower_ops(graph, kKey, "cpu", true));
  EXPECT_EQ(reused->steps.size(), 1u + 4 * 16 + 3);
}

}  // namespace
}  // namespace tern::graph
