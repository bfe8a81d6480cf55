#include "backends/webgpu/fused_experts.h"

#include <algorithm>

#include "backends/webgpu/fast_linear.h"
#include "backends/webgpu/generic.h"

namespace tern::backends::webgpu {

using graph::Dim;

uint32_t expert_count(const Emitter& e, const FusedExperts& x) {
  return e.weight(x.router, 1)->rows;
}

uint32_t experts_per_token(const Emitter& e, const FusedExperts& x) {
  return e.graph().attrs<graph::RouteAttrs>(x.route).k;
}

Result<void> emit_router(Emitter& e, const FusedLayer& layer, const View& h, const View& router) {
  const graph::NodeId node = layer.experts->router;
  const PlaneLayout layout = PlaneLayout::of(*e.weight(node, 1));
  Dispatch d{.name = "router", .files = {"bytes", family_file(layout.family), "router"}};
  add_planes(d.constants, layout);
  d.constants.add("COLS", layout.cols);
  d.constants.add("E", layout.rows);
  d.constants.add("EPS", e.graph().attrs<graph::NormAttrs>(layer.ffn_norm).eps);
  d.binds = {reads(e.weight_ref(node, 1)), reads(h.ref), reads(gain_of(e, layer.ffn_norm)), writes(router.ref)};
  d.grid = {grid_constant(div_up(layout.rows, 4)), grid_rows(Dim::tokens()), {}};
  return e.dispatch(node, d);
}

void add_route(const Emitter& e, const FusedExperts& x, Dispatch& d) {
  const uint32_t n = expert_count(e, x);
  d.constants.add("E", n);
  d.constants.add("E_QUADS", div_up(n, 4));
  d.constants.add("TOP", experts_per_token(e, x));
  d.constants.add("NORMALISE", e.graph().attrs<graph::RouteAttrs>(x.route).normalise);
  d.files.push_back("route");
}

namespace {

/// Experts and shares of every token, and the tokens by expert.
Result<void> emit_routes(Emitter& e, const FusedExperts& x, Gemm gemm, const ExpertTiles& by, const View& router,
                         const View& shares) {
  const View ids = e.temporary(Dim::tokens(), by.top);
  Dispatch route{.name = "rows_route"};
  route.constants.add("WG", std::clamp(by.experts / 32 * 32, 32u, 256u));
  add_route(e, x, route);
  route.files.push_back("rows_route");
  route.binds = {reads(router.ref), writes(ids.ref), writes(shares.ref)};
  route.grid[0] = grid_rows(Dim::tokens());
  TRY(e.dispatch(x.route, route));
  Dispatch sort{.name = "sort_experts", .files = {"sort_experts"}};
  sort.constants.add("E", by.experts);
  sort.constants.add("TOP", by.top);
  sort.constants.add("BM", expert_tile_rows(e, gemm, by));
  sort.constants.add("TILES", expert_tile_count(e, gemm, by));
  sort.binds = {reads(ids.ref), reads(Emitter::params()), writes(by.tiles.ref)};
  return e.dispatch(x.route, sort);
}

Result<void> emit_expert_glu(Emitter& e, const FusedExperts& x, Gemm gemm, const View& both, const View& out) {
  const bool is_silu = e.graph().attrs<graph::GluAttrs>(x.glu).activation == graph::Activation::kSilu;
  Dispatch d{.name = "rows_glu"};
  add_team(e, d, 256);
  for (const std::string_view file : put_files(gemm)) d.files.push_back(file);
  d.files.insert(d.files.end(), {is_silu ? "act_silu" : "act_gelu", "rows_glu"});
  d.constants.add("G", both.cols / 64);
  d.constants.add("KS", 1u);
  d.binds = {writes(out.ref), reads(both.ref), reads(Emitter::params())};
  d.grid = {grid_constant(div_up(both.cols / 2, 1024)), grid_rows(both.rows), {}};
  return e.dispatch(x.glu, d);
}

}  // namespace

Result<ExpertSums> emit_expert_gemms(Emitter& e, const FusedLayer& layer, Gemm gemm, const View& router,
                                     const View& x) {
  const FusedExperts& experts = *layer.experts;
  const graph::Weight &gate_up = *e.weight(experts.gate_up, 1), &down = *e.weight(experts.down, 1);
  ExpertTiles by{.experts = expert_count(e, experts),
                 .top = experts_per_token(e, experts),
                 .has_pairs = gate_up.cols % 64 == 0 && down.cols % 64 == 0};
  by.rows = div_up(e.max_tokens() * by.top, by.experts);
  by.tiles = e.temporary(Dim::constant(1), expert_tile_count(e, gemm, by) * (1 + expert_tile_rows(e, gemm, by)));
  const Dim slots = Dim::tokens(by.top);
  const uint32_t hidden = down.rows / by.experts;
  const ExpertSums out{e.temporary(slots, hidden), e.temporary(Dim::tokens(), by.top)};
  TRY(emit_routes(e, experts, gemm, by, router, out.shares));

  const View gated = gemm_rows(e, gemm, slots, down.cols);
  GemmDispatch first =
      make_expert_gemm(e, gemm, experts.gate_up, x, by.top, by, gemm == Gemm::kMatrix ? "store_glu" : "store_rows");
  Dispatch& d = first.dispatch;
  if (gemm == Gemm::kMatrix) {
    const bool is_silu = e.graph().attrs<graph::GluAttrs>(experts.glu).activation == graph::Activation::kSilu;
    d.files.push_back(is_silu ? "act_silu" : "act_gelu");
    d.binds.insert(d.binds.end(), {writes(gated.ref), reads(by.tiles.ref)});
    TRY(e.dispatch(experts.gate_up, d));
  } else {
    const View both = e.temporary(slots, 2 * down.cols);
    d.files.push_back("epilogue_none");
    d.constants.add("OUT_STRIDE", both.cols);
    d.constants.add("OUT_COL0", 0u);
    d.binds.insert(d.binds.end(), {writes(both.ref), reads(by.tiles.ref)});
    TRY(e.dispatch(experts.gate_up, d));
    TRY(emit_expert_glu(e, experts, gemm, both, gated));
  }

  GemmDispatch second = make_expert_gemm(e, gemm, experts.down, gated, 1, by, "store_rows");
  second.dispatch.files.push_back("epilogue_none");
  second.dispatch.constants.add("OUT_STRIDE", hidden);
  second.dispatch.constants.add("OUT_COL0", 0u);
  second.dispatch.binds.insert(second.dispatch.binds.end(), {writes(out.y.ref), reads(by.tiles.ref)});
  TRY(e.dispatch(experts.down, second.dispatch));
  return out;
}

}  // namespace tern::backends::webgpu
