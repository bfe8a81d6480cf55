#include "graph/expect_pass.h"

namespace tern::graph {
namespace {

constexpr KvAttrs kKv = {0, kKvHeads, kHeadDim};
constexpr AttentionAttrs kAttention = {0, kHeads, kKvHeads, kHeadDim, 0.5f, 0.0f, 0};

TEST(FoldConstants, ConstantsAreAddedAndFactorsMove) {
  Example e(1);
  Builder& b = e.b;
  const ValueId freqs = b.constant("rope_freqs", {1.0f, 0.01f});
  const ValueId x = b.scale(b.embed(e.weight("table", kVocab, kDim)), 2, "embed_scale");
  const ValueId q = b.scale(b.linear(x, e.weight("wq", 8, kDim), "q"), 0.25f, "q_scale");
  const ValueId turned = b.rope(q, freqs, kRopeAttrs, "rope_q");
  const ValueId k = b.linear(x, e.weight("wk", 4, kDim), "k");
  const ValueId sum = b.add(b.constant("c", {0.5f, 1, 1.5f, 2}), b.constant("ones", {1, 1, 1, 1}), "c_plus_one");
  const ValueId normed = b.rms_norm(k, b.scale(sum, 2, "k_norm_weight"), 1e-6f, "k_norm");
  b.kv_write(normed, normed, kKv);
  const ValueId a = b.attention(turned, kAttention);
  b.output("out", b.scale(b.scale(a, 3, "by_3"), 0.5f, "by_half"));

  expect_pass(fold_constants, finish(e),
              R"(%0 = embed(table [20, 8] f32) : [T, 8]  # embed
%1 = scale(%0) {factor=2} : [T, 8]  # embed_scale
%2 = linear(%1, wq [8, 8] f32) : [T, 8]  # q
%3 = scale(%2) {factor=0.25} : [T, 8]  # q_scale
%4 = rope(%3, rope_freqs [1, 2] = {1, 0.01}) {head_dim=4} : [T, 8]  # rope_q
%5 = linear(%1, wk [4, 8] f32) : [T, 4]  # k
%6 = add(c [1, 4] = {0.5, 1, 1.5, 2}, ones [1, 4] = {1, 1, 1, 1}) : [1, 4]  # c_plus_one
%7 = scale(%6) {factor=2} : [1, 4]  # k_norm_weight
%8 = rms_norm(%5, %7) {eps=1e-06, group=4} : [T, 4]  # k_norm
kv_write(%8, %8) {layer=0}  # kv_write
%9 = attention(%4) {layer=0, heads=2/1, scale=0.5} : [T, 8]  # attention
%10 = scale(%9) {factor=3} : [T, 8]  # by_3
%11 = scale(%10) {factor=0.5} : [T, 8]  # by_half
output out = %11
)",
              R"(%0 = embed(table [20, 8] f32) {factor=2} : [T, 8]  # embed
%1 = linear(%0, wq [8, 8] f32) : [T, 8]  # q
%2 = rope(%1, rope_freqs [1, 2] = {1, 0.01}) {head_dim=4} : [T, 8]  # rope_q
%3 = linear(%0, wk [4, 8] f32) : [T, 4]  # k
%4 = rms_norm(%3, k_norm_weight [1, 4] = {3, 4, 5, 6}) {eps=1e-06, group=4} : [T, 4]  # k_norm
kv_write(%4, %4) {layer=0}  # kv_write
%5 = attention(%2) {layer=0, heads=2/1, scale=0.125} : [T, 8]  # attention
%6 = scale(%5) {factor=1.5} : [T, 8]  # by_half
output out = %6
)",
              kRounding);
}

TEST(FoldConstants, AFactorStaysWhereOthersReadTheValue) {
  Example e(1);
  Builder& b = e.b;
  const ValueId x = b.embed(e.weight("table", kVocab, kDim));
  b.output("scaled", b.scale(x, 2));
  b.output("x", x);
  const ValueId k = b.slice(x, 0, kHeadDim, "k");
  b.kv_write(k, k, kKv);
  const ValueId turned = b.rope(b.scale(x, 2), b.constant("rope_freqs", {1.0f, 0.01f}), kRopeAttrs);
  b.output("attention", b.attention(turned, kAttention));
  b.output("turned", turned);
  expect_unchanged(fold_constants, finish(e));
}

TEST(FoldConstants, FactorsThatOverflowStayApart) {
  Example e(0);
  const ValueId x = e.b.embed(e.weight("table", kVocab, kDim));
  const ValueId y = e.b.softcap(x, 1);
  e.b.output("out", e.b.scale(e.b.scale(y, 1e30f), 1e30f));
  expect_unchanged(fold_constants, finish(e));
}

}  // namespace
}  // namespace tern::graph
