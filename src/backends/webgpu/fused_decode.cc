#include "backends/webgpu/fused_decode.h"

#include <algorithm>

#include "backends/webgpu/fast_linear.h"
#include "backends/webgpu/fused_model.h"
#include "backends/webgpu/generic.h"

namespace tern::backends::webgpu {

using graph::NodeId;
using graph::Op;

namespace {

constexpr uint32_t kMostTokens = 16;  // beyond, tiles win

// Shapes of the products {results a workgroup, threads, parts of K, rows a team}, by the tokens they take at a time:
// the best of about six each, in q4 and q4m, for an 8B on an H200 (docs/webgpu.md). One row a team is best for one
// token; more rows share what is loaded of many tokens, and parts of K keep enough threads at work where a matrix is
// narrow.
struct Shapes {
  GemvShape qkv, o, gate_up, down, head;
};
constexpr Shapes kOneToken{{8, 256, 1, 1}, {32, 1024, 1, 1}, {32, 512, 1, 1}, {32, 1024, 4, 4}, {32, 256, 1, 1}};
constexpr Shapes kFewTokens{{16, 256, 1, 2}, {32, 1024, 2, 2}, {32, 512, 1, 2}, {32, 1024, 2, 2}, {32, 256, 1, 2}};
constexpr Shapes kEightTokens{{16, 256, 1, 2}, {32, 1024, 2, 2}, {32, 1024, 1, 2}, {32, 1024, 2, 2}, {32, 256, 1, 2}};
// Eight tokens in each of two workgroups that share the rows.
constexpr Shapes kSixteenTokens{{32, 512, 1, 2}, {32, 512, 1, 2}, {32, 1024, 1, 2}, {32, 512, 1, 2}, {32, 256, 1, 2}};

Shapes shapes_for(uint32_t tokens) {
  if (tokens == 1) return kOneToken;
  if (tokens <= 4) return kFewTokens;
  return tokens <= 8 ? kEightTokens : kSixteenTokens;
}

class FusedDecode {
 public:
  FusedDecode(Emitter& e, FusedModel model) : e_(e), model_(std::move(model)) {
    tokens_ = std::min(e.max_tokens(), 8u);
    shapes_ = shapes_for(e.max_tokens());
    const auto& attention = e_.graph().attrs<graph::AttentionAttrs>(model_.layers[0].attention);
    head_dim_ = attention.head_dim;
    heads_ = attention.n_heads;
    kv_heads_ = attention.n_kv_heads;
    hidden_ = e_.output(model_.embed).cols;
  }

  Result<void> emit() {
    const graph::Dim t = graph::Dim::tokens();
    h_ = e_.temporary(t, hidden_);
    x_ = q8_blocks(e_, t, hidden_);
    rope_ = e_.temporary(t, head_dim_);
    q_ = e_.temporary(t, heads_ * head_dim_);
    part_o_ = e_.temporary(t, heads_ * kAttentionSplits * head_dim_);
    part_ml_ = e_.temporary(t, heads_ * kAttentionSplits * 2);
    attended_ = q8_blocks(e_, t, heads_ * head_dim_);
    TRY(emit_embed_q8(e_, model_, h_, x_, rope_));
    for (size_t i = 0; i < model_.layers.size(); ++i) {
      const bool is_last = i + 1 == model_.layers.size();
      TRY(layer(model_.layers[i], is_last ? model_.norm : model_.layers[i + 1].attn_norm));
    }
    if (model_.pool != graph::kNone) TRY(emit_pool_norm_of(e_, model_.pool, h_, h_, 0));
    for (const NodeId n : model_.heads) TRY(head(n));
    take(e_, model_);
    return {};
  }

 private:
  Emitter& e_;
  FusedModel model_;
  uint32_t tokens_, head_dim_, heads_, kv_heads_, hidden_;
  Shapes shapes_;
  View h_, x_, rope_, q_, part_o_, part_ml_, attended_;

  bool is_single() const { return e_.max_tokens() == 1; }
  graph::GridExpr by_tokens() const { return grid_rows(graph::Dim::tokens(), tokens_); }
  const graph::Weight& weight(NodeId n, size_t i) const { return *e_.weight(n, i); }

  Result<void> layer(const FusedLayer& l, NodeId next_norm) {
    for (const QkvPart& part : l.qkv) TRY(qkv(l, part));
    TRY(emit_attention_split(e_, l, q_, part_o_, part_ml_));
    if (is_single()) {
      TRY(residual(l.o, l, l.ffn_norm, shapes_.o));
    } else {
      TRY(emit_rows_attention(e_, l, part_o_, part_ml_, {"q8_block", "put_q8"}, attended_));
      TRY(residual(l.o, attended_, l.ffn_norm, shapes_.o));
    }
    const View gated = q8_blocks(e_, graph::Dim::tokens(), e_.output(l.gate_up).cols);
    TRY(gate_up(l, gated));
    return residual(l.down, gated, next_norm, shapes_.down);
  }

  void add_heads(Constants& constants) const {
    constants.add("HD", head_dim_);
    constants.add("KV_HEADS", kv_heads_);
    constants.add("PAGE", e_.key().page_tokens);
  }

  Result<void> qkv(const FusedLayer& l, const QkvPart& part) {
    const graph::Weight& w = weight(part.linear, 1);
    const bool has_bias = e_.graph().attrs<graph::LinearAttrs>(part.linear).has_bias == 1;
    Dispatch d{.name = "fused_qkv"};
    add_gemv(e_, d, w, shapes_.qkv, 1, tokens_);
    d.files.insert(d.files.end(),
                   {"x_q8_norm", "tokens_all", has_bias ? "bias" : "bias_none", "page_of", "out_qkv", "gemv_q8"});
    add_heads(d.constants);
    d.constants.add("HEADS", heads_);
    d.constants.add("FIRST_HEAD", part.first_head);
    d.constants.add("N", w.rows);
    d.constants.add("EPS", e_.graph().attrs<graph::NormAttrs>(l.attn_norm).eps);
    d.constants.add("INTERLEAVED", e_.graph().attrs<graph::RopeKvAttrs>(l.rope).rope.interleaved);
    const uint32_t cache = e_.graph().attrs<graph::RopeKvAttrs>(l.rope).kv.layer;
    d.binds = {reads(e_.weight_ref(part.linear, 1)),
               reads(x_.ref),
               reads(Emitter::params()),
               writes(q_.ref),
               writes(Emitter::keys(cache)),
               writes(Emitter::values(cache)),
               reads(rope_.ref)};
    if (has_bias) d.binds.push_back(reads(e_.weight_ref(part.linear, 2)));
    d.grid = {grid_constant(div_up(w.rows, shapes_.qkv.out)), by_tokens(), {}};
    return e_.dispatch(part.linear, d);
  }

  void add_parts(const FusedLayer& l, Constants& constants) const {
    constants.add("HD", head_dim_);
    constants.add("HEADS", heads_);
    constants.add("SPLITS", kAttentionSplits);
    constants.add("WINDOW", e_.graph().attrs<graph::AttentionAttrs>(l.attention).window);
  }

  /// o of one token: combines the parts of the attention itself.
  Result<void> residual(NodeId n, const FusedLayer& l, NodeId norm, GemvShape shape) {
    Dispatch d{.name = "fused_attention_residual"};
    add_gemv(e_, d, weight(n, 1), shape, 1, 1);
    add_parts(l, d.constants);
    d.files.insert(d.files.end(), {"splits", "combine", "x_attention"});
    return residual(n, std::move(d), reads(part_o_.ref), norm, true);
  }
  Result<void> residual(NodeId n, const View& x, NodeId norm, GemvShape shape) {
    Dispatch d{.name = "fused_residual"};
    add_gemv(e_, d, weight(n, 1), shape, 1, tokens_);
    d.files.push_back("x_q8");
    return residual(n, std::move(d), reads(x.ref), norm, false);
  }
  Result<void> residual(NodeId n, Dispatch d, Bind x, NodeId norm, bool has_parts) {
    d.files.insert(d.files.end(), {"tokens_all", "quantise32", "out_residual", "gemv_q8"});
    d.constants.add("N", hidden_);
    d.binds = {reads(e_.weight_ref(n, 1)),    x,
               reads(Emitter::params()),      writes(h_.ref),
               reads(e_.weight_ref(norm, 1)), writes(x_.ref)};
    if (has_parts) d.binds.push_back(reads(part_ml_.ref));
    d.grid = {grid_constant(hidden_ / 32), by_tokens(), {}};
    return e_.dispatch(n, d);
  }

  Result<void> gate_up(const FusedLayer& l, const View& out) {
    const graph::Weight& w = weight(l.gate_up, 1);
    const bool is_silu = e_.graph().attrs<graph::LinearAttrs>(l.gate_up).activation == graph::Activation::kSilu;
    Dispatch d{.name = "fused_glu"};
    add_gemv(e_, d, w, shapes_.gate_up, 2, tokens_);
    d.files.insert(d.files.end(),
                   {"x_q8_norm", "tokens_all", is_silu ? "act_silu" : "act_gelu", "quantise32", "out_glu", "gemv_q8"});
    d.constants.add("FF", w.rows / 2);
    d.constants.add("EPS", e_.graph().attrs<graph::NormAttrs>(l.ffn_norm).eps);
    d.binds = {reads(e_.weight_ref(l.gate_up, 1)), reads(x_.ref), reads(Emitter::params()), writes(out.ref)};
    d.grid = {grid_constant(w.rows / 64), by_tokens(), {}};
    return e_.dispatch(l.gate_up, d);
  }

  Result<void> head(NodeId n) {
    const graph::Weight& w = weight(n, 1);
    const View out = e_.output(n);
    Dispatch d{.name = "fused_head"};
    add_gemv(e_, d, w, shapes_.head, 1, tokens_);
    d.files.insert(d.files.end(), {"x_q8_norm", "tokens_wanted", "out_plain", "gemv_q8"});
    d.constants.add("N", w.rows);
    d.constants.add("OUT_STRIDE", out.stride);
    d.constants.add("OUT_COL0", out.col0);
    d.constants.add("EPS", e_.graph().attrs<graph::NormAttrs>(model_.norm).eps);
    d.binds = {reads(e_.weight_ref(n, 1)), reads(x_.ref), reads(Emitter::params()), writes(out.ref)};
    d.grid = {grid_constant(div_up(w.rows, 32)), grid_rows(graph::Dim::rows(), tokens_), {}};
    return e_.dispatch(n, d);
  }
};

}  // namespace

Result<bool> emit_fused_decode(Emitter& e, NodeId node) {
  if (e.node(node).op != Op::kEmbed || e.max_tokens() > kMostTokens) return false;
  std::optional<FusedModel> model = match_fused_model(e);
  if (!model || model->embed != node) return false;
  TRY(FusedDecode(e, *std::move(model)).emit());
  return true;
}

}  // namespace tern::backends::webgpu
