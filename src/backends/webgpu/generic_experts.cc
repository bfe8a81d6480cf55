#include "backends/webgpu/generic.h"

namespace tern::backends::webgpu {

using graph::Op;

Result<bool> emit_route(Emitter& e, graph::NodeId node) {
  if (e.node(node).op != Op::kRouteTopk) return false;
  const auto& attrs = std::get<graph::RouteAttrs>(e.node(node).attrs);
  const View logits = e.input(node, 0), ids = e.output(node, 0), weights = e.output(node, 1);
  Dispatch d{.name = "route_topk", .files = {"route_topk"}};
  add_rows(d.constants, logits.rows);
  d.constants.add("E", logits.cols);
  d.constants.add("K", attrs.k);
  d.constants.add("NORMALISE", attrs.normalise);
  add_view(d.constants, "X", logits);
  add_view(d.constants, "IDS", ids);
  add_view(d.constants, "OUT", weights);
  d.binds = {reads(logits.ref), reads(Emitter::params()), writes(ids.ref), writes(weights.ref)};
  d.grid[0] = grid_rows(logits.rows, 64);
  TRY(e.dispatch(node, d));
  return true;
}

Result<bool> emit_linear_experts(Emitter& e, graph::NodeId node) {
  const graph::Node& n = e.node(node);
  if (n.op != Op::kLinearExperts) return false;
  const auto& attrs = std::get<graph::ExpertsAttrs>(n.attrs);
  const View x = e.input(node, 0), ids = e.input(node, n.inputs.size() - 1), out = e.output(node);
  uint32_t expert0 = 0;
  for (size_t i = 1; i + 1 < n.inputs.size(); ++i) {
    const PlaneLayout layout = PlaneLayout::of(*e.weight(node, i));
    const uint32_t experts = layout.rows / out.cols;
    Dispatch d{.name = "linear_experts", .files = {"bytes", family_file(layout.family), "linear_experts"}};
    add_planes(d.constants, layout);
    d.constants.add("N", out.cols);
    d.constants.add("COLS", layout.cols);
    d.constants.add("TOP", attrs.k);
    d.constants.add("EXPERT0", expert0);
    d.constants.add("EXPERTS", experts);
    d.constants.add("ROW_PER_EXPERT", x.rows != ids.rows ? 1u : 0u);
    add_view(d.constants, "X", x);
    add_view(d.constants, "IDS", ids);
    add_view(d.constants, "OUT", out);
    d.binds = {reads(e.weight_ref(node, i)), reads(x.ref), reads(ids.ref), writes(out.ref)};
    d.grid = {grid_constant(div_up(out.cols, 4)), grid_rows(out.rows), {}};
    TRY(e.dispatch(node, d));
    expert0 += experts;
  }
  return true;
}

Result<bool> emit_combine(Emitter& e, graph::NodeId node) {
  if (e.node(node).op != Op::kCombineExperts) return false;
  const View y = e.input(node, 0), weights = e.input(node, 1), out = e.output(node);
  Dispatch d{.name = "combine_experts", .files = {"combine_experts"}};
  d.constants.add("COLS", out.cols);
  d.constants.add("TOP", weights.cols);
  add_view(d.constants, "Y", y);
  add_view(d.constants, "W", weights);
  add_view(d.constants, "OUT", out);
  d.binds = {reads(y.ref), reads(weights.ref), writes(out.ref)};
  d.grid = {grid_constant(div_up(out.cols, 64)), grid_rows(out.rows), {}};
  TRY(e.dispatch(node, d));
  return true;
}

}  // namespace tern::backends::webgpu
