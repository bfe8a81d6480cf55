#include "backends/webgpu/fused_decode.h"

#include <algorithm>

#include "backends/webgpu/fast_linear.h"
#include "backends/webgpu/fused_experts.h"
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

// A token of an expert at a time.
constexpr GemvShape kExpertGlu{32, 512, 1, 1}, kExpertDown{32, 1024, 1, 1};

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
    h_ = e_.temporary(kTokens, hidden_);
    x_ = q8_blocks(e_, kTokens, hidden_);
    for (size_t i = 0; i < model_.tables.size(); ++i) tables_.push_back(e_.temporary(kTokens, head_dim_));
    q_ = e_.temporary(kTokens, heads_ * head_dim_);
    part_o_ = e_.temporary(kTokens, heads_ * kAttentionSplits * head_dim_);
    part_ml_ = e_.temporary(kTokens, heads_ * kAttentionSplits * 2);
    attended_ = q8_blocks(e_, kTokens, heads_ * head_dim_);
    TRY(emit_embed_q8(e_, model_, h_, x_, tables_));
    for (size_t i = 0; i < model_.layers.size(); ++i) {
      const bool is_last = i + 1 == model_.layers.size();
      TRY(layer(model_.layers[i], is_last ? model_.norm : model_.layers[i + 1].attn_norm));
    }
    if (model_.pool != graph::kNone) TRY(emit_pool_norm_of(e_, model_.pool, h_, h_, 0));
    if (model_.heads.empty()) TRY(emit_last_norm(e_, model_, {.threads = 1024}, h_, {}, 0));
    for (const NodeId n : model_.heads) TRY(head(n));
    take(e_, model_);
    return {};
  }

 private:
  static constexpr graph::Dim kTokens = graph::Dim::tokens();
  Emitter& e_;
  FusedModel model_;
  uint32_t tokens_, head_dim_, heads_, kv_heads_, hidden_;
  Shapes shapes_;
  View h_, x_, q_, part_o_, part_ml_, attended_;
  std::vector<View> tables_;
  bool is_normed_ = false;  // x_ is the norm, and not only h * gain

  bool is_single() const { return e_.max_tokens() == 1; }
  graph::GridExpr by_tokens() const { return grid_rows(kTokens, tokens_); }
  const graph::Weight& weight(NodeId n, size_t i) const { return *e_.weight(n, i); }
  float eps(NodeId norm) const { return e_.graph().attrs<graph::NormAttrs>(norm).eps; }

  Result<void> layer(const FusedLayer& l, NodeId next_norm) {
    TRY(qkv(l));
    TRY(emit_attention_split(e_, l, q_, part_o_, part_ml_));
    if (!is_single()) TRY(emit_rows_attention(e_, l, part_o_, part_ml_, {"q8_block", "put_q8"}, attended_));
    TRY(residual(l.o, is_single() ? of_parts(l) : of_rows(l.o, attended_, shapes_.o), l.attn_post, l.ffn_norm));
    if (l.experts) {
      TRY(experts(l, next_norm));
    } else {
      const View gated = q8_blocks(e_, kTokens, e_.output(l.gate_up).cols);
      TRY(gate_up(l, gated));
      TRY(residual(l.down, of_rows(l.down, gated, shapes_.down), l.ffn_post, next_norm));
    }
    return {};
  }

  /// A product without its output: the first three bindings, and what else its files bind, from kMore on.
  struct Product {
    Dispatch dispatch;
    GemvShape shape;
    uint32_t tokens;  // at a time
    std::vector<Bind> more;
  };
  static constexpr size_t kMore = 6;

  /// Of x_, which the norm belongs to.
  Dispatch of_norm(NodeId n, NodeId norm, std::string_view name, GemvShape shape, uint32_t rows_per_result,
                   uint32_t tokens) const {
    Dispatch d{.name = name};
    add_gemv(e_, d, weight(n, 1), shape, rows_per_result, tokens);
    d.files.push_back(is_normed_ ? "x_q8" : "x_q8_norm");
    if (!is_normed_) d.constants.add("EPS", eps(norm));
    d.binds = {reads(e_.weight_ref(n, 1)), reads(x_.ref), reads(Emitter::params())};
    return d;
  }

  /// In one kernel, unless it wants whole heads: norms of them, or scales of 32 values.
  Result<void> qkv(const FusedLayer& l) {
    if (l.q_norm == graph::kNone && e_.key().kv_format != graph::KvFormat::kQ8_0) {
      for (const QkvPart& part : l.qkv) TRY(qkv(l, part));
      return {};
    }
    const uint32_t cols = (heads_ + 2 * kv_heads_) * head_dim_;
    const View y = e_.temporary(kTokens, cols);
    for (const QkvPart& part : l.qkv) {
      Product product{
          of_norm(part.linear, l.attn_norm, "fused_plain", shapes_.qkv, 1, tokens_), shapes_.qkv, tokens_, {}};
      product.dispatch.files.push_back("one_matrix");
      TRY(plain(part.linear, std::move(product), y, part.first_head * head_dim_));
    }
    return emit_rows_qkv(e_, l, {.cols = cols}, y, tables_[l.table], q_);
  }
  Result<void> qkv(const FusedLayer& l, const QkvPart& part) {
    const graph::Weight& w = weight(part.linear, 1);
    const bool has_bias = e_.graph().attrs<graph::LinearAttrs>(part.linear).has_bias == 1;
    Dispatch d = of_norm(part.linear, l.attn_norm, "fused_qkv", shapes_.qkv, 1, tokens_);
    d.files.insert(d.files.end(), {"tokens_all", "one_matrix", has_bias ? "bias" : "bias_none", "page_of", "q_f32",
                                   cache_writer(e_), "put_head", "out_qkv", "gemv_q8"});
    add_heads(e_, l, part.first_head, d.constants);
    const uint32_t cache = e_.graph().attrs<graph::RopeKvAttrs>(l.rope).kv.layer;
    d.binds.insert(d.binds.end(), {writes(q_.ref), writes(Emitter::keys(cache)), writes(Emitter::values(cache)),
                                   reads(tables_[l.table].ref)});
    if (has_bias) d.binds.push_back(reads(e_.weight_ref(part.linear, 2)));
    d.grid = {grid_constant(div_up(w.rows, shapes_.qkv.out)), by_tokens(), {}};
    return e_.dispatch(part.linear, d);
  }

  /// o of one token: combines the parts of the attention itself.
  Product of_parts(const FusedLayer& l) const {
    Product out{{.name = "fused_attention_residual"}, shapes_.o, 1, {reads(part_ml_.ref)}};
    Dispatch& d = out.dispatch;
    add_gemv(e_, d, weight(l.o, 1), shapes_.o, 1, 1);
    d.constants.add("HD", head_dim_);
    d.constants.add("HEADS", heads_);
    d.constants.add("SPLITS", kAttentionSplits);
    d.constants.add("WINDOW", e_.graph().attrs<graph::AttentionAttrs>(l.attention).window);
    d.files.insert(d.files.end(), {"splits", "combine", "x_attention", "one_matrix"});
    d.binds = {reads(e_.weight_ref(l.o, 1)), reads(part_o_.ref), reads(Emitter::params())};
    return out;
  }
  Product of_rows(NodeId n, const View& x, GemvShape shape) const {
    Product out{{.name = "fused_residual"}, shape, tokens_, {}};
    add_gemv(e_, out.dispatch, weight(n, 1), shape, 1, tokens_);
    out.dispatch.files.insert(out.dispatch.files.end(), {"x_q8", "one_matrix"});
    out.dispatch.binds = {reads(e_.weight_ref(n, 1)), reads(x.ref), reads(Emitter::params())};
    return out;
  }
  /// The sum of the experts' products, weighed by the router.
  Product of_experts(const FusedExperts& x, const View& gated, const View& router) const {
    Product out{{.name = "fused_experts_sum"}, kExpertDown, 1, {reads(router.ref)}};
    add_gemv(e_, out.dispatch, weight(x.down, 1), kExpertDown, 1, 1);
    out.dispatch.files.push_back("x_q8");
    out.dispatch.binds = {reads(e_.weight_ref(x.down, 1)), reads(gated.ref), reads(Emitter::params())};
    add_experts(x, hidden_, out.dispatch);
    out.dispatch.files.push_back("experts_sum");
    return out;
  }

  /// h_ and x_ take up a product of node n; through a matrix of its own, where it is normed.
  Result<void> residual(NodeId n, Product product, NodeId post, NodeId next_norm) {
    if (post != graph::kNone) {
      const View y = e_.temporary(kTokens, hidden_);
      TRY(plain(n, std::move(product), y, 0));
      const RowsNorm how{.norm = next_norm, .post = post, .put = {"q8_block", "put_q8"}, .threads = 1024};
      TRY(emit_rows_norm(e_, how, h_, y, 1, kTokens, x_));
      is_normed_ = true;
      return {};
    }
    Dispatch& d = product.dispatch;
    d.files.insert(d.files.end(), {"tokens_all", "quantise32", "out_residual", "gemv_q8"});
    d.constants.add("N", hidden_);
    d.binds.insert(d.binds.end(), {writes(h_.ref), reads(gain_of(e_, next_norm)), writes(x_.ref)});
    d.binds.insert(d.binds.end(), product.more.begin(), product.more.end());
    d.grid = {grid_constant(hidden_ / 32), grid_rows(kTokens, product.tokens), {}};
    is_normed_ = false;
    return e_.dispatch(n, d);
  }
  /// A product whose results are columns [col0, + rows of the weight) of y.
  Result<void> plain(NodeId n, Product product, const View& y, uint32_t col0) {
    const bool has_bias = e_.node(n).op == Op::kLinear && e_.graph().attrs<graph::LinearAttrs>(n).has_bias == 1;
    const uint32_t rows = weight(n, 1).rows;
    Dispatch& d = product.dispatch;
    d.files.insert(d.files.end(), {"tokens_all", has_bias ? "epilogue_bias" : "epilogue_none", "out_plain", "gemv_q8"});
    d.constants.add("N", rows);
    d.constants.add("OUT_STRIDE", y.cols);
    d.constants.add("OUT_COL0", col0);
    d.binds.push_back(writes(y.ref));
    if (has_bias) d.binds.push_back(reads(e_.weight_ref(n, 2)));
    if (!product.more.empty()) d.binds.resize(kMore, d.binds[0]);  // which nothing reads
    d.binds.insert(d.binds.end(), product.more.begin(), product.more.end());
    d.grid = {grid_constant(div_up(rows, product.shape.out)), grid_rows(kTokens, product.tokens), {}};
    return e_.dispatch(n, d);
  }

  Result<void> gate_up(const FusedLayer& l, const View& out) {
    const graph::Weight& w = weight(l.gate_up, 1);
    Dispatch d = of_norm(l.gate_up, l.ffn_norm, "fused_glu", shapes_.gate_up, 2, tokens_);
    d.files.insert(d.files.end(), {"tokens_all", "one_matrix"});
    const auto activation = e_.graph().attrs<graph::LinearAttrs>(l.gate_up).activation;
    add_glu(d, activation, w.rows / 2, out);
    d.grid = {grid_constant(w.rows / 64), by_tokens(), {}};
    return e_.dispatch(l.gate_up, d);
  }
  static void add_glu(Dispatch& d, graph::Activation activation, uint32_t cols, const View& out) {
    const bool is_silu = activation == graph::Activation::kSilu;
    d.files.insert(d.files.end(), {is_silu ? "act_silu" : "act_gelu", "quantise32", "out_glu", "gemv_q8"});
    d.constants.add("FF", cols);
    d.binds.push_back(writes(out.ref));
  }

  /// The router, a glu of each expert of each token, their sum: however many experts there are.
  Result<void> experts(const FusedLayer& l, NodeId next_norm) {
    const FusedExperts& x = *l.experts;
    const View router = e_.temporary(kTokens, expert_count(e_, x));
    TRY(emit_router(e_, l, h_, router));
    const uint32_t cols = e_.output(x.glu).cols, top = experts_per_token(e_, x);
    const View gated = q8_blocks(e_, graph::Dim::tokens(top), cols);
    Dispatch d = of_norm(x.gate_up, l.ffn_norm, "fused_experts_glu", kExpertGlu, 2, 1);
    add_experts(x, 2 * cols, d);
    d.files.push_back("experts_each");
    add_glu(d, e_.graph().attrs<graph::GluAttrs>(x.glu).activation, cols, gated);
    d.binds.push_back(reads(router.ref));
    d.grid = {grid_constant(cols / 32), grid_rows(graph::Dim::tokens(top)), {}};
    TRY(e_.dispatch(x.gate_up, d));
    return residual(x.down, of_experts(x, gated, router), graph::kNone, next_norm);
  }
  /// rows: of the weight, for each expert.
  void add_experts(const FusedExperts& x, uint32_t rows, Dispatch& d) const {
    add_route(e_, x, d);
    d.constants.add("EXPERT_ROWS", rows);
  }

  Result<void> head(NodeId n) {
    const graph::Weight& w = weight(n, 1);
    const View out = logits(e_, model_, n);
    Dispatch d = of_norm(n, model_.norm, "fused_head", shapes_.head, 1, tokens_);
    d.files.insert(d.files.end(), {"tokens_wanted", "one_matrix"});
    add_logits_epilogue(e_, model_, d);
    d.files.insert(d.files.end(), {"out_plain", "gemv_q8"});
    d.constants.add("N", w.rows);
    d.constants.add("OUT_STRIDE", out.stride);
    d.constants.add("OUT_COL0", out.col0);
    d.binds.push_back(writes(out.ref));
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
