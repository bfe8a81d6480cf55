// Which graphs are fused models: the nodes of a graph in their order, as passes leave them.
#include <algorithm>

#include "backends/webgpu/fast_linear.h"
#include "backends/webgpu/fused_model.h"

namespace tern::backends::webgpu {

using graph::NodeId;
using graph::Op;
using graph::ValueId;

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
    if (e_.target().expose_values || !next(Op::kEmbed, model_.embed) || !has_table()) return {};
    h_ = out(model_.embed);
    while (!is_next(Op::kPoolNorm) && !is_next(Op::kGatherRows)) {
      FusedLayer layer{};
      if (!match_layer(layer)) return {};
      model_.layers.push_back(std::move(layer));
    }
    if (model_.layers.empty() || !match_head()) return {};
    return std::move(model_);
  }

 private:
  const Emitter& e_;
  const graph::Graph& graph_;
  std::vector<NodeId> order_;
  size_t at_ = 0;
  FusedModel model_;
  ValueId h_ = graph::kNone;    // the residual stream
  NodeId norm_ = graph::kNone;  // the norm of h_, where the sum that is h_ came with one

  bool is_next(Op op) {
    while (at_ < order_.size() && graph_.nodes[order_[at_]].op == Op::kSlice) ++at_;
    return at_ < order_.size() && graph_.nodes[order_[at_]].op == op;
  }
  bool next(Op op, NodeId& node) {
    if (!is_next(op)) return false;
    node = order_[at_++];
    model_.nodes.push_back(node);
    return true;
  }
  ValueId in(NodeId n, size_t i) const { return graph_.nodes[n].inputs[i]; }
  ValueId out(NodeId n) const { return graph_.nodes[n].outputs[0]; }
  /// What a norm gives.
  ValueId normed(NodeId n) const { return graph_.nodes[n].outputs.back(); }
  uint32_t cols(ValueId v) const { return graph_.values[v].desc.cols; }
  const graph::LinearAttrs& linear(NodeId n) const { return graph_.attrs<graph::LinearAttrs>(n); }
  /// Input i is a weight with an int8 product.
  bool single(NodeId n, size_t i) const {
    const graph::Weight* weight = graph_.weight_of(in(n, i));
    return weight && has_int8_product(*weight);
  }
  /// One table, of whole groups; it may be of floats.
  bool has_table() const {
    const graph::Weight* table = graph_.weight_of(in(model_.embed, 0));
    return graph_.nodes[model_.embed].inputs.size() == 1 && table && table->cols % 32 == 0;
  }
  /// Over whole rows of whole groups.
  bool whole_norm(NodeId n) const {
    const uint32_t width = cols(in(n, 0));
    const size_t gain = graph_.nodes[n].op == Op::kAddRmsNorm ? 2 : 1;
    return graph_.attrs<graph::NormAttrs>(n).group == width && width % 32 == 0 && graph_.weight_of(in(n, gain));
  }

  /// The norm of h_: a node of its own, or part of the sum.
  bool match_norm(NodeId& norm) {
    if (norm_ != graph::kNone) {
      norm = norm_;
      norm_ = graph::kNone;
    } else if (!next(Op::kRmsNorm, norm) || in(norm, 0) != h_) {
      return false;
    }
    return whole_norm(norm);
  }
  /// h_ + y, which may come with the norm of the sum.
  bool match_sum(ValueId y) {
    NodeId sum = 0;
    if (next(Op::kAddRmsNorm, sum)) {
      norm_ = sum;
    } else if (!next(Op::kAdd, sum)) {
      return false;
    }
    const bool adds = (in(sum, 0) == h_ && in(sum, 1) == y) || (in(sum, 0) == y && in(sum, 1) == h_);
    h_ = out(sum);
    return adds && cols(h_) == cols(y);
  }
  /// A product of x that the residual stream takes up, maybe through a norm.
  bool match_residual(ValueId x, NodeId& product, NodeId& post) {
    if (next(Op::kLinearAdd, product)) {
      const bool adds = in(product, 0) == x && linear(product).has_bias == 0 && in(product, 2) == h_;
      h_ = out(product);
      return adds && single(product, 1);
    }
    if (!next(Op::kLinear, product) || in(product, 0) != x || linear(product).has_bias == 1) return false;
    if (!single(product, 1) || !next(Op::kRmsNorm, post) || in(post, 0) != out(product)) return false;
    return whole_norm(post) && match_sum(out(post));
  }

  bool match_layer(FusedLayer& layer) {
    if (!match_norm(layer.attn_norm)) return false;
    size_t n_linears = 0;
    for (NodeId linear = 0; next(Op::kLinear, linear); ++n_linears) {
      if (in(linear, 0) != normed(layer.attn_norm) || !single(linear, 1)) return false;
    }
    for (NodeId* norm : {&layer.q_norm, &layer.k_norm}) next(Op::kRmsNorm, *norm);
    if (!next(Op::kRopeKvWrite, layer.rope) || !next(Op::kAttention, layer.attention)) return false;
    if (!match_qkv(layer) || layer.qkv.size() != n_linears || in(layer.attention, 0) != out(layer.rope)) return false;
    if (!match_residual(out(layer.attention), layer.o, layer.attn_post) || !match_norm(layer.ffn_norm)) return false;
    const bool is_dense = is_next(Op::kLinearGlu);
    return (is_dense ? match_feed_forward(layer) : match_experts(layer)) && shapes_fit(layer) && add_table(layer);
  }
  bool match_feed_forward(FusedLayer& layer) {
    if (!next(Op::kLinearGlu, layer.gate_up) || in(layer.gate_up, 0) != normed(layer.ffn_norm)) return false;
    if (!single(layer.gate_up, 1) || linear(layer.gate_up).has_bias == 1) return false;
    if (cols(out(layer.gate_up)) % 32 != 0) return false;
    return match_residual(out(layer.gate_up), layer.down, layer.ffn_post);
  }
  bool match_experts(FusedLayer& layer) {
    FusedExperts x{};
    NodeId combine = 0;
    const ValueId y = normed(layer.ffn_norm);
    if (!next(Op::kLinear, x.router) || in(x.router, 0) != y || linear(x.router).has_bias == 1) return false;
    if (!next(Op::kRouteTopk, x.route) || in(x.route, 0) != out(x.router)) return false;
    if (!next(Op::kLinearExperts, x.gate_up) || in(x.gate_up, 0) != y || !experts_fit(x.gate_up, x.route)) return false;
    if (!next(Op::kGlu, x.glu) || !are_halves(x.glu, out(x.gate_up)) || cols(out(x.glu)) % 32 != 0) return false;
    if (!next(Op::kLinearExperts, x.down) || in(x.down, 0) != out(x.glu) || !experts_fit(x.down, x.route)) return false;
    if (!next(Op::kCombineExperts, combine) || in(combine, 0) != out(x.down)) return false;
    if (in(combine, 1) != graph_.nodes[x.route].outputs[1] || !match_sum(out(combine))) return false;
    layer.experts = x;
    return true;
  }
  /// One weight of whole experts, chosen by the route.
  bool experts_fit(NodeId n, NodeId route) const {
    return graph_.nodes[n].inputs.size() == 3 && single(n, 1) && in(n, 2) == graph_.nodes[route].outputs[0];
  }
  /// A glu of the first and the second half of `both`.
  bool are_halves(NodeId glu, ValueId both) const {
    for (const size_t i : {0, 1}) {
      const NodeId slice = graph_.values[in(glu, i)].producer;
      if (slice == graph::kNone || graph_.nodes[slice].op != Op::kSlice || in(slice, 0) != both) return false;
      const auto& attrs = graph_.attrs<graph::SliceAttrs>(slice);
      if (attrs.count != cols(both) / 2 || attrs.begin != i * attrs.count) return false;
    }
    return true;
  }

  /// q, k and v are all columns of linears, in this order; q and k may be normed head by head.
  bool match_qkv(FusedLayer& layer) const {
    const uint32_t dim = graph_.attrs<graph::AttentionAttrs>(layer.attention).head_dim;
    uint32_t begin = 0, column = 0;  // in the last linear; of q, k and v together
    for (size_t i = 0; i < 3; ++i) {
      ValueId value = in(layer.rope, i);
      if (i < 2 && !match_head_norm(i == 0 ? layer.q_norm : layer.k_norm, dim, value)) return false;
      NodeId producer = graph_.values[value].producer;
      if (producer == graph::kNone) return false;
      uint32_t first = 0, count = cols(value);
      if (graph_.nodes[producer].op == Op::kSlice) {
        first = graph_.attrs<graph::SliceAttrs>(producer).begin;
        producer = graph_.values[in(producer, 0)].producer;
      }
      if (producer == graph::kNone || graph_.nodes[producer].op != Op::kLinear) return false;
      if (layer.qkv.empty() || layer.qkv.back().linear != producer) {
        if (!layer.qkv.empty() && begin != cols(out(layer.qkv.back().linear))) return false;
        layer.qkv.push_back({producer, column / dim});
        begin = 0;
      }
      if (first != begin || count % dim != 0) return false;
      begin += count;
      column += count;
    }
    const bool has_bias = std::ranges::any_of(layer.qkv, [&](const QkvPart& p) { return linear(p.linear).has_bias; });
    if (layer.q_norm != graph::kNone && has_bias) return false;  // the kernel has no binding left
    return begin == cols(out(layer.qkv.back().linear));
  }
  /// value: what the norm gives; then what it reads. Without a norm it stays.
  bool match_head_norm(NodeId norm, uint32_t head_dim, ValueId& value) const {
    if (norm == graph::kNone) return true;
    const bool fits = graph_.attrs<graph::NormAttrs>(norm).group == head_dim && graph_.weight_of(in(norm, 1));
    if (out(norm) != value || !fits) return false;
    value = in(norm, 0);
    return true;
  }
  bool shapes_fit(const FusedLayer& layer) const {
    const auto& rope = graph_.attrs<graph::RopeKvAttrs>(layer.rope).rope;
    const auto& attention = graph_.attrs<graph::AttentionAttrs>(layer.attention);
    const uint32_t dim = attention.head_dim, per_kv = attention.n_heads / attention.n_kv_heads;
    const bool has_dim = dim == 32 || dim == 64 || dim == 128 || dim == 256;
    const bool has_scales = e_.key().kv_format != graph::KvFormat::kQ8_0 || dim % 64 == 0;
    const bool has_norms = (layer.q_norm == graph::kNone) == (layer.k_norm == graph::kNone);
    return rope.rot_dim == dim && has_dim && has_scales && has_norms && per_kv * dim <= 1024 &&
           attention.n_heads % attention.n_kv_heads == 0;
  }
  bool add_table(FusedLayer& layer) {
    const auto is_same = [&](NodeId other) {
      return graph_.attrs<graph::RopeKvAttrs>(other).rope == graph_.attrs<graph::RopeKvAttrs>(layer.rope).rope &&
             in(other, 3) == in(layer.rope, 3);
    };
    const auto found = std::ranges::find_if(model_.tables, is_same);
    layer.table = static_cast<uint32_t>(found - model_.tables.begin());
    if (found == model_.tables.end()) model_.tables.push_back(layer.rope);
    return graph_.weight_of(in(layer.rope, 3)) != nullptr;
  }

  bool match_head() {
    if (norm_ != graph::kNone) return false;
    if (next(Op::kPoolNorm, model_.pool) && (in(model_.pool, 0) != h_ || !graph_.weight_of(in(model_.pool, 1))))
      return false;
    if (!next(Op::kGatherRows, model_.gather) || in(model_.gather, 0) != h_) return false;
    if (!next(Op::kRmsNorm, model_.norm) || in(model_.norm, 0) != out(model_.gather) || !whole_norm(model_.norm))
      return false;
    if (is_next(Op::kLinear) && !single(order_[at_], 1)) return true;  // a head of floats has float activations
    NodeId head = 0;
    while (next(Op::kLinear, head)) {
      if (in(head, 0) != out(model_.norm) || !single(head, 1) || linear(head).has_bias == 1) return false;
      model_.heads.push_back(head);
    }
    if (model_.heads.empty()) return false;
    NodeId concat = graph::kNone;
    next(Op::kConcat, concat);
    if (!next(Op::kSoftcap, model_.softcap)) return at_ == order_.size();
    const ValueId logits = concat == graph::kNone ? out(model_.heads[0]) : out(concat);
    return in(model_.softcap, 0) == logits && at_ == order_.size();
  }
};

}  // namespace

std::optional<FusedModel> match_fused_model(const Emitter& e) {
  const uint32_t page = e.key().page_tokens;
  if (!e.target().gpu.packed_dot || (page != 32 && page % 64 != 0)) return {};
  return Matcher(e).match();
}

}  // namespace tern::backends::webgpu
