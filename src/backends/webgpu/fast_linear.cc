#include "backends/webgpu/fast_linear.h"

#include <algorithm>

namespace tern::backends::webgpu {

std::string_view dot_file(Family family) {
  switch (family) {
    case Family::kQ4:
      return "dot_q4";
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
    case Family::kQ4z:  // no int8 product yet
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

View q8_blocks(Emitter& emitter, graph::Dim rows, uint32_t cols) {
  const uint32_t groups = cols / 32;
  return emitter.temporary(rows, 4 * (2 * groups + div_up(groups, 2) + div_up(groups, 4)));
}

namespace {

bool has_team(const graph::GpuFacts& gpu) {
  return gpu.subgroups && gpu.subgroup_max <= 64;
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

void add_gemv(const Emitter& emitter, Dispatch& dispatch, const graph::Weight& weight, GemvShape shape,
              uint32_t rows_per_result, uint32_t tokens) {
  const PlaneLayout layout = PlaneLayout::of(weight);
  const uint32_t rows = shape.out * rows_per_result;
  const uint32_t most = std::min(shape.threads, emitter.target().gpu.max_invocations / 32 * 32);
  add_team(emitter, dispatch, most);
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
