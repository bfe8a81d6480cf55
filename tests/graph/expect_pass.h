// One pass on one graph: the text before and after, and the same results on ref.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string_view>

#include "graph/example_graphs.h"
#include "graph/passes/passes.h"
#include "graph/ref_runner.h"

namespace tern::graph {

/// For passes that only move values about.
inline constexpr float kBitwise = 0;
/// For passes that spare a rounding to f32 (2^-24 of the value) or move a factor; results of these graphs are of the
/// order of 1 to 10, and a handful of roundings follow.
inline constexpr float kRounding = 1e-6f;

inline void expect_same_results(const std::vector<float>& before, const std::vector<float>& after, float tolerance) {
  ASSERT_EQ(before.size(), after.size());
  float largest = 1;
  for (const float value : before) largest = std::max(largest, std::fabs(value));
  for (size_t i = 0; i < before.size(); ++i) ASSERT_NEAR(before[i], after[i], tolerance * largest) << "element " << i;
}

inline Graph finish(Example& e) {
  Result<Graph> graph = e.b.finish();
  EXPECT_TRUE(graph) << graph.error().to_string();
  return *std::move(graph);
}

/// Gives the graph after the pass.
inline Graph expect_pass(Pass pass, Graph graph, std::string_view before, std::string_view after, float tolerance,
                         const Target& target = {}) {
  EXPECT_EQ(dump(graph), before);
  const std::vector<float> expected = RefRunner::run(graph);
  EXPECT_FALSE(expected.empty());
  const Result<void> done = pass(graph, target);
  EXPECT_TRUE(done) << done.error().to_string();
  const Result<void> valid = validate(graph);
  EXPECT_TRUE(valid) << valid.error().to_string();
  EXPECT_EQ(dump(graph), after);
  const std::vector<float> found = RefRunner::run(graph);
  expect_same_results(expected, found, tolerance);
  EXPECT_EQ(RefRunner::run(graph, /*reuse=*/true), found);
  return graph;
}

/// The pass finds nothing to do.
inline void expect_unchanged(Pass pass, Graph graph) {
  graph.sweep();
  const std::string before = dump(graph);
  EXPECT_TRUE(pass(graph, {}));
  EXPECT_EQ(dump(graph), before);
}

}  // namespace tern::graph
