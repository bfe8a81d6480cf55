// plan_memory: values that live at the same time never share bytes, whatever the lifetimes.
#include "graph/planner/memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace tern::graph {
namespace {

std::vector<Lifetime> random_lifetimes(uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<Lifetime> values(1 + random() % 60);
  for (Lifetime& value : values) {
    value.first = random() % 40;
    value.last = value.first + random() % 12;
    value.bytes = 1 + random() % (random() % 4 == 0 ? 5000 : 300);
  }
  return values;
}

uint64_t sum_of(const std::vector<Lifetime>& values) {
  uint64_t sum = 0;
  for (const Lifetime& value : values) sum += align_arena(value.bytes);
  return sum;
}

/// Bytes that live at the busiest step: no plan can do with less.
uint64_t busiest_step(const std::vector<Lifetime>& values) {
  uint64_t most = 0;
  for (uint32_t step = 0; step < 64; ++step) {
    uint64_t live = 0;
    for (const Lifetime& v : values) live += v.first <= step && step <= v.last ? align_arena(v.bytes) : 0;
    most = std::max(most, live);
  }
  return most;
}

TEST(PlanMemory, LiveValuesNeverOverlap) {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    const std::vector<Lifetime> values = random_lifetimes(seed);
    const ArenaPlan plan = plan_memory(values, true);
    for (size_t a = 0; a < values.size(); ++a) {
      EXPECT_EQ(plan.offsets[a] % 64, 0u);
      EXPECT_LE(plan.offsets[a] + values[a].bytes, plan.bytes);
      for (size_t b = 0; b < a; ++b) {
        if (values[a].last < values[b].first || values[b].last < values[a].first) continue;
        const bool apart = plan.offsets[a] + values[a].bytes <= plan.offsets[b] ||
                           plan.offsets[b] + values[b].bytes <= plan.offsets[a];
        EXPECT_TRUE(apart) << "seed " << seed << ", values " << a << " and " << b;
      }
    }
    EXPECT_GE(plan.bytes, busiest_step(values));
    EXPECT_LE(plan.bytes, sum_of(values));
    EXPECT_EQ(plan.offsets, plan_memory(values, true).offsets);
  }
}

TEST(PlanMemory, WithoutReuseEveryValueHasItsOwnBytes) {
  const std::vector<Lifetime> values = random_lifetimes(7);
  EXPECT_EQ(plan_memory(values, false).bytes, sum_of(values));
}

TEST(PlanMemory, AChainNeedsTwoBuffers) {
  std::vector<Lifetime> chain;
  for (uint32_t i = 0; i < 50; ++i) chain.push_back({640, i, i + 1});
  EXPECT_EQ(plan_memory(chain, true).bytes, 2 * 640u);
}

TEST(PlanMemory, NothingNeedsNothing) {
  EXPECT_EQ(plan_memory({}, true).bytes, 0u);
}

}  // namespace
}  // namespace tern::graph
