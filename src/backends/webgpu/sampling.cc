#include "backends/webgpu/sampling.h"

#include <algorithm>

#include "backends/webgpu/fast_linear.h"

namespace tern::backends::webgpu {

namespace {

constexpr uint32_t kChunk = 2048;  // logits a workgroup looks through for the best

Dispatch sampling_dispatch(const Emitter& e, std::string_view name, uint32_t vocabulary, uint32_t chunks) {
  Dispatch d{.name = name, .files = {"team_workgroup", "sample_record", name}};
  d.constants.add("WG", 256u);
  d.constants.add("VOCAB", vocabulary);
  d.constants.add("CHUNK", kChunk);
  d.constants.add("CHUNKS", chunks);
  add_block_params(e, d.constants);
  return d;
}

}  // namespace

Result<void> emit_sampling(Emitter& e) {
  const auto& outputs = e.graph().outputs;
  const auto found = std::ranges::find(outputs, "logits", &graph::Output::name);
  if (found == outputs.end() || e.target().expose_values) return {};
  const View logits = e.view(found->value);
  const bool is_whole = logits.col0 == 0 && logits.stride == logits.cols && logits.rows == graph::Dim::rows();
  if (!is_whole || logits.cols >= (1u << 24)) return {};  // counts are exact in f32 up to there
  const graph::NodeId node = e.graph().values[found->value].producer;
  const uint32_t chunks = div_up(logits.cols, kChunk);
  const View best = e.temporary(logits.rows, 2 * chunks);
  Dispatch scan = sampling_dispatch(e, "sample_scan", logits.cols, chunks);
  scan.binds = {reads(Emitter::params()), writes(logits.ref), writes(best.ref)};
  scan.grid = {grid_constant(chunks), grid_rows(logits.rows), {}};
  TRY(e.dispatch(node, scan));
  Dispatch draw = sampling_dispatch(e, "sample_draw", logits.cols, chunks);
  draw.binds = {reads(Emitter::params()), reads(logits.ref), reads(best.ref), writes(Emitter::state()),
                writes(e.tokens_output())};
  draw.grid[0] = grid_rows(logits.rows);
  return e.dispatch(node, draw);
}

}  // namespace tern::backends::webgpu
