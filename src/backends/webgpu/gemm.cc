#include "backends/webgpu/gemm.h"

#include <algorithm>

#include "backends/webgpu/fast_linear.h"
#include "backends/webgpu/generic.h"

namespace tern::backends::webgpu {

namespace {

/// bm rows by bn weight rows by bk, on wm x wn subgroups (matrices only).
struct Tile {
  uint32_t bm, bn, bk, wm = 0, wn = 0;
};

/// Measured with a Llama-3-8B in q4 on an H200 (bench/gpu/kernels.mjs prefill), TFLOP/s of qkv, o, gate/up and down:
///   dot, 512 rows           64 x 128 62, 61, 66, 63; 128 x 128 49, 63, 66, 64
///   matrix, 512 rows        128 x 128 x 32 153, 183, 183, 204; 128 x 128 x 64 146, 169, 193, 191; with the bounds
///   checks
///                           of browsers 130, 155, 160, 187 against 118, 135, 156, 157
///   matrix, 64 rows         64 x 64 84, 96, 110, 118; 64 x 128 75, 85, 90, 93
///   matrix, 32 rows         32 x 128 60, 65, 85, 86; 32 x 64 49, 56, 58, 68
///   matrix, 16 rows         16 x 64 42, 39, 50, 50; 16 x 128 34, 37, 48, 47
Tile tile_of(const Emitter& e, Gemm gemm, uint64_t rows, bool has_pairs) {
  if (gemm == Gemm::kDot) {
    const uint32_t most = e.target().gpu.software ? 32 : 64;  // a CPU compiles the large tile for seconds
    return {std::min(most, rows <= 16 ? 16u : rows <= 32 ? 32u : 64u), 128, 32};
  }
  if (rows <= 16 && has_pairs) return {16, 64, 64, 1, 4};
  if (rows <= 32) return {32, 128, has_pairs ? 64u : 32u, 1, 4};
  if (rows <= 64 && has_pairs) return {64, 64, 64, 2, 2};
  return {128, 128, 32, 2, 2};
}

uint32_t matrix_bytes(const Tile& tile) {
  const uint32_t operands = (tile.bm + tile.bn) * (tile.bk + 8) * 2;
  const uint32_t sums = tile.wm * tile.wn * 16 * (tile.bn / tile.wn + 4) * 4;
  return std::max(operands, sums);
}

/// Parts of K, so that few rows make enough workgroups to keep a large GPU's memory busy. With so many workgroups at
/// most they were fastest for all four products of a layer: packed products of 32 rows 24, 23, 28, 26 TFLOP/s against
/// 18, 10, 24, 10 undivided.
uint32_t parts_of(Gemm gemm, const Tile& tile, uint64_t rows, uint32_t n, uint32_t k) {
  const uint32_t most = gemm == Gemm::kDot ? (rows <= 64 ? 900 : 400) : tile.bm <= 16 ? 512 : 320;
  const uint64_t groups = (rows + tile.bm - 1) / tile.bm * div_up(n, tile.bn);
  uint32_t parts = 1;
  while (parts < 8 && groups * parts * 2 <= most && k / tile.bk / (parts * 2) >= 8) parts *= 2;
  return parts;
}

/// {rows, parts of K} of packed products, for Emitter::choose.
std::vector<std::vector<uint32_t>> dot_variants(const Emitter& e, uint32_t groups, bool may_split) {
  std::vector<std::vector<uint32_t>> out;
  for (uint32_t bm = 16; bm <= (e.target().gpu.software ? 32 : 128); bm *= 2) {
    for (uint32_t parts = 1; parts == 1 || (may_split && parts <= 8 && groups / parts >= 8); parts *= 2) {
      out.push_back({bm, parts});
    }
  }
  return out;
}

void add_matrix_tile(Constants& constants, const Tile& tile) {
  const uint32_t threads = tile.wm * tile.wn * 32;
  constants.add("BM", tile.bm);
  constants.add("BN", tile.bn);
  constants.add("BK", tile.bk);
  constants.add("WM", tile.wm);
  constants.add("WN", tile.wn);
  constants.add("TM", tile.bm / tile.wm / 16);
  constants.add("TN", tile.bn / tile.wn / 16);
  constants.add("KK", tile.bk / 16);
  constants.add("LA", tile.bm * tile.bk / 8 / threads);
  constants.add("LB", tile.bn * tile.bk / 32 / threads);
  add_matrices(constants, tile.bk + 8, tile.bn / tile.wn + 4, matrix_bytes(tile));
}

}  // namespace

std::optional<Gemm> gemm_of(const graph::Target& target) {
  const graph::GpuFacts& gpu = target.gpu;
  const bool has_subgroups = gpu.subgroups && gpu.subgroup_min == 32 && gpu.subgroup_max == 32;
  constexpr Tile kLargest{32, 128, 64, 1, 4};
  if (gpu.subgroup_matrix && gpu.f16 && has_subgroups && gpu.max_workgroup_bytes >= matrix_bytes(kLargest)) {
    return Gemm::kMatrix;
  }
  if (gpu.packed_dot) return Gemm::kDot;
  return {};
}

View gemm_rows(Emitter& e, Gemm gemm, graph::Dim rows, uint32_t cols) {
  return gemm == Gemm::kDot ? q8_blocks(e, rows, cols) : e.temporary(rows, cols / 2);
}

std::vector<std::string_view> put_files(Gemm gemm) {
  if (gemm == Gemm::kDot) return {"q8_block", "put_q8"};
  return {"put_f16"};
}

Result<void> emit_rows(Emitter& e, graph::NodeId node, Gemm gemm, const View& x, const View& rows) {
  Dispatch d{.name = "rows_plain"};
  add_team(e, d, 256);
  for (const std::string_view file : put_files(gemm)) d.files.push_back(file);
  d.files.push_back("rows_plain");
  d.constants.add("G", x.cols / 32);
  add_view(d.constants, "X", x);
  d.binds = {writes(rows.ref), reads(x.ref)};
  d.grid = {grid_constant(div_up(x.cols, 1024)), grid_rows(x.rows), {}};
  return e.dispatch(node, d);
}

void add_matrices(Constants& constants, uint32_t halves, uint32_t floats, uint32_t bytes) {
  constants.add("P", halves);
  constants.add("F", floats);
  constants.add("TILE_BYTES", bytes);
}

namespace {

/// A product by `tile`, without the grid and without what rows it has. n: rows of the weight that it is of.
GemmDispatch start_gemm(Emitter& e, Gemm gemm, graph::NodeId node, const View& x, const Tile& tile, uint32_t n,
                        uint32_t parts, std::string_view store) {
  const PlaneLayout layout = PlaneLayout::of(*e.weight(node, 1));
  GemmDispatch out{.dispatch = {.name = gemm == Gemm::kDot ? "gemm_dot" : "gemm_matrix"}, .parts = parts};
  Dispatch& d = out.dispatch;
  d.files = {"q8_block", dot_file(layout.family), d.name};
  if (gemm == Gemm::kMatrix) {
    d.features = kMatrixFeatures;
    d.files.insert(d.files.end(), {"matrices", "half", store});
    add_matrix_tile(d.constants, tile);
  } else {
    d.constants.add("MA", tile.bm / 16);
  }
  d.constants.add("KS", out.parts);
  d.constants.add("G", layout.cols / 32);
  d.constants.add("N", n);
  d.constants.add("SCALES", static_cast<uint32_t>(layout.scales / 16));
  d.constants.add("ROW_SCALES", layout.row_scales);
  d.binds = {reads(e.weight_ref(node, 1)), reads(x.ref), reads(Emitter::params())};
  d.grid = {grid_constant(1), grid_constant(div_up(n, tile.bn)), grid_constant(parts)};
  return out;
}

Tile expert_tile(const Emitter& e, Gemm gemm, const ExpertTiles& by) {
  return tile_of(e, gemm, by.rows, by.has_pairs);
}

}  // namespace

GemmDispatch make_gemm(Emitter& e, Gemm gemm, graph::NodeId node, const View& x, bool may_split,
                       std::string_view store) {
  const graph::Weight& w = *e.weight(node, 1);
  const uint64_t rows = e.most_rows(x.rows);
  Tile tile = tile_of(e, gemm, rows, w.cols % 64 == 0);
  uint32_t parts = may_split ? parts_of(gemm, tile, rows, w.rows, w.cols) : 1;
  Dispatch choosing{.name = "gemm_dot"};
  if (gemm == Gemm::kDot) {
    const std::vector<uint32_t> chosen =
        e.choose(choosing, product_name(PlaneLayout::of(w)), {tile.bm, parts}, dot_variants(e, w.cols / 32, may_split));
    tile.bm = chosen[0];
    parts = chosen[1];
  }
  GemmDispatch out = start_gemm(e, gemm, node, x, tile, w.rows, parts, store);
  out.dispatch.choice = choosing.choice;
  out.dispatch.files.push_back("tile_rows");
  add_rows(out.dispatch.constants, x.rows);
  out.dispatch.grid[0] = grid_rows(x.rows, tile.bm);
  return out;
}

uint32_t expert_tile_rows(const Emitter& e, Gemm gemm, const ExpertTiles& by) {
  return expert_tile(e, gemm, by).bm;
}

uint32_t expert_tile_count(const Emitter& e, Gemm gemm, const ExpertTiles& by) {
  return by.experts + div_up(e.max_tokens() * by.top, expert_tile_rows(e, gemm, by));
}

GemmDispatch make_expert_gemm(Emitter& e, Gemm gemm, graph::NodeId node, const View& x, uint32_t each,
                              const ExpertTiles& by, std::string_view store) {
  const Tile tile = expert_tile(e, gemm, by);
  GemmDispatch out = start_gemm(e, gemm, node, x, tile, e.weight(node, 1)->rows / by.experts, 1, store);
  Dispatch& d = out.dispatch;
  d.files.push_back("tile_experts");
  d.constants.add("TOP", by.top);
  d.constants.add("X_EACH", each);
  d.constants.add("TILES", expert_tile_count(e, gemm, by));
  d.grid[0] = {.t = by.top, .constant = by.experts * tile.bm, .divisor = tile.bm};
  return out;
}

Result<std::optional<Dispatch>> start_gemm_linear(Emitter& e, graph::NodeId node) {
  const View x = e.input(node, 0);
  const std::optional<Gemm> gemm = gemm_of(e.target());
  if (!gemm || !has_int8_product(*e.weight(node, 1))) return std::nullopt;
  const View rows = gemm_rows(e, *gemm, x.rows, x.cols);
  TRY(emit_rows(e, node, *gemm, x, rows));
  return make_gemm(e, *gemm, node, rows, false).dispatch;
}

}  // namespace tern::backends::webgpu
