// What --compare-with-ref rests on: the same names on both sides, whatever was fused between them.
#include <algorithm>

#include "graph/expect_pass.h"

namespace tern::graph {
namespace {

std::vector<std::string> exposed(bool fuse) {
  Example e(1);
  const ValueId freqs = e.b.constant("rope_freqs", {1.0f, 0.01f});
  const ValueId x = e.b.embed(e.weight("token_embd", kVocab, kDim), "embed");
  e.b.output("out", llama_block(e, x, freqs, 0));
  Graph graph = finish(e);
  Target target;
  target.fuse = fuse;
  target.expose_values = true;
  EXPECT_TRUE(run_passes(graph, target));
  std::vector<std::string> names;
  for (const Output& output : graph.outputs) names.push_back(output.name);
  return names;
}

TEST(ExposeValues, NamesEveryValueInTheOrderOfComputation) {
  const std::vector<std::string> expected = {"out",
                                             "embed",
                                             "blk.0.attn_norm",
                                             "blk.0.attn_q",
                                             "blk.0.attn_k",
                                             "blk.0.attn_v",
                                             "blk.0.rope_q",
                                             "blk.0.rope_k",
                                             "blk.0.attention",
                                             "blk.0.attn_output",
                                             "blk.0.attn_add",
                                             "blk.0.ffn_norm",
                                             "blk.0.ffn_gate",
                                             "blk.0.ffn_up"};
  const std::vector<std::string> names = exposed(false);
  ASSERT_GE(names.size(), expected.size());
  EXPECT_TRUE(std::ranges::equal(expected, std::span(names).first(expected.size())));
}

TEST(ExposeValues, FusionKeepsTheNamesOfWhatItStillComputes) {
  const std::vector<std::string> all = exposed(false), fused = exposed(true);
  for (const std::string& name : fused) EXPECT_TRUE(std::ranges::count(all, name) == 1) << name;
  for (const char* name : {"blk.0.attn_q", "blk.0.attn_k", "blk.0.rope_q", "blk.0.attention", "blk.0.attn_add"}) {
    EXPECT_EQ(std::ranges::count(fused, name), 1) << name;
  }
  for (const char* name : {"blk.0.rope_k", "blk.0.attn_output", "blk.0.ffn_gate"}) {
    EXPECT_EQ(std::ranges::count(fused, name), 0) << name << " is fused away";
  }
}

TEST(ExposeValues, NothingUnlessAskedFor) {
  Example e(1);
  e.b.output("out", llama_block(e, e.b.embed(e.weight("table", kVocab, kDim)), e.b.constant("f", {1.0f, 0.5f}), 0));
  Graph graph = finish(e);
  EXPECT_TRUE(run_passes(graph, {}));
  EXPECT_EQ(graph.outputs.size(), 1u);
}

}  // namespace
}  // namespace tern::graph
