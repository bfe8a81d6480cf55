#include "backends/webgpu/fused_prefill.h"

#include <algorithm>

#include "backends/webgpu/fast_linear.h"
#include "backends/webgpu/flash.h"
#include "backends/webgpu/fused_experts.h"
#include "backends/webgpu/gemm.h"
#include "backends/webgpu/generic.h"

namespace tern::backends::webgpu {

using graph::NodeId;

namespace {

/// The smallest of a program's tokens: with subgroup matrices 16 (2,402 tok/s in a batch of 16 against 2,023 by
/// fused_decode.h on an H200, but 1,244 against 1,726 in one of 8), else more (packed tiles: 1,517 in one of 16).
uint32_t least_tokens(Gemm gemm) {
  return gemm == Gemm::kMatrix ? 9 : 17;
}

constexpr uint32_t kMostOfBatch = 64;  // tokens of programs that split every token's cache

/// The matrices of partial sums that a product left, one after the other, and the norm of their sum if it has one.
struct Sums {
  View view;
  uint32_t parts = 0;
  NodeId post = graph::kNone;
  std::optional<View> shares = {};  // where the parts are a token's experts
};

class FusedPrefill {
 public:
  FusedPrefill(Emitter& e, FusedModel model, Gemm gemm) : e_(e), model_(std::move(model)), gemm_(gemm) {
    const auto& attention = e_.graph().attrs<graph::AttentionAttrs>(model_.layers[0].attention);
    head_dim_ = attention.head_dim;
    heads_ = attention.n_heads;
    kv_heads_ = attention.n_kv_heads;
    hidden_ = e_.output(model_.embed).cols;
    is_batch_ = e_.max_tokens() <= kMostOfBatch;
  }

  Result<void> emit() {
    h_ = e_.temporary(kTokens, hidden_);
    for (size_t i = 0; i < model_.tables.size(); ++i) tables_.push_back(e_.temporary(kTokens, head_dim_));
    TRY(emit_embed_q8(e_, model_, h_, q8_blocks(e_, kTokens, hidden_), tables_));
    Sums pending;  // of the layer before, not in h yet
    for (const FusedLayer& l : model_.layers) pending = TRY(layer(l, pending));
    if (model_.pool != graph::kNone) TRY(pool(pending));
    TRY(head(pending));
    take(e_, model_);
    return {};
  }

 private:
  static constexpr graph::Dim kTokens = graph::Dim::tokens();
  Emitter& e_;
  FusedModel model_;
  Gemm gemm_;
  uint32_t head_dim_, heads_, kv_heads_, hidden_;
  bool is_batch_;
  View h_;
  std::vector<View> tables_;

  /// Before the head, which lets the rows that it reads take up what is pending. Where that is no plain sum, all rows
  /// do so now.
  Result<void> pool(Sums& pending) {
    if (pending.post == graph::kNone && !pending.shares) {
      return emit_pool_norm_of(e_, model_.pool, h_, pending.view, pending.parts);
    }
    TRY(norm(model_.norm, pending));
    pending = {};
    return emit_pool_norm_of(e_, model_.pool, h_, h_, 0);
  }

  Result<Sums> layer(const FusedLayer& l, const Sums& before) {
    const View x = TRY(norm(l.attn_norm, before));
    const View attended = TRY(attention(l, x));
    const Sums o = TRY(product(l.o, attended, l.attn_post));
    const View y = TRY(norm(l.ffn_norm, o));
    if (l.experts) return experts(l, y);
    return product(l.down, TRY(gate_up(l, y)), l.ffn_post);
  }

  Result<Sums> experts(const FusedLayer& l, const View& x) {
    const View router = e_.temporary(kTokens, expert_count(e_, *l.experts));
    TRY(emit_router(e_, l, h_, router));
    const ExpertSums sums = TRY(emit_expert_gemms(e_, l, gemm_, router, x));
    return Sums{sums.y, experts_per_token(e_, *l.experts), graph::kNone, sums.shares};
  }

  Result<Sums> product(NodeId node, const View& x, NodeId post = graph::kNone) {
    GemmDispatch gemm = make_gemm(e_, gemm_, node, x, true);
    const uint32_t n = e_.weight(node, 1)->rows;
    const Sums out{e_.temporary(kTokens, gemm.parts * n), gemm.parts, post};
    Dispatch& d = gemm.dispatch;
    d.files.push_back("epilogue_none");
    d.constants.add("OUT_STRIDE", n);
    d.constants.add("OUT_COL0", 0u);
    d.binds.push_back(writes(out.view.ref));
    TRY(e_.dispatch(node, d));
    return out;
  }

  Dispatch rows(std::string_view name, Gemm form, uint32_t cols) const {
    Dispatch d{.name = name};
    add_team(e_, d, 256);
    for (const std::string_view file : put_files(form)) d.files.push_back(file);
    d.files.push_back(name);
    d.constants.add("G", cols / 32);
    return d;
  }

  /// h takes up what is pending; the norm of all tokens.
  Result<View> norm(NodeId node, const Sums& pending) {
    const View out = gemm_rows(e_, gemm_, kTokens, hidden_);
    TRY(norm(node, pending, gemm_, "tokens_all", kTokens, out));
    return out;
  }
  Result<void> norm(NodeId node, const Sums& pending, Gemm form, std::string_view tokens, graph::Dim n,
                    const View& out) {
    const RowsNorm how{
        .norm = node, .post = pending.post, .put = put_files(form), .tokens = tokens, .shares = pending.shares};
    return emit_rows_norm(e_, how, h_, pending.view, pending.parts, n, out);
  }

  Result<View> attention(const FusedLayer& l, const View& x) {
    const bool halves = !is_batch_ && flash_reads_halves(e_, gemm_, l.attention);
    const uint32_t cols = heads_ * head_dim_;
    const View q = e_.temporary(kTokens, halves ? cols / 2 : cols);
    for (const QkvPart& part : l.qkv) {
      const Sums sums = TRY(product(part.linear, x));
      const bool has_bias = e_.graph().attrs<graph::LinearAttrs>(part.linear).has_bias == 1;
      const RowsQkv how{.first_head = part.first_head,
                        .cols = e_.weight(part.linear, 1)->rows,
                        .parts = sums.parts,
                        .bias = has_bias ? part.linear : graph::kNone,
                        .halves = halves};
      TRY(emit_rows_qkv(e_, l, how, sums.view, tables_[l.table], q));
    }
    const View out = gemm_rows(e_, gemm_, kTokens, cols);
    if (is_batch_) {
      TRY(split(l, q, out));
    } else if (gemm_ == Gemm::kMatrix) {
      TRY(emit_flash_for(e_, l.attention, gemm_, q, out));
    } else {
      const View attended = e_.temporary(kTokens, cols);
      TRY(emit_flash_for(e_, l.attention, gemm_, q, attended));
      TRY(emit_rows(e_, l.attention, gemm_, attended, out));
    }
    return out;
  }

  Result<void> split(const FusedLayer& l, const View& q, const View& out) {
    const View part_o = e_.temporary(kTokens, heads_ * kAttentionSplits * head_dim_);
    const View part_ml = e_.temporary(kTokens, heads_ * kAttentionSplits * 2);
    TRY(emit_attention_split(e_, l, q, part_o, part_ml));
    return emit_rows_attention(e_, l, part_o, part_ml, put_files(gemm_), out);
  }

  /// The product itself stores act(gate) * up where it is on matrices and undivided: 2% of a prompt of 512 tokens.
  Result<View> gate_up(const FusedLayer& l, const View& x) {
    const bool is_silu = e_.graph().attrs<graph::LinearAttrs>(l.gate_up).activation == graph::Activation::kSilu;
    const uint32_t cols = e_.output(l.gate_up).cols;
    const View out = gemm_rows(e_, gemm_, kTokens, cols);
    if (gemm_ == Gemm::kMatrix) {
      GemmDispatch fused = make_gemm(e_, gemm_, l.gate_up, x, true, "store_glu");
      Dispatch& d = fused.dispatch;
      d.files.push_back(is_silu ? "act_silu" : "act_gelu");
      d.binds.push_back(writes(out.ref));
      if (fused.parts == 1) {
        TRY(e_.dispatch(l.gate_up, d));
        return out;
      }
    }
    const Sums both = TRY(product(l.gate_up, x));
    Dispatch d = rows("rows_glu", gemm_, cols);
    d.files.push_back(is_silu ? "act_silu" : "act_gelu");
    d.constants.add("KS", both.parts);
    d.binds = {writes(out.ref), reads(both.view.ref), reads(Emitter::params())};
    d.grid = {grid_constant(div_up(cols, 1024)), grid_rows(kTokens), {}};
    TRY(e_.dispatch(l.gate_up, d));
    return out;
  }

  /// The wanted rows. In a batch these are most tokens: tiles again; of prompts one or few.
  Result<void> head(const Sums& pending) {
    if (model_.heads.empty()) {
      const RowsNorm how{.post = pending.post, .shares = pending.shares};
      return emit_last_norm(e_, model_, how, h_, pending.view, pending.parts);
    }
    const graph::Dim rows = graph::Dim::rows();
    const View x = is_batch_ ? gemm_rows(e_, gemm_, rows, hidden_) : q8_blocks(e_, rows, hidden_);
    TRY(norm(model_.norm, pending, is_batch_ ? gemm_ : Gemm::kDot, "tokens_wanted", rows, x));
    for (const NodeId n : model_.heads) {
      const View out = logits(e_, model_, n);
      const uint32_t tokens = static_cast<uint32_t>(std::min<uint64_t>(e_.most_rows(rows), 4));
      Dispatch d = is_batch_ ? make_gemm(e_, gemm_, n, x, false).dispatch : few_rows(n, x, tokens);
      add_logits_epilogue(e_, model_, d);
      if (!is_batch_) d.files.insert(d.files.end(), {"out_plain", "gemv_q8"});
      d.constants.add("OUT_STRIDE", out.stride);
      d.constants.add("OUT_COL0", out.col0);
      d.binds.push_back(writes(out.ref));
      TRY(e_.dispatch(n, d));
    }
    return {};
  }

  Dispatch few_rows(NodeId n, const View& x, uint32_t tokens) const {
    const graph::Weight& w = *e_.weight(n, 1);
    Dispatch d{.name = "head_rows"};
    add_gemv(e_, d, w, {32, 256, 1, tokens == 1 ? 1u : 2u}, 1, tokens);
    d.files.insert(d.files.end(), {"x_q8", "tokens_rows", "one_matrix"});
    d.constants.add("N", w.rows);
    d.binds = {reads(e_.weight_ref(n, 1)), reads(x.ref), reads(Emitter::params())};
    d.grid = {grid_constant(div_up(w.rows, 32)), grid_rows(graph::Dim::rows(), tokens), {}};
    return d;
  }
};

}  // namespace

Result<bool> emit_fused_prefill(Emitter& e, NodeId node) {
  const std::optional<Gemm> gemm = gemm_of(e.target());
  if (e.node(node).op != graph::Op::kEmbed || !gemm || e.max_tokens() < least_tokens(*gemm)) return false;
  std::optional<FusedModel> model = match_fused_model(e);
  if (!model || model->embed != node) return false;
  TRY(FusedPrefill(e, *std::move(model), *gemm).emit());
  return true;
}

}  // namespace tern::backends::webgpu
