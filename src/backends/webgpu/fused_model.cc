#include "backends/webgpu/fused_model.h"

#include <algorithm>
#include <bit>
#include <optional>

#include "backends/webgpu/fast_linear.h"

namespace tern::backends::webgpu {

using graph::NodeId;
using graph::Op;

void take(Emitter& e, const FusedModel& model) {
  for (const NodeId n : model.nodes) e.take(n);
}

Ref gain_of(const Emitter& e, NodeId norm) {
  return e.weight_ref(norm, e.node(norm).op == Op::kAddRmsNorm ? 2 : 1);
}

namespace {

/// Cosines and sines for the layers of table i.
Result<void> emit_rope_table(Emitter& e, NodeId turn, const View& table) {
  Dispatch d{.name = "rope_table", .files = {"cos_sin", "rope_table"}};
  add_block_params(e, d.constants);
  d.constants.add("ROT", table.cols);
  d.constants.add("MAGNITUDE", e.graph().attrs<graph::RopeKvAttrs>(turn).rope.magnitude);
  d.binds = {reads(Emitter::params()), reads(e.weight_ref(turn, 3)), writes(table.ref)};
  d.grid[0] = grid_rows(graph::Dim::tokens());
  return e.dispatch(turn, d);
}

}  // namespace

Result<void> emit_embed_q8(Emitter& e, const FusedModel& model, const View& h, const View& x,
                           const std::vector<View>& tables) {
  const NodeId turn = model.tables[0];
  const PlaneLayout layout = PlaneLayout::of(*e.weight(model.embed, 0));
  Dispatch d{.name = "embed_q8"};
  add_team(e, d, 256);
  d.files.push_back("q8_block");
  if (dot_file(layout.family).empty()) {
    d.files.insert(d.files.end(), {family_file(layout.family), "four_of_eight"});
    d.constants.add("PADDED", layout.padded);
  } else {
    d.files.push_back(dot_file(layout.family));
  }
  d.files.insert(d.files.end(), {"cos_sin", "embed_q8"});
  add_block_params(e, d.constants);
  d.constants.add("G", layout.padded / 32);
  d.constants.add("SCALES", static_cast<uint32_t>(layout.scales / 16));
  d.constants.add("ROW_SCALES", layout.row_scales);
  d.constants.add("VOCAB", layout.rows);
  d.constants.add("ROT", tables[0].cols);
  d.constants.add("FACTOR", e.graph().attrs<graph::ScaleAttrs>(model.embed).factor);
  d.constants.add("MAGNITUDE", e.graph().attrs<graph::RopeKvAttrs>(turn).rope.magnitude);
  d.binds = {reads(e.weight_ref(model.embed, 0)),
             reads(Emitter::state()),
             reads(Emitter::params()),
             writes(h.ref),
             reads(gain_of(e, model.layers[0].attn_norm)),
             writes(x.ref),
             reads(e.weight_ref(turn, 3)),
             writes(tables[0].ref)};
  d.grid[0] = grid_rows(graph::Dim::tokens());
  TRY(e.dispatch(model.embed, d));
  for (size_t i = 1; i < tables.size(); ++i) TRY(emit_rope_table(e, model.tables[i], tables[i]));
  return {};
}

Result<void> emit_rows_norm(Emitter& e, const RowsNorm& how, const View& h, const View& y, uint32_t parts,
                            graph::Dim rows, const View& out) {
  const bool has_post = how.post != graph::kNone;
  const uint32_t threads = std::min(how.threads, e.target().gpu.max_invocations / 64 * 64);
  Dispatch d{.name = "rows_norm"};
  add_team(e, d, threads);
  d.files.insert(d.files.end(), how.put.begin(), how.put.end());
  d.files.insert(d.files.end(), {has_post ? "post_norm" : "post_none", how.shares ? "parts_experts" : "parts_summed",
                                 how.tokens, "rows_norm"});
  add_block_params(e, d.constants);
  d.constants.add("G", h.cols / 32);
  d.constants.add("KS", parts);
  d.constants.add("TURNS", div_up(h.cols, 4 * threads));
  d.constants.add("EPS", e.graph().attrs<graph::NormAttrs>(how.norm).eps);
  if (has_post) d.constants.add("POST_EPS", e.graph().attrs<graph::NormAttrs>(how.post).eps);
  const Ref gain = gain_of(e, how.norm);
  d.binds = {writes(out.ref), writes(h.ref), reads(Emitter::params()), reads(gain),
             reads(parts > 0 ? y.ref : gain)};  // nothing is read of it
  if (has_post) d.binds.push_back(reads(gain_of(e, how.post)));
  if (how.shares) d.binds.push_back(reads(how.shares->ref));
  d.grid[0] = grid_rows(rows);
  return e.dispatch(how.norm, d);
}

std::string_view cache_reader(const Emitter& e) {
  return e.of_cache("cache_f32", "cache_f16", "cache_q8_0");
}
std::string_view cache_writer(const Emitter& e) {
  return e.of_cache("cache_put_f32", "cache_put_f16", "cache_put_q8_0");
}

void add_heads(const Emitter& e, const FusedLayer& layer, uint32_t first_head, Constants& constants) {
  const auto& attrs = e.graph().attrs<graph::AttentionAttrs>(layer.attention);
  constants.add("HD", attrs.head_dim);
  constants.add("HEADS", attrs.n_heads);
  constants.add("KV_HEADS", attrs.n_kv_heads);
  constants.add("FIRST_HEAD", first_head);
  constants.add("PAGE", e.key().page_tokens);
  constants.add("INTERLEAVED", e.graph().attrs<graph::RopeKvAttrs>(layer.rope).rope.interleaved);
}

Result<void> emit_rows_qkv(Emitter& e, const FusedLayer& layer, const RowsQkv& how, const View& y, const View& table,
                           const View& q) {
  constexpr uint32_t kThreads = 64;
  const auto& attrs = e.graph().attrs<graph::RopeKvAttrs>(layer.rope);
  const bool has_norms = layer.q_norm != graph::kNone, has_bias = how.bias != graph::kNone;
  Dispatch d{.name = "rows_qkv"};
  add_team(e, d, kThreads);
  d.files.insert(d.files.end(), {has_bias ? "bias_of_rows" : "bias_none", has_norms ? "normed_heads" : "plain_heads",
                                 "page_of", how.halves ? "q_f16" : "q_f32", cache_writer(e), "put_head", "rows_qkv"});
  add_block_params(e, d.constants);
  add_heads(e, layer, how.first_head, d.constants);
  d.constants.add("N", how.cols);
  d.constants.add("KS", how.parts);
  if (has_norms) d.constants.add("HEAD_EPS", e.graph().attrs<graph::NormAttrs>(layer.q_norm).eps);
  d.binds = {reads(y.ref),
             reads(table.ref),
             reads(Emitter::params()),
             writes(q.ref),
             writes(Emitter::keys(attrs.kv.layer)),
             writes(Emitter::values(attrs.kv.layer))};
  if (has_bias) d.binds.push_back(reads(e.weight_ref(how.bias, 2)));
  if (has_norms) {
    d.binds.push_back(reads(gain_of(e, layer.q_norm)));
    d.binds.push_back(reads(gain_of(e, layer.k_norm)));
  }
  d.grid = {grid_constant(div_up(how.cols, 4 * kThreads)), grid_rows(graph::Dim::tokens()), {}};
  return e.dispatch(layer.rope, d);
}

namespace {

constexpr uint32_t kAttentionThreads = 256;

/// How lanes share the work in attention_teams.wgsl.
struct AttentionTeams {
  uint32_t sets, places, shares, folds, pass;
};

/// Nothing where the size of subgroups varies, a lane had more sums than registers hold, or a CPU plays GPU, whose
/// compiler takes half a minute for it.
std::optional<AttentionTeams> attention_teams(const graph::GpuFacts& gpu, uint32_t head_dim, uint32_t per_kv) {
  const uint32_t lanes = gpu.subgroup_min, pieces = head_dim / 8;
  if (!gpu.subgroups || lanes != gpu.subgroup_max || lanes > 64 || gpu.software) return {};
  const uint32_t abreast = std::max(1u, lanes / pieces), sets = std::max(1u, pieces / lanes);
  const uint32_t teams = kAttentionThreads / lanes, head_bytes = head_dim * 4, heads = div_up(per_kv, 4) * 4;
  const uint32_t pass = std::clamp(8192 / (teams * head_bytes), 1u, per_kv);
  const uint32_t bytes = heads * head_bytes + teams * (pass * head_bytes + heads * 8 + 4);
  if (heads * sets > 16 || bytes > gpu.max_workgroup_bytes) return {};
  const auto log2 = [](uint32_t n) { return static_cast<uint32_t>(std::countr_zero(n)); };
  return AttentionTeams{sets, head_dim / 32 / sets, log2(lanes / 4), log2(abreast), pass};
}

}  // namespace

Result<void> emit_attention_split(Emitter& e, const FusedLayer& layer, const View& q, const View& part_o,
                                  const View& part_ml) {
  const auto& attrs = e.graph().attrs<graph::AttentionAttrs>(layer.attention);
  Dispatch d{.name = "attention_split"};
  add_team(e, d, kAttentionThreads);
  const uint32_t per_kv = attrs.n_heads / attrs.n_kv_heads;
  const auto teams = attention_teams(e.target().gpu, attrs.head_dim, per_kv);
  d.files.insert(d.files.end(), {"splits", cache_reader(e), teams ? "attention_teams" : "attention_split"});
  add_block_params(e, d.constants);
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
  if (teams) {
    d.constants.add("SETS", teams->sets);
    d.constants.add("PLACES", teams->places);
    d.constants.add("SHARES", teams->shares);
    d.constants.add("FOLDS", teams->folds);
    d.constants.add("PASS", teams->pass);
  }
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

Result<void> emit_last_norm(Emitter& e, const FusedModel& model, RowsNorm how, const View& h, const View& y,
                            uint32_t parts) {
  how.norm = model.norm;
  how.put = {"put_f32"};
  how.tokens = "tokens_wanted";
  return emit_rows_norm(e, how, h, y, parts, graph::Dim::rows(), e.output(model.norm));
}

View logits(const Emitter& e, const FusedModel& model, NodeId head) {
  const View plain = e.output(head);
  if (model.softcap == graph::kNone) return plain;
  const View capped = e.output(model.softcap), before = e.input(model.softcap, 0);
  return {capped.ref, capped.rows, plain.cols, capped.col0 + plain.col0 - before.col0, capped.stride};
}

void add_logits_epilogue(const Emitter& e, const FusedModel& model, Dispatch& d) {
  const bool is_capped = model.softcap != graph::kNone;
  d.files.push_back(is_capped ? "epilogue_cap" : "epilogue_none");
  if (is_capped) d.constants.add("CAP", e.graph().attrs<graph::SoftcapAttrs>(model.softcap).cap);
}

}  // namespace tern::backends::webgpu
