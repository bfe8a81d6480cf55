#include "backends/webgpu/generic.h"

namespace tern::backends::webgpu {

using graph::Op;

namespace {

void add_rope(Constants& constants, const graph::RopeAttrs& attrs) {
  constants.add("ROT_DIM", attrs.rot_dim);
  constants.add("INTERLEAVED", attrs.interleaved);
  constants.add("MAGNITUDE", attrs.magnitude);
}

void add_cache(Emitter& e, Constants& constants) {
  const graph::Graph& graph = e.graph();
  constants.add("HEAD_DIM", graph.head_dim);
  constants.add("KV_HEADS", graph.n_kv_heads);
  constants.add("PAGE_TOKENS", e.key().page_tokens);
  constants.add("PAGE_VALUES", graph.n_kv_heads * e.key().page_tokens * graph.head_dim);
  add_params(constants, e.params_layout());
}

/// The cache's format as the name of a file. Errors: kUnsupported.
Result<std::string_view> cache_file(Emitter& e, std::string_view f32, std::string_view f16, std::string_view q8_0) {
  const uint32_t head_dim = e.graph().head_dim;
  const uint32_t unit = e.key().kv_format == graph::KvFormat::kQ8_0 ? 64 : 2;
  if (head_dim % unit != 0) {
    return fail(ErrorCode::kUnsupported,
                "This KV cache on a GPU needs heads whose size is a multiple of {}; this model's have {}.", unit,
                head_dim);
  }
  return e.of_cache(f32, f16, q8_0);
}

Result<void> dispatch_rope(Emitter& e, graph::NodeId node, const graph::RopeAttrs& attrs, size_t freqs) {
  const View x = e.input(node, 0), out = e.output(node);
  Dispatch d{.name = "rope", .files = {"rotate", "rope"}};
  add_rope(d.constants, attrs);
  add_cache(e, d.constants);
  d.constants.add("COLS", out.cols);
  add_view(d.constants, "X", x);
  add_view(d.constants, "OUT", out);
  d.binds = {reads(x.ref), reads(e.weight_ref(node, freqs)), reads(Emitter::params()), writes(out.ref)};
  d.grid = {grid_constant(div_up(out.cols, 64)), grid_rows(out.rows), {}};
  return e.dispatch(node, d);
}

/// rope: the keys turn on their way; freqs is the node's input of that index.
Result<void> dispatch_kv_write(Emitter& e, graph::NodeId node, const graph::KvAttrs& attrs, size_t keys,
                               const graph::RopeAttrs* rope, size_t freqs) {
  const View k = e.input(node, keys), v = e.input(node, keys + 1);
  const std::string_view store = TRY(cache_file(e, "store_f32", "store_f16", "store_q8_0"));
  Dispatch d{.name = rope ? "rope_kv_write" : "kv_write"};
  if (rope) {
    d.files = {"rotate", "keys_turned", store, "kv_write"};
    add_rope(d.constants, *rope);
  } else {
    d.files = {"keys_as_they_are", store, "kv_write"};
  }
  const uint32_t unit = e.key().kv_format == graph::KvFormat::kQ8_0 ? 64 : 2;
  add_cache(e, d.constants);
  d.constants.add("UNIT", unit);
  add_view(d.constants, "K", k);
  add_view(d.constants, "V", v);
  d.binds = {reads(k.ref), reads(v.ref), reads(Emitter::params()), writes(Emitter::keys(attrs.layer)),
             writes(Emitter::values(attrs.layer))};
  if (rope) d.binds.push_back(reads(e.weight_ref(node, freqs)));
  d.grid = {grid_constant(div_up(k.cols, 64 * unit)), grid_rows(k.rows), {}};
  return e.dispatch(node, d);
}

}  // namespace

Result<bool> emit_rope(Emitter& e, graph::NodeId node) {
  if (e.node(node).op != Op::kRope || !e.weight(node, 1)) return false;
  TRY(dispatch_rope(e, node, std::get<graph::RopeAttrs>(e.node(node).attrs), 1));
  return true;
}

Result<bool> emit_kv_write(Emitter& e, graph::NodeId node) {
  const graph::Node& n = e.node(node);
  if (n.op == Op::kKvWrite) {
    TRY(dispatch_kv_write(e, node, std::get<graph::KvAttrs>(n.attrs), 0, nullptr, 0));
    return true;
  }
  if (n.op != Op::kRopeKvWrite || !e.weight(node, 3)) return false;
  const auto& attrs = std::get<graph::RopeKvAttrs>(n.attrs);
  TRY(dispatch_rope(e, node, attrs.rope, 3));
  TRY(dispatch_kv_write(e, node, attrs.kv, 1, &attrs.rope, 3));
  return true;
}

Result<bool> emit_attention(Emitter& e, graph::NodeId node) {
  if (e.node(node).op != Op::kAttention) return false;
  const auto& attrs = std::get<graph::AttentionAttrs>(e.node(node).attrs);
  const View q = e.input(node, 0), out = e.output(node);
  const std::string_view load = TRY(cache_file(e, "load_f32", "load_f16", "load_q8_0"));
  Dispatch d{.name = "attention"};
  d.files = {"reduce_workgroup", load, attrs.softcap > 0 ? "cap_tanh" : "cap_none", "attention"};
  add_cache(e, d.constants);
  d.constants.add("THREADS", 64u);
  d.constants.add("PAIRS", div_up(attrs.head_dim, 128));
  d.constants.add("GROUP_HEADS", attrs.n_heads / attrs.n_kv_heads);
  d.constants.add("WINDOW", attrs.window);
  d.constants.add("SCALE", attrs.scale);
  d.constants.add("CAP", attrs.softcap);
  add_view(d.constants, "Q", q);
  add_view(d.constants, "OUT", out);
  d.binds = {reads(q.ref), reads(Emitter::params()), reads(Emitter::keys(attrs.layer)),
             reads(Emitter::values(attrs.layer)), writes(out.ref)};
  d.grid = {grid_constant(attrs.n_heads), grid_rows(q.rows), {}};
  TRY(e.dispatch(node, d));
  return true;
}

}  // namespace tern::backends::webgpu
