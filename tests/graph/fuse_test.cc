// rope_kv_write and residual_norm.
#include "graph/expect_pass.h"

namespace tern::graph {
namespace {

constexpr KvAttrs kKv = {0, kKvHeads, kHeadDim};
constexpr AttentionAttrs kAttention = {0, kHeads, kKvHeads, kHeadDim, 0.5f, 0.0f, 0};

struct Heads {
  Example e{1};
  ValueId freqs = e.b.constant("rope_freqs", {1.0f, 0.01f});
  ValueId x = e.b.embed(e.weight("table", kVocab, kDim));
  ValueId k = e.b.slice(x, 2, kHeadDim, "k");
  ValueId v = e.b.slice(x, 4, kHeadDim, "v");
};

TEST(RopeKvWrite, ThreeOpsBecomeOne) {
  Heads h;
  Builder& b = h.e.b;
  const ValueId q = b.rope(h.x, h.freqs, kRopeAttrs, "blk.0.rope_q");
  b.kv_write(b.rope(h.k, h.freqs, kRopeAttrs, "blk.0.rope_k"), h.v, kKv, "blk.0.kv_write");
  b.output("out", b.attention(q, kAttention));
  expect_pass(rope_kv_write, finish(h.e),
              R"(%0 = embed(table [20, 8] f32) : [T, 8]  # embed
%1 = slice(%0) {begin=2, count=4} : [T, 4]  # k
%2 = slice(%0) {begin=4, count=4} : [T, 4]  # v
%3 = rope(%0, rope_freqs [1, 2] = {1, 0.01}) {head_dim=4} : [T, 8]  # blk.0.rope_q
%4 = rope(%1, rope_freqs [1, 2] = {1, 0.01}) {head_dim=4} : [T, 4]  # blk.0.rope_k
kv_write(%4, %2) {layer=0}  # blk.0.kv_write
%5 = attention(%3) {layer=0, heads=2/1, scale=0.5} : [T, 8]  # attention
output out = %5
)",
              R"(%0 = embed(table [20, 8] f32) : [T, 8]  # embed
%1 = slice(%0) {begin=2, count=4} : [T, 4]  # k
%2 = slice(%0) {begin=4, count=4} : [T, 4]  # v
%3 = rope_kv_write(%0, %1, %2, rope_freqs [1, 2] = {1, 0.01}) {layer=0, head_dim=4} : [T, 8])"
              R"(  # blk.0.rope_q+rope_k+kv_write
%4 = attention(%3) {layer=0, heads=2/1, scale=0.5} : [T, 8]  # attention
output out = %4
)",
              kBitwise);
}

TEST(RopeKvWrite, LeavesOtherFrequencies) {
  Heads h;
  Builder& b = h.e.b;
  const ValueId q = b.rope(h.x, b.constant("other_freqs", {1.0f, 0.5f}), kRopeAttrs);
  b.kv_write(b.rope(h.k, h.freqs, kRopeAttrs), h.v, kKv);
  b.output("out", b.attention(q, kAttention));
  expect_unchanged(rope_kv_write, finish(h.e));
}

TEST(RopeKvWrite, LeavesOtherAttributes) {
  Heads h;
  Builder& b = h.e.b;
  const ValueId q = b.rope(h.x, h.freqs, {kHeadDim, kHeadDim, 1, 1.0f});
  b.kv_write(b.rope(h.k, h.freqs, kRopeAttrs), h.v, kKv);
  b.output("out", b.attention(q, kAttention));
  expect_unchanged(rope_kv_write, finish(h.e));
}

TEST(RopeKvWrite, LeavesQueriesAndKeysThatOthersReadBefore) {
  Heads h;
  Builder& b = h.e.b;
  const ValueId q = b.rope(h.x, h.freqs, kRopeAttrs);
  const ValueId v = b.slice(b.softcap(q, 1), 0, kHeadDim);
  b.kv_write(b.rope(h.k, h.freqs, kRopeAttrs), v, kKv);
  b.output("out", b.attention(q, kAttention));
  expect_unchanged(rope_kv_write, finish(h.e));

  Heads shared;
  const ValueId k = shared.e.b.rope(shared.k, shared.freqs, kRopeAttrs);
  const ValueId q2 = shared.e.b.rope(shared.x, shared.freqs, kRopeAttrs);
  shared.e.b.kv_write(k, k, kKv);
  shared.e.b.output("out", shared.e.b.attention(q2, kAttention));
  expect_unchanged(rope_kv_write, finish(shared.e));
}

TEST(ResidualNorm, LinearAddWinsOverAddRmsNorm) {
  Example e(0);
  Builder& b = e.b;
  const ValueId x = b.embed(e.weight("table", kVocab, kDim));
  const ValueId o = b.linear(x, e.weight("wo", 8, 8), "blk.0.attn_output", e.weight("bo", 1, 8));
  const ValueId y = b.add(x, o, "blk.0.attn_add");
  b.output("out", b.rms_norm(y, e.weight("norm", 1, 8), 1e-6f, "blk.0.ffn_norm"));
  expect_pass(residual_norm, finish(e),
              R"(%0 = embed(table [20, 8] f32) : [T, 8]  # embed
%1 = linear(%0, wo [8, 8] f32, bo [1, 8] f32) {bias=1} : [T, 8]  # blk.0.attn_output
%2 = add(%0, %1) : [T, 8]  # blk.0.attn_add
%3 = rms_norm(%2, norm [1, 8] f32) {eps=1e-06, group=8} : [T, 8]  # blk.0.ffn_norm
output out = %3
)",
              R"(%0 = embed(table [20, 8] f32) : [T, 8]  # embed
%1 = linear_add(%0, wo [8, 8] f32, bo [1, 8] f32, %0) {bias=1} : [T, 8]  # blk.0.attn_output+attn_add
%2 = rms_norm(%1, norm [1, 8] f32) {eps=1e-06, group=8} : [T, 8]  # blk.0.ffn_norm
output out = %2
)",
              kRounding);
}

TEST(ResidualNorm, GemmasPostNormsBecomeAddRmsNorm) {
  Example e(0);
  Builder& b = e.b;
  const ValueId x = b.embed(e.weight("table", kVocab, kDim));
  const ValueId post = b.rms_norm(b.linear(x, e.weight("wo", 8, 8), "o"), e.weight("post", 1, 8), 1e-6f, "post_norm");
  const ValueId y = b.add(x, post, "add");
  const ValueId early = b.softcap(y, 1, "reads_the_sum");
  const ValueId n = b.rms_norm(y, e.weight("norm", 1, 8), 1e-6f, "norm");
  b.output("out", b.glu(early, n, Activation::kSilu));
  b.output("sum", y);
  expect_pass(residual_norm, finish(e),
              R"(%0 = embed(table [20, 8] f32) : [T, 8]  # embed
%1 = linear(%0, wo [8, 8] f32) : [T, 8]  # o
%2 = rms_norm(%1, post [1, 8] f32) {eps=1e-06, group=8} : [T, 8]  # post_norm
%3 = add(%0, %2) : [T, 8]  # add
%4 = softcap(%3) {cap=1} : [T, 8]  # reads_the_sum
%5 = rms_norm(%3, norm [1, 8] f32) {eps=1e-06, group=8} : [T, 8]  # norm
%6 = glu(%4, %5) {activation=silu} : [T, 8]  # glu
output out = %6
output sum = %3
)",
              R"(%0 = embed(table [20, 8] f32) : [T, 8]  # embed
%1 = linear(%0, wo [8, 8] f32) : [T, 8]  # o
%2 = rms_norm(%1, post [1, 8] f32) {eps=1e-06, group=8} : [T, 8]  # post_norm
%3, %4 = add_rms_norm(%0, %2, norm [1, 8] f32) {eps=1e-06, group=8} : [T, 8], [T, 8]  # add+norm
%5 = softcap(%3) {cap=1} : [T, 8]  # reads_the_sum
%6 = glu(%5, %4) {activation=silu} : [T, 8]  # glu
output out = %6
output sum = %3
)",
              kBitwise);
}

TEST(ResidualNorm, LeavesProductsReadTwiceBroadcastsAndNormsOfHeads) {
  Example e(0);
  Builder& b = e.b;
  const ValueId x = b.embed(e.weight("table", kVocab, kDim));
  const ValueId o = b.linear(x, e.weight("wo", 8, 8), "o");
  const ValueId y = b.add(x, o, "add");
  b.output("o", o);
  b.output("heads", b.rms_norm(y, e.weight("norm", 1, 4), 1e-6f, "norm_of_heads"));
  const ValueId row = b.add(x, e.weight("row", 1, 8), "one_row");
  b.output("row", b.rms_norm(row, e.weight("norm2", 1, 8), 1e-6f, "norm"));
  expect_unchanged(residual_norm, finish(e));
}

}  // namespace
}  // namespace tern::graph
