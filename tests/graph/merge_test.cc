// merge_qkv, merge_gate_up and glu_epilogue.
#include "graph/expect_pass.h"

namespace tern::graph {
namespace {

constexpr KvAttrs kKv = {0, kKvHeads, kHeadDim};
constexpr AttentionAttrs kAttention = {0, kHeads, kKvHeads, kHeadDim, 0.5f, 0.0f, 0};

TEST(MergeQkv, WeightsAndBiasesOneBelowTheOther) {
  Example e(1);
  Builder& b = e.b;
  const ValueId freqs = b.constant("rope_freqs", {1.0f, 0.01f});
  const ValueId x = b.embed(e.weight("table", kVocab, kDim));  // tensor 0
  b.scope("blk.0");
  const auto product = [&](const std::string& name, uint32_t rows) {
    const ValueId w = e.weight("blk.0." + name + ".weight", rows, kDim);  // tensors 1, 3, 5
    const ValueId bias = e.weight("blk.0." + name + ".bias", 1, rows);    // tensors 2, 4, 6
    return b.linear(x, w, name, bias);
  };
  const ValueId q = product("attn_q", 8), k = product("attn_k", 4), v = product("attn_v", 4);
  const ValueId q_turned = b.rope(q, freqs, kRopeAttrs, "rope_q");
  b.kv_write(b.rope(k, freqs, kRopeAttrs, "rope_k"), v, kKv);
  b.output("out", b.attention(q_turned, kAttention));

  const Graph merged = expect_pass(merge_qkv, finish(e),
                                   R"(%0 = embed(table [20, 8] f32) : [T, 8]  # embed
%1 = linear(%0, blk.0.attn_q.weight [8, 8] f32, blk.0.attn_q.bias [1, 8] f32) {bias=1} : [T, 8]  # blk.0.attn_q
%2 = linear(%0, blk.0.attn_k.weight [4, 8] f32, blk.0.attn_k.bias [1, 4] f32) {bias=1} : [T, 4]  # blk.0.attn_k
%3 = linear(%0, blk.0.attn_v.weight [4, 8] f32, blk.0.attn_v.bias [1, 4] f32) {bias=1} : [T, 4]  # blk.0.attn_v
%4 = rope(%1, rope_freqs [1, 2] = {1, 0.01}) {head_dim=4} : [T, 8]  # blk.0.rope_q
%5 = rope(%2, rope_freqs [1, 2] = {1, 0.01}) {head_dim=4} : [T, 4]  # blk.0.rope_k
kv_write(%5, %3) {layer=0}  # blk.0.kv_write
%6 = attention(%4) {layer=0, heads=2/1, scale=0.5} : [T, 8]  # blk.0.attention
output out = %6
)",
                                   R"(%0 = embed(table [20, 8] f32) : [T, 8]  # embed
%1 = linear(%0, blk.0.attn_q.weight+attn_k.weight+attn_v.weight [16, 8] f32, )"
                                   R"(blk.0.attn_q.bias+attn_k.bias+attn_v.bias [1, 16] f32) {bias=1} : [T, 16])"
                                   R"(  # blk.0.attn_q+attn_k+attn_v
%2 = slice(%1) {begin=0, count=8} : [T, 8]  # blk.0.attn_q
%3 = slice(%1) {begin=8, count=4} : [T, 4]  # blk.0.attn_k
%4 = slice(%1) {begin=12, count=4} : [T, 4]  # blk.0.attn_v
%5 = rope(%2, rope_freqs [1, 2] = {1, 0.01}) {head_dim=4} : [T, 8]  # blk.0.rope_q
%6 = rope(%3, rope_freqs [1, 2] = {1, 0.01}) {head_dim=4} : [T, 4]  # blk.0.rope_k
kv_write(%6, %4) {layer=0}  # blk.0.kv_write
%7 = attention(%5) {layer=0, heads=2/1, scale=0.5} : [T, 8]  # blk.0.attention
output out = %7
)",
                                   kBitwise);
  std::vector<std::vector<WeightSlice>> slices;
  for (const Weight& weight : merged.weights) {
    if (weight.name.find('+') != std::string::npos) slices.push_back(weight.slices);
  }
  EXPECT_EQ(slices, (std::vector<std::vector<WeightSlice>>{{{1, 0, 8}, {3, 0, 4}, {5, 0, 4}},
                                                           {{2, 0, 8}, {4, 0, 4}, {6, 0, 4}}}));
}

TEST(MergeQkv, AnotherFormatStaysApartAndNormsLieBetween) {
  Example e(1);
  Builder& b = e.b;
  const ValueId x = b.embed(e.weight("table", kVocab, kDim));
  const ValueId q = b.linear(x, e.weight("wq", 8, 8, Format::kF16), "q");
  const ValueId k = b.linear(x, e.weight("wk", 4, 8, Format::kF16), "k");
  const ValueId v = b.linear(x, e.weight("wv", 4, 8), "v");
  const ValueId w = b.constant("ones", {1, 1, 1, 1});
  b.kv_write(b.rms_norm(k, w, 1e-6f, "k_norm"), v, kKv);
  b.output("out", b.attention(b.rms_norm(q, w, 1e-6f, "q_norm"), kAttention));
  expect_pass(merge_qkv, finish(e),
              R"(%0 = embed(table [20, 8] f32) : [T, 8]  # embed
%1 = linear(%0, wq [8, 8] f16) : [T, 8]  # q
%2 = linear(%0, wk [4, 8] f16) : [T, 4]  # k
%3 = linear(%0, wv [4, 8] f32) : [T, 4]  # v
%4 = rms_norm(%2, ones [1, 4] = {1, 1, 1, 1}) {eps=1e-06, group=4} : [T, 4]  # k_norm
kv_write(%4, %3) {layer=0}  # kv_write
%5 = rms_norm(%1, ones [1, 4] = {1, 1, 1, 1}) {eps=1e-06, group=4} : [T, 8]  # q_norm
%6 = attention(%5) {layer=0, heads=2/1, scale=0.5} : [T, 8]  # attention
output out = %6
)",
              R"(%0 = embed(table [20, 8] f32) : [T, 8]  # embed
%1 = linear(%0, wq+wk [12, 8] f16) : [T, 12]  # q+k
%2 = slice(%1) {begin=0, count=8} : [T, 8]  # q
%3 = slice(%1) {begin=8, count=4} : [T, 4]  # k
%4 = linear(%0, wv [4, 8] f32) : [T, 4]  # v
%5 = rms_norm(%3, ones [1, 4] = {1, 1, 1, 1}) {eps=1e-06, group=4} : [T, 4]  # k_norm
kv_write(%5, %4) {layer=0}  # kv_write
%6 = rms_norm(%2, ones [1, 4] = {1, 1, 1, 1}) {eps=1e-06, group=4} : [T, 8]  # q_norm
%7 = attention(%6) {layer=0, heads=2/1, scale=0.5} : [T, 8]  # attention
output out = %7
)",
              kBitwise);
}

TEST(MergeQkv, NeighbouringRowsOfOneTensorBecomeOneSlice) {  // phi3's files hold Q, K and V in one tensor
  Example e(1);
  Builder& b = e.b;
  const ValueId x = b.embed(e.weight("table", kVocab, kDim));
  const auto rows = [&](std::string name, uint32_t row0, uint32_t n) {
    return b.weight(std::move(name), Format::kF32, n, 8, {{1, row0, n}});
  };
  const ValueId q = b.linear(x, rows("wq", 0, 8), "q");
  const ValueId k = b.linear(x, rows("wk", 8, 4), "k");
  const ValueId v = b.linear(x, rows("wv", 12, 4), "v");
  b.kv_write(k, v, kKv);
  b.output("out", b.attention(q, kAttention));
  Graph graph = finish(e);
  ASSERT_TRUE(merge_qkv(graph, {}));
  EXPECT_EQ(graph.weights.back().slices, (std::vector<WeightSlice>{{1, 0, 16}}));
}

TEST(MergeQkv, LeavesProductsOfOtherInputsAndSharedWeights) {
  Example e(1);
  Builder& b = e.b;
  const ValueId x = b.embed(e.weight("table", kVocab, kDim));
  const ValueId shared = e.weight("shared", 4, 8);
  const ValueId q = b.linear(b.softcap(x, 1), e.weight("wq", 8, 8), "q");
  b.kv_write(b.linear(x, shared, "k"), b.linear(x, shared, "v"), kKv);
  b.output("out", b.attention(q, kAttention));
  expect_unchanged(merge_qkv, finish(e));
}

Graph gate_up_graph() {
  Example e(0);
  Builder& b = e.b;
  const ValueId x = b.embed(e.weight("table", kVocab, kDim));
  // Up comes first here: the merged rows are gate, then up, nevertheless.
  const ValueId up = b.linear(x, e.weight("blk.0.ffn_up.weight", 3, kDim), "blk.0.ffn_up");
  const ValueId gate = b.linear(x, e.weight("blk.0.ffn_gate.weight", 3, kDim), "blk.0.ffn_gate");
  b.output("out", b.glu(gate, up, Activation::kGeluTanh, "blk.0.ffn_glu"));
  return finish(e);
}

constexpr std::string_view kGateUpMerged = R"(%0 = embed(table [20, 8] f32) : [T, 8]  # embed
%1 = linear(%0, blk.0.ffn_gate.weight+ffn_up.weight [6, 8] f32) : [T, 6]  # blk.0.ffn_gate+ffn_up
%2 = slice(%1) {begin=0, count=3} : [T, 3]  # blk.0.ffn_gate
%3 = slice(%1) {begin=3, count=3} : [T, 3]  # blk.0.ffn_up
%4 = glu(%2, %3) {activation=gelu_tanh} : [T, 3]  # blk.0.ffn_glu
output out = %4
)";

TEST(MergeGateUp, GateRowsThenUpRows) {
  expect_pass(merge_gate_up, gate_up_graph(),
              R"(%0 = embed(table [20, 8] f32) : [T, 8]  # embed
%1 = linear(%0, blk.0.ffn_up.weight [3, 8] f32) : [T, 3]  # blk.0.ffn_up
%2 = linear(%0, blk.0.ffn_gate.weight [3, 8] f32) : [T, 3]  # blk.0.ffn_gate
%3 = glu(%2, %1) {activation=gelu_tanh} : [T, 3]  # blk.0.ffn_glu
output out = %3
)",
              kGateUpMerged, kBitwise);
}

TEST(MergeGateUp, ExpertsAlternate) {
  Example e(0);
  Builder& b = e.b;
  const ValueId x = b.embed(e.weight("table", kVocab, kDim));  // tensor 0
  const Builder::Routes routes = b.route_topk(b.linear(x, e.weight("router", 3, kDim), "router"), {2, 1});
  const ValueId gate = b.linear_experts(x, e.weight("gate", 12, kDim), routes.ids, {3, 2}, "gate");  // tensor 2
  const ValueId up = b.linear_experts(x, e.weight("up", 12, kDim), routes.ids, {3, 2}, "up");        // tensor 3
  b.output("out", b.combine_experts(b.glu(gate, up, Activation::kSilu), routes.weights));
  const Graph merged = expect_pass(merge_gate_up, finish(e),
                                   R"(%0 = embed(table [20, 8] f32) : [T, 8]  # embed
%1 = linear(%0, router [3, 8] f32) : [T, 3]  # router
%2, %3 = route_topk(%1) {k=2, normalise=1} : i32 [T, 2], [T, 2]  # route_topk
%4 = linear_experts(%0, gate [12, 8] f32, %2) {experts=3, k=2} : [T*2, 4]  # gate
%5 = linear_experts(%0, up [12, 8] f32, %2) {experts=3, k=2} : [T*2, 4]  # up
%6 = glu(%4, %5) {activation=silu} : [T*2, 4]  # glu
%7 = combine_experts(%6, %3) : [T, 4]  # combine_experts
output out = %7
)",
                                   R"(%0 = embed(table [20, 8] f32) : [T, 8]  # embed
%1 = linear(%0, router [3, 8] f32) : [T, 3]  # router
%2, %3 = route_topk(%1) {k=2, normalise=1} : i32 [T, 2], [T, 2]  # route_topk
%4 = linear_experts(%0, gate+up [24, 8] f32, %2) {experts=3, k=2} : [T*2, 8]  # gate+up
%5 = slice(%4) {begin=0, count=4} : [T*2, 4]  # gate
%6 = slice(%4) {begin=4, count=4} : [T*2, 4]  # up
%7 = glu(%5, %6) {activation=silu} : [T*2, 4]  # glu
%8 = combine_experts(%7, %3) : [T, 4]  # combine_experts
output out = %8
)",
                                   kBitwise);
  EXPECT_EQ(merged.weights.back().slices,
            (std::vector<WeightSlice>{{2, 0, 4}, {3, 0, 4}, {2, 4, 4}, {3, 4, 4}, {2, 8, 4}, {3, 8, 4}}));
}

TEST(GluEpilogue, MergedProductAndGluBecomeOne) {
  Graph graph = gate_up_graph();
  ASSERT_TRUE(merge_gate_up(graph, {}));
  expect_pass(glu_epilogue, graph, kGateUpMerged,
              R"(%0 = embed(table [20, 8] f32) : [T, 8]  # embed
%1 = linear_glu(%0, blk.0.ffn_gate.weight+ffn_up.weight [6, 8] f32) {activation=gelu_tanh} : [T, 3])"
              R"(  # blk.0.ffn_gate+ffn_up+ffn_glu
output out = %1
)",
              kRounding);
}

TEST(GluEpilogue, LeavesWhatItCannotFuse) {
  Example e(0);
  Builder& b = e.b;
  const ValueId x = b.embed(e.weight("table", kVocab, kDim));
  const auto halves = [&](ValueId y) { return std::pair{b.slice(y, 0, 3), b.slice(y, 3, 3)}; };
  const auto [gate, up] = halves(b.linear(x, e.weight("with_bias", 6, 8), "with_bias", e.weight("bias", 1, 6)));
  b.output("bias", b.glu(gate, up, Activation::kSilu));
  const auto [read_gate, read_up] = halves(b.linear(x, e.weight("read_twice", 6, 8), "read_twice"));
  b.output("read_twice", b.glu(read_gate, read_up, Activation::kSilu));
  b.output("gate", read_gate);
  const auto [first, second] = halves(b.linear(x, e.weight("up_first", 6, 8), "up_first"));
  b.output("up_first", b.glu(second, first, Activation::kSilu));
  expect_unchanged(glu_epilogue, finish(e));
}

}  // namespace
}  // namespace tern::graph
