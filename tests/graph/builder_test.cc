// Builder: inferred shapes, the text of dump(), and errors that name the node and both values.
#include "graph/builder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "graph/example_graphs.h"

namespace tern::graph {
namespace {

TEST(Builder, DumpsABlockAsOneLinePerNode) {
  Example e(1);
  const ValueId freqs = e.b.constant("rope_freqs", {1.0f, 0.01f});
  const ValueId x = e.b.embed(e.weight("token_embd.weight", kVocab, kDim));
  e.b.output("hidden", llama_block(e, x, freqs, 0));
  const Result<Graph> graph = e.b.finish();
  ASSERT_TRUE(graph) << graph.error().to_string();
  EXPECT_EQ(dump(*graph), R"(%0 = embed(token_embd.weight [20, 8] f32) : [T, 8]  # embed
%1 = rms_norm(%0, blk.0.attn_norm.weight [1, 8] f32) {eps=1e-06, group=8} : [T, 8]  # blk.0.attn_norm
%2 = linear(%1, blk.0.attn_q.weight [8, 8] f32) : [T, 8]  # blk.0.attn_q
%3 = linear(%1, blk.0.attn_k.weight [4, 8] f32) : [T, 4]  # blk.0.attn_k
%4 = linear(%1, blk.0.attn_v.weight [4, 8] f32) : [T, 4]  # blk.0.attn_v
%5 = rope(%2, rope_freqs [1, 2] = {1, 0.01}) {head_dim=4} : [T, 8]  # blk.0.rope_q
%6 = rope(%3, rope_freqs [1, 2] = {1, 0.01}) {head_dim=4} : [T, 4]  # blk.0.rope_k
kv_write(%6, %4) {layer=0}  # blk.0.kv_write
%7 = attention(%5) {layer=0, heads=2/1, scale=0.5} : [T, 8]  # blk.0.attention
%8 = linear(%7, blk.0.attn_output.weight [8, 8] f32) : [T, 8]  # blk.0.attn_output
%9 = add(%0, %8) : [T, 8]  # blk.0.attn_add
%10 = rms_norm(%9, blk.0.ffn_norm.weight [1, 8] f32) {eps=1e-06, group=8} : [T, 8]  # blk.0.ffn_norm
%11 = linear(%10, blk.0.ffn_gate.weight [12, 8] f32) : [T, 12]  # blk.0.ffn_gate
%12 = linear(%10, blk.0.ffn_up.weight [12, 8] f32) : [T, 12]  # blk.0.ffn_up
%13 = glu(%11, %12) {activation=silu} : [T, 12]  # blk.0.ffn_glu
%14 = linear(%13, blk.0.ffn_down.weight [8, 12] f32) : [T, 8]  # blk.0.ffn_down
%15 = add(%9, %14) : [T, 8]  # blk.0.ffn_add
output hidden = %15
)");
}

TEST(Builder, InfersTheShapesOfExperts) {
  Example e(0);
  const ValueId x = e.b.embed(e.weight("table", kVocab, kDim));
  const ValueId logits = e.b.linear(x, e.weight("router", 6, kDim), "router");
  const Builder::Routes routes = e.b.route_topk(logits, {2, 1});
  const ValueId up = e.b.linear_experts(x, e.weight("up", 6 * 12, kDim), routes.ids, {6, 2}, "up");
  const ValueId down = e.b.linear_experts(up, e.weight("down", 6 * 8, 12), routes.ids, {6, 2}, "down");
  const ValueId y = e.b.combine_experts(down, routes.weights);
  EXPECT_EQ(e.b.desc(routes.ids), (TensorDesc{DType::kI32, Dim::tokens(), 2}));
  EXPECT_EQ(e.b.desc(up), (TensorDesc{DType::kF32, Dim::tokens(2), 12}));
  EXPECT_EQ(e.b.desc(down), (TensorDesc{DType::kF32, Dim::tokens(2), 8}));
  EXPECT_EQ(e.b.desc(y), (TensorDesc{DType::kF32, Dim::tokens(), 8}));
  e.b.output("y", y);
  EXPECT_TRUE(e.b.finish());
}

/// A model that is wrong in one place, and what the error must say.
struct WrongModel {
  const char* name;
  std::function<void(Example&, ValueId x)> build;  // x: [T, 8]
  const char* says;
};

class BuilderError : public testing::TestWithParam<WrongModel> {};

TEST_P(BuilderError, IsReturnedByFinish) {
  Example e(2);
  e.b.scope("blk.3");
  GetParam().build(e, e.b.embed(e.weight("table", kVocab, kDim)));
  const Result<Graph> graph = e.b.finish();
  ASSERT_FALSE(graph);
  EXPECT_EQ(graph.error().code, ErrorCode::kInvalidFile);
  EXPECT_NE(graph.error().to_string().find(GetParam().says), std::string::npos) << graph.error().to_string();
}

constexpr KvAttrs kKv = {0, kKvHeads, kHeadDim};
constexpr AttentionAttrs kAttention = {0, kHeads, kKvHeads, kHeadDim, 0.5f, 0.0f, 0};

const WrongModel kWrongModels[] = {
    {"LinearColumns", [](Example& e, ValueId x) { e.b.linear(x, e.weight("w", 4, 9), "ffn_up"); },
     "Weight [4, 9] has 9 columns, but 8 are multiplied with them. - in blk.3.ffn_up (linear)"},
    {"TheFirstErrorStays",
     [](Example& e, ValueId x) {
       e.b.linear(x, e.weight("w", 4, 9), "first");
       e.b.linear(x, e.weight("w", 4, 10), "second");
     },
     "blk.3.first"},
    {"GoesOnAfterAnError",
     [](Example& e, ValueId x) {
       const ValueId y = e.b.linear(x, e.weight("w", 4, 9), "first");
       const ValueId z = e.b.glu(y, e.b.slice(x, 2, 3), Activation::kSilu);
       const Builder::Routes routes = e.b.route_topk(z, {2, 1});
       e.b.output("out", e.b.add(routes.weights, routes.ids));
     },
     "blk.3.first"},
    {"LinearOfComputed", [](Example& e, ValueId x) { e.b.linear(x, x, "w"); }, "expected a weight"},
    {"LinearOfAWeight", [](Example& e, ValueId) { e.b.linear(e.weight("x", 4, 8), e.weight("w", 4, 8), "w"); },
     "Input 0 is a weight"},
    {"Bias", [](Example& e, ValueId x) { e.b.linear(x, e.weight("w", 4, 8), "q", e.weight("b", 1, 5)); },
     "Input 2 is [1, 5], expected [1, 4]"},
    {"NormColumns", [](Example& e, ValueId x) { e.b.rms_norm(x, e.weight("n", 1, 3), 1e-6f, "norm"); },
     "Groups of 3 do not divide 8 columns"},
    {"NormRows", [](Example& e, ValueId x) { e.b.rms_norm(x, e.weight("n", 2, 8), 1e-6f, "norm"); },
     "Input 1 is [2, 8], expected [1, 8]"},
    {"NormEps", [](Example& e, ValueId x) { e.b.rms_norm(x, e.weight("n", 1, 8), std::nanf(""), "norm"); }, "epsilon"},
    {"Add", [](Example& e, ValueId x) { e.b.add(x, e.b.slice(x, 0, 4)); }, "Input 1 is [T, 4], expected [1, 8]"},
    {"AddRowsOfDifferentKinds", [](Example& e, ValueId x) { e.b.add(x, e.b.gather_rows(x)); }, "Input 1 is [R, 8]"},
    {"GatherTwice", [](Example& e, ValueId x) { e.b.gather_rows(e.b.gather_rows(x)); },
     "Input 0 is [R, 8], expected [T, 8]"},
    {"Scale", [](Example& e, ValueId x) { e.b.scale(x, INFINITY); }, "The factor is inf"},
    {"Softcap", [](Example& e, ValueId x) { e.b.softcap(x, 0); }, "The softcap is 0"},
    {"Glu", [](Example& e, ValueId x) { e.b.glu(x, e.b.slice(x, 0, 4), Activation::kSilu); }, "Input 1 is [T, 4]"},
    {"GluActivation", [](Example& e, ValueId x) { e.b.glu(x, x, static_cast<Activation>(7)); }, "activation 7"},
    {"SliceEnd", [](Example& e, ValueId x) { e.b.slice(x, 5, 4); }, "Columns [5, +4) do not lie in [T, 8]"},
    {"SliceOverflow", [](Example& e, ValueId x) { e.b.slice(x, 1, UINT32_MAX); }, "do not lie in"},
    {"RopeHeadDim", [](Example& e, ValueId x) { e.b.rope(x, e.b.constant("f", {1, 1}), {8, 4, 0, 1.0f}); },
     "heads of 8, but the model's heads have 4"},
    {"RopeOdd", [](Example& e, ValueId x) { e.b.rope(x, e.b.constant("f", {1}), {4, 3, 0, 1.0f}); }, "rope turns 3"},
    {"RopeFreqs", [](Example& e, ValueId x) { e.b.rope(x, e.b.constant("f", {1, 1, 1}), kRopeAttrs); },
     "Input 1 is [1, 3], expected [1, 2]"},
    {"KvColumns", [](Example& e, ValueId x) { e.b.kv_write(x, x, kKv); }, "Input 0 is [T, 8], expected [T, 4]"},
    {"KvLayer", [](Example& e, ValueId x) { e.b.kv_write(x, x, {2, kKvHeads, kHeadDim}); }, "layer 2, but there are 2"},
    {"AttentionHeads", [](Example& e, ValueId x) { e.b.attention(x, {0, 3, 2, 4, 1, 0, 0}); },
     "a cache of 2 heads of 4, but the model's has 1 of 4"},
    {"AttentionBeforeWrite",
     [](Example& e, ValueId x) {
       const ValueId k = e.b.slice(x, 0, 4);
       e.b.attention(x, kAttention);
       e.b.kv_write(k, k, kKv);
     },
     "The cache of layer 0 is read before"},
    {"TwoWrites",
     [](Example& e, ValueId x) {
       const ValueId k = e.b.slice(x, 0, 4);
       e.b.kv_write(k, k, kKv);
       e.b.kv_write(k, k, kKv);
     },
     "The cache of layer 0 is written before"},
    {"RouteTooMany", [](Example& e, ValueId x) { e.b.route_topk(x, {9, 0}); }, "9 experts of 8"},
    {"ExpertRows",
     [](Example& e, ValueId x) {
       const Builder::Routes r = e.b.route_topk(x, {2, 0});
       e.b.linear_experts(x, e.weight("w", 33, 8), r.ids, {8, 2}, "up");
     },
     "whole experts"},
    {"ExpertIds", [](Example& e, ValueId x) { e.b.linear_experts(x, e.weight("w", 32, 8), x, {8, 8}, "up"); },
     "expected i32"},
    {"FormatBlocks", [](Example& e, ValueId x) { e.b.linear(x, e.weight("w.weight", 4, 8, Format::kQ4_0), "up"); },
     "w.weight"},
    {"SliceRows", [](Example& e, ValueId x) { e.b.linear(x, e.b.weight("w", Format::kF32, 4, 8, {{0, 0, 3}}), "up"); },
     "Its slices have 3 rows, expected 4"},
    {"OutputOfAWeight", [](Example& e, ValueId) { e.b.output("out", e.weight("w", 1, 8)); }, "no node computes"},
};
INSTANTIATE_TEST_SUITE_P(Models, BuilderError, testing::ValuesIn(kWrongModels),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(Graph, SweepDropsWhatNobodyReadsAndPutsWeightsFirst) {
  Example e(1);
  const ValueId x = e.b.embed(e.weight("table", 4, 8));
  e.b.linear(x, e.weight("unused", 4, 8), "unused");
  const ValueId k = e.b.slice(x, 0, 4, "k");
  e.b.kv_write(k, k, kKv);
  e.b.output("y", e.b.linear(x, e.weight("w", 4, 8), "y"));
  Graph graph = *e.b.finish();
  graph.sweep();
  ASSERT_EQ(graph.weights.size(), 2u);
  EXPECT_EQ(graph.weights[1].name, "w");
  EXPECT_EQ(graph.nodes[1].op, Op::kWeight);
  EXPECT_TRUE(validate(graph));
  EXPECT_EQ(dump(graph), R"(%0 = embed(table [4, 8] f32) : [T, 8]  # embed
%1 = slice(%0) {begin=0, count=4} : [T, 4]  # k
kv_write(%1, %1) {layer=0}  # kv_write
%2 = linear(%0, w [4, 8] f32) : [T, 4]  # y
output y = %2
)");
  EXPECT_EQ(graph.use_counts(), (std::vector<uint32_t>{1, 1, 2, 2, 1}));
}

TEST(Graph, AWeightOfOneColumnIsAVector) {
  Example e(0);
  const ValueId x = e.b.embed(e.weight("table", 4, 8));
  const ValueId bias = e.b.weight("qk.bias", Format::kF32, 6, 1, {{7, 0, 4}, {8, 0, 2}});
  EXPECT_EQ(e.b.desc(bias), (TensorDesc{DType::kF32, Dim::constant(1), 6}));
  e.b.output("y", e.b.linear(x, e.weight("qk", 6, 8), "qk", bias));
  EXPECT_TRUE(e.b.finish());
}

}  // namespace
}  // namespace tern::graph
