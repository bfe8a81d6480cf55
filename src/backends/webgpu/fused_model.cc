#include "backends/webgpu/fused_model.h"

#include <algorithm>

#include "backends/webgpu/fast_linear.h"

namespace tern::backends::webgpu {

using graph::NodeId;
using graph::Op;

namespace {

/// Follows a chain of nodes, each the reader of the one before.
class Matcher {
 public:
  explicit Matcher(const Emitter& e) : e_(e), graph_(e.graph()) {
    for (NodeId n = 0; n < graph_.nodes.size(); ++n) {
      if (graph_.nodes[n].op != Op::kWeight) order_.push_back(n);
    }
  }

  std::optional<FusedModel> match() {
    FusedModel model;
    if (e_.target().expose_values || !next(Op::kEmbed, model.embed) || !single(model.embed, 0)) return {};
    graph::ValueId h = out(model.embed);
    while (at_ < order_.size() && graph_.nodes[order_[at_]].op == Op::kRmsNorm) {
      FusedLayer layer{};
      if (!match_layer(layer, h)) return {};
      model.layers.push_back(std::move(layer));
      h = out(model.layers.back().down);
    }
    if (next(Op::kPoolNorm, model.pool) && (in(model.pool, 0) != h || !e_.weight(model.pool, 1))) return {};
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

  bool match_layer(FusedLayer& layer, graph::ValueId h) {
    if (!next(Op::kRmsNorm, layer.attn_norm) || in(layer.attn_norm, 0) != h || !whole_norm(layer.attn_norm))
      return false;
    size_t n_linears = 0;
    for (NodeId linear = 0; next(Op::kLinear, linear); ++n_linears) {
      if (in(linear, 0) != out(layer.attn_norm) || !single(linear, 1)) return false;
    }
    if (!next(Op::kRopeKvWrite, layer.rope) || !next(Op::kAttention, layer.attention)) return false;
    if (!match_qkv(layer) || layer.qkv.size() != n_linears || in(layer.attention, 0) != out(layer.rope)) return false;
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
  /// q, k and v are all columns of linears, in this order.
  bool match_qkv(FusedLayer& layer) const {
    const uint32_t dim = graph_.attrs<graph::AttentionAttrs>(layer.attention).head_dim;
    uint32_t begin = 0, column = 0;  // in the last linear; of q, k and v together
    for (size_t i = 0; i < 3; ++i) {
      NodeId producer = graph_.values[in(layer.rope, i)].producer;
      if (producer == graph::kNone) return false;
      uint32_t first = 0, count = graph_.values[in(layer.rope, i)].desc.cols;
      if (graph_.nodes[producer].op == Op::kSlice) {
        first = graph_.attrs<graph::SliceAttrs>(producer).begin;
        producer = graph_.values[in(producer, 0)].producer;
      }
      if (producer == graph::kNone || graph_.nodes[producer].op != Op::kLinear) return false;
      if (layer.qkv.empty() || layer.qkv.back().linear != producer) {
        if (!layer.qkv.empty() && begin != cols(layer.qkv.back().linear)) return false;
        layer.qkv.push_back({producer, column / dim});
        begin = 0;
      }
      if (first != begin || count % dim != 0) return false;
      begin += count;
      column += count;
    }
    return begin == cols(layer.qkv.back().linear);
  }
  uint32_t cols(NodeId n) const { return graph_.values[out(n)].desc.cols; }
  bool shapes_fit(const FusedLayer& layer) const {
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

}  // namespace

std::optional<FusedModel> match_fused_model(const Emitter& e) {
  const graph::PlanKey& key = e.key();
  const bool pages_fit = key.page_tokens == 32 || key.page_tokens % 64 == 0;
  if (!e.target().gpu.packed_dot || key.kv_format != graph::KvFormat::kF16 || !pages_fit) return {};
  return Matcher(e).match();
}

void take(Emitter& e, const FusedModel& model) {
  e.take(model.embed);
  for (const FusedLayer& l : model.layers) {
    for (const NodeId n : {l.attn_norm, l.rope, l.attention, l.o, l.ffn_norm, l.gate_up, l.down}) e.take(n);
    for (const QkvPart& part : l.qkv) e.take(part.linear);
  }
  if (model.pool != graph::kNone) e.take(model.pool);
  e.take(model.gather);
  e.take(model.norm);
  for (const NodeId n : model.heads) e.take(n);
}

Result<void> emit_embed_q8(Emitter& e, const FusedModel& model, const View& h, const View& x, const View& rope) {
  const NodeId turn = model.layers[0].rope;
  const PlaneLayout layout = PlaneLayout::of(*e.weight(model.embed, 0));
  Dispatch d{.name = "embed_q8"};
  add_team(e, d, 256);
  d.files.insert(d.files.end(), {"q8_block", dot_file(layout.family), "embed_q8"});
  add_block_params(e, d.constants);
  d.constants.add("G", layout.padded / 32);
  d.constants.add("SCALES", static_cast<uint32_t>(layout.scales / 16));
  d.constants.add("ROW_SCALES", layout.row_scales);
  d.constants.add("VOCAB", layout.rows);
  d.constants.add("ROT", rope.cols);
  d.constants.add("FACTOR", e.graph().attrs<graph::ScaleAttrs>(model.embed).factor);
  d.constants.add("MAGNITUDE", e.graph().attrs<graph::RopeKvAttrs>(turn).rope.magnitude);
  d.binds = {reads(e.weight_ref(model.embed, 0)),
             reads(Emitter::state()),
             reads(Emitter::params()),
             writes(h.ref),
             reads(e.weight_ref(model.layers[0].attn_norm, 1)),
             writes(x.ref),
             reads(e.weight_ref(turn, 3)),
             writes(rope.ref)};
  d.grid[0] = grid_rows(graph::Dim::tokens());
  return e.dispatch(model.embed, d);
}

Result<void> emit_attention_split(Emitter& e, const FusedLayer& layer, const View& q, const View& part_o,
                                  const View& part_ml) {
  const auto& attrs = e.graph().attrs<graph::AttentionAttrs>(layer.attention);
  Dispatch d{.name = "attention_split"};
  add_team(e, d, 256);
  d.files.insert(d.files.end(), {"splits", "attention_split"});
  add_block_params(e, d.constants);
  const uint32_t per_kv = attrs.n_heads / attrs.n_kv_heads;
  d.constants.add("HD", attrs.head_dim);
  d.constants.add("KV_HEADS", attrs.n_kv_heads);
  d.constants.add("PAGE", e.key().page_tokens);
  d.constants.add("GQ", per_kv);
  d.constants.add("SPLITS", kAttentionSplits);
  d.constants.add("WINDOW", attrs.window);
  d.constants.add("LOADS", attrs.head_dim / 32);
  d.constants.add("ROUNDS", div_up(per_kv, 4));
  d.constants.add("SCALE", attrs.scale);
  d.constants.add("SOFTCAP", attrs.softcap);
  d.binds = {reads(q.ref),
             reads(Emitter::keys(attrs.layer)),
             reads(Emitter::params()),
             reads(Emitter::values(attrs.layer)),
             writes(part_o.ref),
             writes(part_ml.ref)};
  d.grid = {grid_constant(attrs.n_kv_heads), grid_constant(kAttentionSplits), grid_rows(graph::Dim::tokens())};
  return e.dispatch(layer.attention, d);
}

Result<void> emit_rows_attention(Emitter& e, const FusedLayer& layer, const View& part_o, const View& part_ml,
                                 const std::vector<std::string_view>& put, const View& out) {
  const auto& attrs = e.graph().attrs<graph::AttentionAttrs>(layer.attention);
  const uint32_t cols = attrs.n_heads * attrs.head_dim;
  Dispatch d{.name = "rows_attention"};
  add_team(e, d, 64);
  d.files.insert(d.files.end(), put.begin(), put.end());
  d.files.insert(d.files.end(), {"splits", "combine", "rows_attention"});
  add_block_params(e, d.constants);
  d.constants.add("G", cols / 32);
  d.constants.add("HD", attrs.head_dim);
  d.constants.add("HEADS", attrs.n_heads);
  d.constants.add("SPLITS", kAttentionSplits);
  d.constants.add("WINDOW", attrs.window);
  d.binds = {writes(out.ref), reads(part_o.ref), reads(Emitter::params()), reads(part_ml.ref)};
  d.grid = {grid_constant(div_up(cols, 256)), grid_rows(graph::Dim::tokens()), {}};
  return e.dispatch(layer.attention, d);
}

}  // namespace tern::backends::webgpu
