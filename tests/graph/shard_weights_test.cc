// shard_weights, and the passes one after the other.
#include "graph/expect_pass.h"

namespace tern::graph {
namespace {

Target device_that_binds(uint64_t bytes) {
  Target target;
  target.max_weight_bytes = bytes;
  return target;
}

TEST(ShardWeights, ATiedTableIsCutOnce) {
  Example e(0);
  Builder& b = e.b;
  const ValueId table = e.weight("table", kVocab, kDim);  // 20 rows of 32 bytes
  b.output("logits", b.linear(b.gather_rows(b.embed(table)), table, "output"));
  const Graph sharded = expect_pass(shard_weights, finish(e),
                                    R"(%0 = embed(table [20, 8] f32) : [T, 8]  # embed
%1 = gather_rows(%0) : [R, 8]  # gather_rows
%2 = linear(%1, table [20, 8] f32) : [R, 20]  # output
output logits = %2
)",
                                    R"(%0 = embed(table[0:8] [8, 8] f32, table[8:16] [8, 8] f32, )"
                                    R"(table[16:20] [4, 8] f32) : [T, 8]  # embed
%1 = gather_rows(%0) : [R, 8]  # gather_rows
%2 = linear(%1, table[0:8] [8, 8] f32) : [R, 8]  # output[0:8]
%3 = linear(%1, table[8:16] [8, 8] f32) : [R, 8]  # output[8:16]
%4 = linear(%1, table[16:20] [4, 8] f32) : [R, 4]  # output[16:20]
%5 = concat(%2, %3, %4) : [R, 20]  # output
output logits = %5
)",
                                    kBitwise, device_that_binds(8 * 32));
  ASSERT_EQ(sharded.weights.size(), 3u);
  EXPECT_EQ(sharded.weights[1].slices, (std::vector<WeightSlice>{{0, 8, 8}}));
}

TEST(ShardWeights, BiasAndResidualAreCutLikewise) {
  Example e(0);
  Builder& b = e.b;
  const ValueId x = b.embed(e.weight("table", kVocab, kDim, Format::kF16));
  const ValueId residual = b.linear(x, e.weight("w_residual", 12, kDim, Format::kF16), "residual");
  const ValueId w = e.weight("w", 12, kDim);
  b.output("out", b.add(residual, b.linear(x, w, "down", e.weight("bias", 1, 12)), "add"));
  Graph graph = finish(e);
  ASSERT_TRUE(residual_norm(graph, {}));
  expect_pass(shard_weights, graph,
              R"(%0 = embed(table [20, 8] f16) : [T, 8]  # embed
%1 = linear(%0, w_residual [12, 8] f16) : [T, 12]  # residual
%2 = linear_add(%0, w [12, 8] f32, bias [1, 12] f32, %1) {bias=1} : [T, 12]  # down+add
output out = %2
)",
              R"(%0 = embed(table [20, 8] f16) : [T, 8]  # embed
%1 = linear(%0, w_residual [12, 8] f16) : [T, 12]  # residual
%2 = slice(%1) {begin=0, count=10} : [T, 10]  # down+add
%3 = linear_add(%0, w[0:10] [10, 8] f32, bias[0:10] [1, 10] f32, %2) {bias=1} : [T, 10]  # down+add[0:10]
%4 = slice(%1) {begin=10, count=2} : [T, 2]  # down+add
%5 = linear_add(%0, w[10:12] [2, 8] f32, bias[10:12] [1, 2] f32, %4) {bias=1} : [T, 2]  # down+add[10:12]
%6 = concat(%3, %5) : [T, 12]  # down+add
output out = %6
)",
              kBitwise, device_that_binds(10 * 32));
}

TEST(ShardWeights, AShardOfAGluHasGateAndUpRows) {
  Example e(0);
  Builder& b = e.b;
  const ValueId x = b.embed(e.weight("table", kVocab, kDim, Format::kF16));  // tensor 0
  const ValueId gate = b.linear(x, e.weight("gate", 5, kDim), "gate");       // tensor 1
  const ValueId up = b.linear(x, e.weight("up", 5, kDim), "up");             // tensor 2
  b.output("out", b.glu(gate, up, Activation::kSilu));
  Graph graph = finish(e);
  ASSERT_TRUE(merge_gate_up(graph, {}));
  ASSERT_TRUE(glu_epilogue(graph, {}));
  const Graph sharded = expect_pass(shard_weights, graph,
                                    R"(%0 = embed(table [20, 8] f16) : [T, 8]  # embed
%1 = linear_glu(%0, gate+up [10, 8] f32) {activation=silu} : [T, 5]  # gate+up+glu
output out = %1
)",
                                    R"(%0 = embed(table[0:10] [10, 8] f16, table[10:20] [10, 8] f16) : [T, 8]  # embed
%1 = linear_glu(%0, gate+up[0:2] [4, 8] f32) {activation=silu} : [T, 2]  # gate+up+glu[0:2]
%2 = linear_glu(%0, gate+up[2:4] [4, 8] f32) {activation=silu} : [T, 2]  # gate+up+glu[2:4]
%3 = linear_glu(%0, gate+up[4:5] [2, 8] f32) {activation=silu} : [T, 1]  # gate+up+glu[4:5]
%4 = concat(%1, %2, %3) : [T, 5]  # gate+up+glu
output out = %4
)",
                                    kBitwise, device_that_binds(5 * 32));
  ASSERT_EQ(sharded.weights.size(), 5u);
  EXPECT_EQ(sharded.weights[3].slices, (std::vector<WeightSlice>{{1, 2, 2}, {2, 2, 2}}));
}

Graph experts_graph() {
  Example e(0);
  Builder& b = e.b;
  const ValueId x = b.embed(e.weight("table", kVocab, kDim, Format::kF16));
  const Builder::Routes routes = b.route_topk(b.linear(x, e.weight("router", 3, kDim), "router"), {2, 0});
  const ValueId y = b.linear_experts(x, e.weight("up", 12, kDim), routes.ids, {3, 2}, "up");  // 3 experts of 128 bytes
  b.output("out", b.combine_experts(y, routes.weights));
  return finish(e);
}

TEST(ShardWeights, ExpertsStayWhole) {
  expect_pass(shard_weights, experts_graph(),
              R"(%0 = embed(table [20, 8] f16) : [T, 8]  # embed
%1 = linear(%0, router [3, 8] f32) : [T, 3]  # router
%2, %3 = route_topk(%1) {k=2} : i32 [T, 2], [T, 2]  # route_topk
%4 = linear_experts(%0, up [12, 8] f32, %2) {experts=3, k=2} : [T*2, 4]  # up
%5 = combine_experts(%4, %3) : [T, 4]  # combine_experts
output out = %5
)",
              R"(%0 = embed(table [20, 8] f16) : [T, 8]  # embed
%1 = linear(%0, router [3, 8] f32) : [T, 3]  # router
%2, %3 = route_topk(%1) {k=2} : i32 [T, 2], [T, 2]  # route_topk
%4 = linear_experts(%0, up[0:8] [8, 8] f32, up[8:12] [4, 8] f32, %2) {experts=3, k=2} : [T*2, 4]  # up
%5 = combine_experts(%4, %3) : [T, 4]  # combine_experts
output out = %5
)",
              kBitwise, device_that_binds(350));
}

TEST(ShardWeights, ShardsAreMultiplesOf64RowsWherePossible) {
  Example e(0);
  e.b.output("out", e.b.embed(e.weight("table", 200, kDim)));
  Graph graph = finish(e);
  ASSERT_TRUE(shard_weights(graph, device_that_binds(100 * 32)));
  std::vector<uint32_t> rows;
  for (const Weight& weight : graph.weights) rows.push_back(weight.rows);
  EXPECT_EQ(rows, (std::vector<uint32_t>{64, 64, 64, 8}));
}

TEST(ShardWeights, SaysWhatIsTooLargeToCut) {
  const auto error_of = [](Graph graph, uint64_t bytes) {
    const Result<void> done = shard_weights(graph, device_that_binds(bytes));
    return done ? "no error" : done.error().to_string();
  };
  EXPECT_EQ(error_of(experts_graph(), 120),
            "4 rows take 128 bytes, but the device binds 120 at once. - while sharding up for up (linear_experts)");
  EXPECT_EQ(error_of(experts_graph(), 15),
            "1 rows take 16 bytes, but the device binds 15 at once. - while sharding table for embed (embed)");
  Example e(0);
  const ValueId x = e.b.embed(e.weight("table", kVocab, kDim, Format::kF16));
  e.b.output("out", e.b.rms_norm(x, e.weight("norm", 1, kDim), 1e-6f, "norm"));
  EXPECT_EQ(error_of(finish(e), 31),
            "The weight is larger than the 31 bytes that the device binds at once. - while sharding norm for norm "
            "(rms_norm)");
}

constexpr std::string_view kFusedLlama = R"(%0 = embed(token_embd.weight [20, 8] f32) : [T, 8]  # embed
%1 = rms_norm(%0, blk.0.attn_norm.weight [1, 8] f32) {eps=1e-06, group=8} : [T, 8]  # blk.0.attn_norm
%2 = linear(%1, blk.0.attn_q.weight+attn_k.weight+attn_v.weight [16, 8] f32) : [T, 16]  # blk.0.attn_q+attn_k+attn_v
%3 = slice(%2) {begin=0, count=8} : [T, 8]  # blk.0.attn_q
%4 = slice(%2) {begin=8, count=4} : [T, 4]  # blk.0.attn_k
%5 = slice(%2) {begin=12, count=4} : [T, 4]  # blk.0.attn_v
%6 = rope_kv_write(%3, %4, %5, rope_freqs [1, 2] = {1, 0.01}) {layer=0, head_dim=4} : [T, 8])"
                                         R"(  # blk.0.rope_q+rope_k+kv_write
%7 = attention(%6) {layer=0, heads=2/1, scale=0.5} : [T, 8]  # blk.0.attention
%8 = linear_add(%7, blk.0.attn_output.weight [8, 8] f32, %0) : [T, 8]  # blk.0.attn_output+attn_add
%9 = rms_norm(%8, blk.0.ffn_norm.weight [1, 8] f32) {eps=1e-06, group=8} : [T, 8]  # blk.0.ffn_norm
%10 = linear_glu(%9, blk.0.ffn_gate.weight+ffn_up.weight [24, 8] f32) {activation=silu} : [T, 12])"
                                         R"(  # blk.0.ffn_gate+ffn_up+ffn_glu
%11 = linear_add(%10, blk.0.ffn_down.weight [8, 12] f32, %8) : [T, 8]  # blk.0.ffn_down+ffn_add
%12 = gather_rows(%11) : [R, 8]  # gather_rows
%13 = rms_norm(%12, output_norm.weight [1, 8] f32) {eps=1e-06, group=8} : [R, 8]  # output_norm
%14 = linear(%13, token_embd.weight [20, 8] f32) : [R, 20]  # output
output logits = %14
)";

TEST(RunPasses, ALlamaBlockBecomesEightSteps) {
  const Graph before = *llama_graph(1);
  expect_pass(run_passes, before, dump(before), kFusedLlama, kRounding);
}

TEST(RunPasses, ThreeLayersShardedGiveTheSameLogits) {
  Graph graph = *llama_graph(3);
  const std::vector<float> expected = RefRunner::run(graph);
  const Result<void> done = run_passes(graph, device_that_binds(300));
  ASSERT_TRUE(done) << done.error().to_string();
  expect_same_results(expected, RefRunner::run(graph, true), 4 * kRounding);
  for (const Weight& weight : graph.weights) EXPECT_LE(uint64_t{weight.rows} * weight.cols * 4, 300u);
}

TEST(RunPasses, WithoutFusionTheGraphStaysAsWritten) {
  Graph graph = *llama_graph(2);
  const std::string before = dump(graph);
  Target ref;
  ref.fuse = false;
  ASSERT_TRUE(run_passes(graph, ref));
  EXPECT_EQ(dump(graph), before);
}

}  // namespace
}  // namespace tern::graph
