#include <algorithm>

#include "backends/webgpu/gemm.h"
#include "backends/webgpu/generic.h"

namespace tern::backends::webgpu {

using graph::Op;

void add_view(Constants& constants, std::string_view prefix, const View& view) {
  constants.add(fmt::format("{}_STRIDE", prefix), view.stride);
  constants.add(fmt::format("{}_COL0", prefix), view.col0);
}

void add_rows(Constants& constants, graph::Dim rows) {
  constants.add("ROWS_SYMBOL", rows.symbol == graph::Symbol::kRows ? 1u : 0u);
  constants.add("ROWS_MULTIPLE", rows.multiple);
}

void add_planes(Constants& constants, const PlaneLayout& layout) {
  constants.add("PADDED", layout.padded);
  if (layout.group == 0) return;
  constants.add("GROUP", layout.group);
  constants.add("SCALES", static_cast<uint32_t>(layout.scales / 16));
  constants.add("ROW_SCALES", layout.row_scales);
}

void add_params(Constants& constants, const graph::ParamsLayout& layout) {
  constants.add("TOKENS", layout.tokens);
  constants.add("POSITIONS", layout.positions);
  constants.add("SEQUENCES", layout.sequences);
  constants.add("SEQS", layout.seqs);
  constants.add("PAGES", layout.pages);
}

Result<bool> emit_embed(Emitter& e, graph::NodeId node) {
  if (e.node(node).op != Op::kEmbed) return false;
  const View out = e.output(node);
  uint32_t row0 = 0;
  for (size_t i = 0; i < e.node(node).inputs.size(); ++i) {
    const graph::Weight& table = *e.weight(node, i);
    const PlaneLayout layout = PlaneLayout::of(table);
    Dispatch d{.name = "embed", .files = {"bytes", family_file(layout.family), "embed"}};
    add_planes(d.constants, layout);
    add_params(d.constants, e.params_layout());
    add_view(d.constants, "OUT", out);
    d.constants.add("COLS", out.cols);
    d.constants.add("ROW0", row0);
    d.constants.add("ROWS", table.rows);
    d.constants.add("FACTOR", std::get<graph::ScaleAttrs>(e.node(node).attrs).factor);
    d.binds = {reads(e.weight_ref(node, i)), reads(Emitter::params()), reads(Emitter::state()), writes(out.ref)};
    d.grid[0] = grid_rows(out.rows);
    TRY(e.dispatch(node, d));
    row0 += table.rows;
  }
  return true;
}

Result<bool> emit_gather_rows(Emitter& e, graph::NodeId node) {
  if (e.node(node).op != Op::kGatherRows) return false;
  const View x = e.input(node, 0), out = e.output(node);
  Dispatch d{.name = "gather_rows", .files = {"gather_rows"}};
  d.constants.add("COLS", out.cols);
  d.constants.add("ROWS", e.params_layout().rows);
  add_view(d.constants, "X", x);
  add_view(d.constants, "OUT", out);
  d.binds = {reads(x.ref), reads(Emitter::params()), writes(out.ref)};
  d.grid = {grid_constant(div_up(out.cols, 64)), grid_rows(out.rows), {}};
  TRY(e.dispatch(node, d));
  return true;
}

namespace {

/// Up to so many rows the weights are streamed once per TILE rows; above, tiles of 64 x 64 decode them once per 64.
constexpr uint32_t kSmallRows = 16;

/// A product in f32, without its epilogue.
Dispatch start_linear(Emitter& e, graph::NodeId node) {
  const View x = e.input(node, 0);
  const PlaneLayout layout = PlaneLayout::of(*e.weight(node, 1));
  const bool is_small = e.most_rows(x.rows) <= kSmallRows;
  const uint32_t tile = e.most_rows(x.rows) == 1 ? 1 : 4;
  Dispatch d{.name = is_small ? "linear_small" : "linear_tiled"};
  d.files = {"bytes", family_file(layout.family), d.name};
  add_planes(d.constants, layout);
  add_rows(d.constants, x.rows);
  d.constants.add("N", layout.rows);
  d.constants.add("COLS", layout.cols);
  if (is_small) d.constants.add("TILE", tile);
  add_view(d.constants, "X", x);
  d.binds = {reads(e.weight_ref(node, 1)), reads(x.ref), reads(Emitter::params())};
  d.grid[0] = grid_constant(div_up(layout.rows, is_small ? 4 : 64));
  d.grid[1] = grid_rows(x.rows, is_small ? tile : 64);
  return d;
}

/// out = x W^T (+ bias) (+ residual).
Result<void> dispatch_linear(Emitter& e, graph::NodeId node, const View& out) {
  const bool has_bias = std::get<graph::LinearAttrs>(e.node(node).attrs).has_bias == 1;
  const bool has_residual = e.node(node).op == Op::kLinearAdd;
  const bool is_small = e.most_rows(e.input(node, 0).rows) <= kSmallRows;
  std::optional<Dispatch> gemm;
  if (!is_small) gemm = TRY(start_gemm_linear(e, node));
  Dispatch d = gemm ? *std::move(gemm) : start_linear(e, node);
  d.files.push_back(has_bias       ? has_residual ? "epilogue_bias_add" : "epilogue_bias"
                    : has_residual ? "epilogue_add"
                                   : "epilogue_none");
  add_view(d.constants, "OUT", out);
  d.binds.push_back(writes(out.ref));
  if (has_bias) d.binds.push_back(reads(e.weight_ref(node, 2)));
  if (has_residual) {
    const View residual = e.input(node, has_bias ? 3 : 2);
    add_view(d.constants, "R", residual);
    d.binds.push_back(reads(residual.ref));
  }
  return e.dispatch(node, d);
}

std::string_view glu_file(graph::Activation activation) {
  return activation == graph::Activation::kSilu ? "f_glu_silu" : "f_glu_gelu";
}

Result<void> dispatch_binary(Emitter& e, graph::NodeId node, std::string_view function, const View& x, const View& y,
                             const View& out) {
  Dispatch d{.name = function, .files = {function, "binary"}};
  d.constants.add("COLS", out.cols);
  add_view(d.constants, "X", x);
  add_view(d.constants, "Y", y);
  add_view(d.constants, "OUT", out);
  d.binds = {reads(x.ref), reads(y.ref), writes(out.ref)};
  d.grid = {grid_constant(div_up(out.cols, 64)), grid_rows(out.rows), {}};
  return e.dispatch(node, d);
}

}  // namespace

Result<bool> emit_linear(Emitter& e, graph::NodeId node) {
  const Op op = e.node(node).op;
  if (op != Op::kLinear && op != Op::kLinearAdd && op != Op::kLinearGlu) return false;
  const auto& attrs = std::get<graph::LinearAttrs>(e.node(node).attrs);
  if (op != Op::kLinearGlu) {
    TRY(dispatch_linear(e, node, e.output(node)));
    return true;
  }
  const View both = e.temporary(e.output(node).rows, 2 * e.output(node).cols);
  TRY(dispatch_linear(e, node, both));
  View gate = both, up = both;
  gate.cols = up.cols = up.col0 = both.cols / 2;
  TRY(dispatch_binary(e, node, glu_file(attrs.activation), gate, up, e.output(node)));
  return true;
}

Result<bool> emit_elementwise(Emitter& e, graph::NodeId node) {
  const graph::Node& n = e.node(node);
  const View out = n.outputs.empty() ? View{} : e.output(node);
  if (n.op == Op::kAdd || n.op == Op::kGlu) {
    if (e.weight(node, 0)) return false;  // constants are folded by passes
    const graph::Weight* row = e.weight(node, 1);
    View y = row ? View{e.weight_ref(node, 1), {}, out.cols, 0, 0} : e.input(node, 1);
    if (y.rows != out.rows) y.stride = 0;  // one row for all
    const bool is_add = n.op == Op::kAdd;
    const std::string_view f = is_add ? "f_add" : glu_file(std::get<graph::GluAttrs>(n.attrs).activation);
    TRY(dispatch_binary(e, node, f, e.input(node, 0), y, out));
    return true;
  }
  if ((n.op != Op::kScale && n.op != Op::kSoftcap) || e.weight(node, 0)) return false;
  const View x = e.input(node, 0);
  Dispatch d{.name = n.op == Op::kScale ? "f_scale" : "f_softcap"};
  d.files = {d.name, "unary"};
  if (n.op == Op::kScale) d.constants.add("FACTOR", std::get<graph::ScaleAttrs>(n.attrs).factor);
  if (n.op == Op::kSoftcap) d.constants.add("CAP", std::get<graph::SoftcapAttrs>(n.attrs).cap);
  d.constants.add("COLS", out.cols);
  add_view(d.constants, "X", x);
  add_view(d.constants, "OUT", out);
  d.binds = {reads(x.ref), writes(out.ref)};
  d.grid = {grid_constant(div_up(out.cols, 64)), grid_rows(out.rows), {}};
  TRY(e.dispatch(node, d));
  return true;
}

Result<bool> emit_norm(Emitter& e, graph::NodeId node) {
  const graph::Node& n = e.node(node);
  const bool adds = n.op == Op::kAddRmsNorm;
  if (n.op != Op::kRmsNorm && !adds) return false;
  if (!e.weight(node, adds ? 2 : 1)) return false;
  const auto& attrs = std::get<graph::NormAttrs>(n.attrs);
  const View x = e.input(node, 0), out = e.output(node, adds ? 1 : 0);
  Dispatch d{.name = adds ? "add_rms_norm" : "rms_norm"};
  d.files = {"reduce_workgroup", d.name};
  d.constants.add("THREADS", attrs.group >= 1024 ? 256u : 64u);
  d.constants.add("GROUP", attrs.group);
  d.constants.add("EPS", attrs.eps);
  add_view(d.constants, "X", x);
  add_view(d.constants, "OUT", out);
  if (adds) {
    const View y = e.input(node, 1), sum = e.output(node, 0);
    add_view(d.constants, "Y", y);
    add_view(d.constants, "SUM", sum);
    d.binds = {reads(x.ref), reads(y.ref), reads(e.weight_ref(node, 2)), writes(sum.ref), writes(out.ref)};
  } else {
    d.binds = {reads(x.ref), reads(e.weight_ref(node, 1)), writes(out.ref)};
  }
  d.grid = {grid_constant(out.cols / attrs.group), grid_rows(out.rows), {}};
  TRY(e.dispatch(node, d));
  return true;
}

Result<void> emit_pool_norm_of(Emitter& e, graph::NodeId node, const View& x, const View& y, uint32_t parts) {
  const View out = e.output(node), scale = e.temporary(graph::Dim::tokens(), 1);
  const auto add_input = [&](Dispatch& d) {
    d.constants.add("COLS", x.cols);
    d.constants.add("POOLS", e.params_layout().pools);
    d.constants.add("PARTS", parts);
    add_view(d.constants, "X", x);
    d.binds = {reads(Emitter::params()), reads(x.ref), reads(y.ref)};
  };
  Dispatch scales{.name = "pool_scale", .files = {"reduce_workgroup", "pool_input", "pool_scale"}};
  add_input(scales);
  scales.constants.add("THREADS", x.cols >= 1024 ? 256u : 64u);
  scales.constants.add("EPS", std::get<graph::NormAttrs>(e.node(node).attrs).eps);
  scales.binds.push_back(writes(scale.ref));
  scales.grid = {grid_rows(graph::Dim::tokens()), grid_rows(out.rows), {}};
  TRY(e.dispatch(node, scales));
  Dispatch sums{.name = "pool_sum", .files = {"pool_input", "pool_sum"}};
  add_input(sums);
  add_view(sums.constants, "OUT", out);
  for (const Bind& bind : {reads(scale.ref), reads(e.weight_ref(node, 1)), writes(out.ref)}) sums.binds.push_back(bind);
  sums.grid = {grid_constant(div_up(x.cols, 64)), grid_rows(out.rows), {}};
  return e.dispatch(node, sums);
}

Result<bool> emit_pool_norm(Emitter& e, graph::NodeId node) {
  if (e.node(node).op != Op::kPoolNorm || !e.weight(node, 1)) return false;
  const View x = e.input(node, 0);
  TRY(emit_pool_norm_of(e, node, x, x, 0));
  return true;
}

}  // namespace tern::backends::webgpu
