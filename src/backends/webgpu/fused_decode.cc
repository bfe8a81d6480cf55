#include "backends/webgpu/fused_decode.h"

#include <algorithm>

#include "backends/webgpu/fast_linear.h"

namespace tern::backends::webgpu {

using graph::NodeId;
using graph::Op;

namespace {

constexpr uint32_t kMostTokens = 16;  // beyond, tiles win
constexpr uint32_t kSplits = 16;      // of a token's cache: 8 and 32 were 4 and 2% slower at 4096 positions

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

struct Layer {
  NodeId attn_norm, qkv, rope, attention, o, ffn_norm, gate_up, down;
};

struct Model {
  NodeId embed = 0;
  std::vector<Layer> layers;
  NodeId gather = 0, norm = 0;
  std::vector<NodeId> heads;
};

/// Follows a chain of nodes, each the reader of the one before.
class Matcher {
 public:
  explicit Matcher(const Emitter& e) : e_(e), graph_(e.graph()) {
    for (NodeId n = 0; n < graph_.nodes.size(); ++n) {
      if (graph_.nodes[n].op != Op::kWeight) order_.push_back(n);
    }
  }

  std::optional<Model> match() {
    Model model;
    if (e_.target().expose_values || !next(Op::kEmbed, model.embed) || !single(model.embed, 0)) return {};
    graph::ValueId h = out(model.embed);
    while (at_ < order_.size() && graph_.nodes[order_[at_]].op == Op::kRmsNorm) {
      Layer layer{};
      if (!match_layer(layer, h)) return {};
      model.layers.push_back(layer);
      h = out(layer.down);
    }
    if (!next(Op::kGatherRows, model.gather) || in(model.gather, 0) != h) return {};
    if (!next(Op::kRmsNorm, model.norm) || in(model.norm, 0) != out(model.gather)) return {};
    NodeId head = 0;
    while (at_ < order_.size() && graph_.nodes[order_[at_]].op == Op::kLinear) {
      if (!next(Op::kLinear, head) || in(head, 0) != out(model.norm) || !single(head, 1)) return {};
      if (linear(head).has_bias == 1) return {};
      model.heads.push_back(head);
    }
    if (model.layers.empty() || model.heads.empty() || !whole_norm(model.norm)) return {};
    return model;
  }

 private:
  const Emitter& e_;
  const graph::Graph& graph_;
  std::vector<NodeId> order_;
  size_t at_ = 0;

  bool next(Op op, NodeId& node) {
    while (at_ < order_.size() && graph_.nodes[order_[at_]].op == Op::kSlice) ++at_;
    if (at_ == order_.size() || graph_.nodes[order_[at_]].op != op) return false;
    node = order_[at_++];
    return true;
  }
  graph::ValueId in(NodeId n, size_t i) const { return graph_.nodes[n].inputs[i]; }
  graph::ValueId out(NodeId n) const { return graph_.nodes[n].outputs[0]; }
  const graph::LinearAttrs& linear(NodeId n) const { return graph_.attrs<graph::LinearAttrs>(n); }
  /// Input i is a weight with an int8 product.
  bool single(NodeId n, size_t i) const {
    const graph::Weight* weight = graph_.weight_of(in(n, i));
    const size_t most = graph_.nodes[n].op == Op::kEmbed ? 1 : 8;
    return weight && has_int8_product(*weight) && graph_.nodes[n].inputs.size() <= most;
  }
  /// Over whole rows of whole groups.
  bool whole_norm(NodeId n) const {
    const uint32_t cols = graph_.values[in(n, 0)].desc.cols;
    return graph_.attrs<graph::NormAttrs>(n).group == cols && cols % 32 == 0 && graph_.weight_of(in(n, 1));
  }

  bool match_layer(Layer& layer, graph::ValueId h) {
    if (!next(Op::kRmsNorm, layer.attn_norm) || in(layer.attn_norm, 0) != h || !whole_norm(layer.attn_norm))
      return false;
    if (!next(Op::kLinear, layer.qkv) || in(layer.qkv, 0) != out(layer.attn_norm) || !single(layer.qkv, 1))
      return false;
    if (!next(Op::kRopeKvWrite, layer.rope) || !is_slice(layer.rope, layer.qkv)) return false;
    if (!next(Op::kAttention, layer.attention) || in(layer.attention, 0) != out(layer.rope)) return false;
    if (!next(Op::kLinearAdd, layer.o) || in(layer.o, 0) != out(layer.attention) || !plain_add(layer.o, h))
      return false;
    const graph::ValueId middle = out(layer.o);
    if (!next(Op::kRmsNorm, layer.ffn_norm) || in(layer.ffn_norm, 0) != middle || !whole_norm(layer.ffn_norm))
      return false;
    if (!next(Op::kLinearGlu, layer.gate_up) || in(layer.gate_up, 0) != out(layer.ffn_norm)) return false;
    if (!single(layer.gate_up, 1) || linear(layer.gate_up).has_bias == 1) return false;
    if (graph_.values[out(layer.gate_up)].desc.cols % 32 != 0) return false;
    if (!next(Op::kLinearAdd, layer.down) || in(layer.down, 0) != out(layer.gate_up)) return false;
    return plain_add(layer.down, middle) && shapes_fit(layer);
  }
  bool plain_add(NodeId n, graph::ValueId residual) const {
    return linear(n).has_bias == 0 && in(n, 2) == residual && single(n, 1);
  }
  /// q, k and v of the node are the columns of the linear in this order.
  bool is_slice(NodeId rope, NodeId qkv) const {
    uint32_t begin = 0;
    for (size_t i = 0; i < 3; ++i) {
      const NodeId producer = graph_.values[in(rope, i)].producer;
      if (producer == graph::kNone || graph_.nodes[producer].op != Op::kSlice || in(producer, 0) != out(qkv))
        return false;
      if (graph_.attrs<graph::SliceAttrs>(producer).begin != begin) return false;
      begin += graph_.attrs<graph::SliceAttrs>(producer).count;
    }
    return begin == graph_.values[out(qkv)].desc.cols;
  }
  bool shapes_fit(const Layer& layer) const {
    const auto& rope = graph_.attrs<graph::RopeKvAttrs>(layer.rope).rope;
    const auto& first = graph_.attrs<graph::RopeKvAttrs>(first_rope()).rope;
    const auto& attention = graph_.attrs<graph::AttentionAttrs>(layer.attention);
    const uint32_t dim = attention.head_dim, per_kv = attention.n_heads / attention.n_kv_heads;
    const bool turns = rope.rot_dim == dim && rope == first && in(layer.rope, 3) == in(first_rope(), 3);
    const bool fits = (dim == 32 || dim == 64 || dim == 128 || dim == 256) && per_kv * dim <= 1024;
    return turns && fits && attention.n_heads % attention.n_kv_heads == 0;
  }
  /// All layers share one table of cosines.
  NodeId first_rope() const {
    return *std::ranges::find_if(order_, [&](NodeId n) { return graph_.nodes[n].op == Op::kRopeKvWrite; });
  }
};

class FusedDecode {
 public:
  FusedDecode(Emitter& e, Model model) : e_(e), model_(std::move(model)) {
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
    part_o_ = e_.temporary(t, heads_ * kSplits * head_dim_);
    part_ml_ = e_.temporary(t, heads_ * kSplits * 2);
    attended_ = q8_blocks(e_, t, heads_ * head_dim_);
    TRY(embed());
    for (size_t i = 0; i < model_.layers.size(); ++i) {
      const bool is_last = i + 1 == model_.layers.size();
      TRY(layer(model_.layers[i], is_last ? model_.norm : model_.layers[i + 1].attn_norm));
    }
    for (const NodeId n : model_.heads) TRY(head(n));
    e_.take(model_.embed);
    for (const Layer& l : model_.layers) {
      for (const NodeId n : {l.attn_norm, l.qkv, l.rope, l.attention, l.o, l.ffn_norm, l.gate_up, l.down}) e_.take(n);
    }
    e_.take(model_.gather);
    e_.take(model_.norm);
    for (const NodeId n : model_.heads) e_.take(n);
    return {};
  }

 private:
  Emitter& e_;
  Model model_;
  uint32_t tokens_, head_dim_, heads_, kv_heads_, hidden_;
  Shapes shapes_;
  View h_, x_, rope_, q_, part_o_, part_ml_, attended_;

  bool is_single() const { return e_.max_tokens() == 1; }
  graph::GridExpr by_tokens() const { return grid_rows(graph::Dim::tokens(), tokens_); }
  const graph::Weight& weight(NodeId n, size_t i) const { return *e_.weight(n, i); }

  Result<void> embed() {
    const NodeId rope = model_.layers[0].rope;
    const PlaneLayout layout = PlaneLayout::of(weight(model_.embed, 0));
    Dispatch d{.name = "embed_q8"};
    add_team(e_, d, 256);
    d.files.insert(d.files.end(), {"q8_block", dot_file(layout.family), "embed_q8"});
    add_block_params(e_, d.constants);
    d.constants.add("G", layout.padded / 32);
    d.constants.add("SCALES", static_cast<uint32_t>(layout.scales / 16));
    d.constants.add("ROW_SCALES", layout.row_scales);
    d.constants.add("VOCAB", layout.rows);
    d.constants.add("ROT", head_dim_);
    d.constants.add("FACTOR", e_.graph().attrs<graph::ScaleAttrs>(model_.embed).factor);
    d.constants.add("MAGNITUDE", e_.graph().attrs<graph::RopeKvAttrs>(rope).rope.magnitude);
    d.binds = {reads(e_.weight_ref(model_.embed, 0)),
               reads(Emitter::state()),
               reads(Emitter::params()),
               writes(h_.ref),
               reads(e_.weight_ref(model_.layers[0].attn_norm, 1)),
               writes(x_.ref),
               reads(e_.weight_ref(rope, 3)),
               writes(rope_.ref)};
    d.grid[0] = grid_rows(graph::Dim::tokens());
    return e_.dispatch(model_.embed, d);
  }

  Result<void> layer(const Layer& l, NodeId next_norm) {
    TRY(qkv(l));
    TRY(attention(l));
    if (is_single()) {
      TRY(residual(l.o, l, l.ffn_norm, shapes_.o));
    } else {
      TRY(combine(l));
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

  Result<void> qkv(const Layer& l) {
    const graph::Weight& w = weight(l.qkv, 1);
    const bool has_bias = e_.graph().attrs<graph::LinearAttrs>(l.qkv).has_bias == 1;
    Dispatch d{.name = "fused_qkv"};
    add_gemv(e_, d, w, shapes_.qkv, 1, tokens_);
    d.files.insert(d.files.end(),
                   {"x_q8_norm", "tokens_all", has_bias ? "bias" : "bias_none", "page_of", "out_qkv", "gemv_q8"});
    add_heads(d.constants);
    d.constants.add("HEADS", heads_);
    d.constants.add("N", w.rows);
    d.constants.add("EPS", e_.graph().attrs<graph::NormAttrs>(l.attn_norm).eps);
    d.constants.add("INTERLEAVED", e_.graph().attrs<graph::RopeKvAttrs>(l.rope).rope.interleaved);
    const uint32_t cache = e_.graph().attrs<graph::RopeKvAttrs>(l.rope).kv.layer;
    d.binds = {reads(e_.weight_ref(l.qkv, 1)),
               reads(x_.ref),
               reads(Emitter::params()),
               writes(q_.ref),
               writes(Emitter::keys(cache)),
               writes(Emitter::values(cache)),
               reads(rope_.ref)};
    if (has_bias) d.binds.push_back(reads(e_.weight_ref(l.qkv, 2)));
    d.grid = {grid_constant(div_up(w.rows, shapes_.qkv.out)), by_tokens(), {}};
    return e_.dispatch(l.qkv, d);
  }

  Result<void> attention(const Layer& l) {
    const auto& attrs = e_.graph().attrs<graph::AttentionAttrs>(l.attention);
    Dispatch d{.name = "attention_split"};
    add_team(e_, d, 256);
    d.files.insert(d.files.end(), {"splits", "attention_split"});
    add_block_params(e_, d.constants);
    add_heads(d.constants);
    d.constants.add("GQ", heads_ / kv_heads_);
    d.constants.add("SPLITS", kSplits);
    d.constants.add("WINDOW", attrs.window);
    d.constants.add("LOADS", head_dim_ / 32);
    d.constants.add("ROUNDS", div_up(heads_ / kv_heads_, 4));
    d.constants.add("SCALE", attrs.scale);
    d.constants.add("SOFTCAP", attrs.softcap);
    d.binds = {reads(q_.ref),
               reads(Emitter::keys(attrs.layer)),
               reads(Emitter::params()),
               reads(Emitter::values(attrs.layer)),
               writes(part_o_.ref),
               writes(part_ml_.ref)};
    d.grid = {grid_constant(kv_heads_), grid_constant(kSplits), grid_rows(graph::Dim::tokens())};
    return e_.dispatch(l.attention, d);
  }

  void add_parts(const Layer& l, Constants& constants) const {
    constants.add("HD", head_dim_);
    constants.add("HEADS", heads_);
    constants.add("SPLITS", kSplits);
    constants.add("WINDOW", e_.graph().attrs<graph::AttentionAttrs>(l.attention).window);
  }

  /// The attention of several tokens, once, as int8.
  Result<void> combine(const Layer& l) {
    Dispatch d{.name = "attention_q8"};
    add_team(e_, d, 64);
    d.files.insert(d.files.end(), {"q8_block", "splits", "combine", "attention_q8"});
    add_block_params(e_, d.constants);
    add_parts(l, d.constants);
    d.binds = {reads(part_o_.ref), reads(part_ml_.ref), reads(Emitter::params()), writes(attended_.ref)};
    d.grid = {grid_constant(div_up(heads_ * head_dim_, 256)), grid_rows(graph::Dim::tokens()), {}};
    return e_.dispatch(l.attention, d);
  }

  /// o of one token: combines the parts of the attention itself.
  Result<void> residual(NodeId n, const Layer& l, NodeId norm, GemvShape shape) {
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

  Result<void> gate_up(const Layer& l, const View& out) {
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

std::optional<Model> match(const Emitter& e) {
  const graph::PlanKey& key = e.key();
  const bool pages_fit = key.page_tokens == 32 || key.page_tokens % 64 == 0;
  if (!e.target().gpu.packed_dot || key.kv_format != graph::KvFormat::kF16 || !pages_fit) return {};
  return Matcher(e).match();
}

}  // namespace

bool can_fuse_decode(const Emitter& e) {
  return match(e).has_value();
}

Result<bool> emit_fused_decode(Emitter& e, NodeId node) {
  if (e.node(node).op != Op::kEmbed || e.max_tokens() > kMostTokens) return false;
  std::optional<Model> model = match(e);
  if (!model || model->embed != node) return false;
  TRY(FusedDecode(e, *std::move(model)).emit());
  return true;
}

}  // namespace tern::backends::webgpu
