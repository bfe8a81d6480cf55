#include "backends/webgpu/fast_linear.h"

#include <algorithm>

namespace tern::backends::webgpu {

std::string_view dot_file(Family family) {
  switch (family) {
    case Family::kQ4:
      return "dot_q4";
    case Family::kQ4z:
      return "dot_q4z";
    case Family::kQ4m:
      return "dot_q4m";
    case Family::kQ4m16:
      return "dot_q4m16";
    case Family::kQ8:
      return "dot_q8";
    case Family::kQ6:
      return "dot_q6";
    case Family::kQ8m:
      return "dot_q8m";
    case Family::kQ8f:
      return "dot_q8f";
    case Family::kF16:
    case Family::kBf16:
    case Family::kF32:
      return "";  // float activations
  }
  return "";
}

bool has_int8_product(const graph::Weight& weight) {
  return weight.cols % 32 == 0 && !dot_file(PlaneLayout::of(weight).family).empty();
}

std::string product_name(const PlaneLayout& layout) {
  return fmt::format("{} {}x{}", dot_file(layout.family).substr(4), layout.rows, layout.cols);
}

View q8_blocks(Emitter& emitter, graph::Dim rows, uint32_t cols) {
  const uint32_t groups = cols / 32;
  return emitter.temporary(rows, 4 * (2 * groups + div_up(groups, 2) + div_up(groups, 4)));
}

namespace {

bool has_team(const graph::GpuFacts& gpu) {
  return gpu.subgroups && gpu.subgroup_min >= 4 && gpu.subgroup_max <= 64;
}

}  // namespace

void add_team(const Emitter& emitter, Dispatch& dispatch, uint32_t threads) {
  const graph::GpuFacts& gpu = emitter.target().gpu;
  dispatch.files.push_back(has_team(gpu) ? "team_subgroup" : "team_workgroup");
  dispatch.constants.add("WG", threads);
  if (!has_team(gpu)) return;
  dispatch.features = "enable subgroups;\ndiagnostic(off, subgroup_uniformity);\n";
  dispatch.constants.add("SG_MIN", gpu.subgroup_min);
  dispatch.constants.add("SG_MAX", gpu.subgroup_max);
}

void add_block_params(const Emitter& emitter, Constants& constants) {
  const graph::ParamsLayout& layout = emitter.params_layout();
  constants.add("P_TOKENS", layout.tokens);
  constants.add("P_POSITIONS", layout.positions);
  constants.add("P_SEQUENCES", layout.sequences);
  constants.add("P_SEQS", layout.seqs);
  constants.add("P_ROWS", layout.rows);
  constants.add("P_SAMPLES", layout.samples);
  constants.add("P_PAGES", layout.pages);
}

namespace {

/// {threads, parts of K, rows a team} that keep every team of a workgroup at work, each for at most eight turns.
std::vector<std::vector<uint32_t>> gemv_variants(uint32_t rows, uint32_t groups, uint32_t most_threads) {
  constexpr uint32_t kTeam = 32;  // threads; as most devices have it
  std::vector<std::vector<uint32_t>> out;
  for (uint32_t threads = 64; threads <= std::min(most_threads, 1024u); threads *= 2) {
    for (uint32_t parts = 1; parts == 1 || (parts <= 4 && parts * kTeam <= groups); parts *= 2) {
      for (uint32_t at_a_time = 1; at_a_time <= std::min(rows, 4u); at_a_time *= 2) {
        const uint32_t jobs = rows / at_a_time * parts, teams = threads / kTeam;
        if (rows % at_a_time == 0 && jobs >= teams && jobs <= 8 * teams) out.push_back({threads, parts, at_a_time});
      }
    }
  }
  return out;
}

}  // namespace

void add_gemv(Emitter& emitter, Dispatch& dispatch, const graph::Weight& weight, GemvShape shape,
              uint32_t rows_per_result, uint32_t tokens) {
  const PlaneLayout layout = PlaneLayout::of(weight);
  const uint32_t rows = shape.out * rows_per_result;
  const uint32_t most = emitter.target().gpu.max_invocations / 32 * 32;
  const std::vector<uint32_t> chosen =
      emitter.choose(dispatch, product_name(layout), {std::min(shape.threads, most), shape.parts, shape.rows},
                     gemv_variants(rows, layout.padded / 32, most));
  shape = {shape.out, chosen[0], chosen[1], chosen[2]};
  add_team(emitter, dispatch, shape.threads);
  dispatch.constants.add("OUT", shape.out);
  dispatch.constants.add("ROWS", rows);
  dispatch.constants.add("R", shape.rows);
  dispatch.constants.add("KS", shape.parts);
  dispatch.constants.add("NT", tokens);
  dispatch.constants.add("G", layout.padded / 32);
  dispatch.constants.add("SCALES", static_cast<uint32_t>(layout.scales / 16));
  dispatch.constants.add("ROW_SCALES", layout.row_scales);
  add_block_params(emitter, dispatch.constants);
  dispatch.files.push_back("q8_block");
  dispatch.files.push_back(dot_file(layout.family));
}

}  // namespace tern::backends::webgpu
