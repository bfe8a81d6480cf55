// Scratch: all memory that the ops of a plan need beside their operands, taken when the plan is loaded, so that steps
// allocate nothing.
#pragma once

#include <vector>

#include "backends/cpu/kernels.h"
#include "backends/host/bound_plan.h"

namespace tern::backends::cpu {

/// cos and sin of position * freqs, times magnitude, of every token of a step. All layers with the same frequencies
/// share one.
struct RopeTable {
  const Matrix* freqs = nullptr;
  float magnitude = 1;
  HostBlock values;         // [max_tokens][2][rot_dim / 2]
  uint64_t filled_for = 0;  // number of the step
};

/// Adjacent tokens of one sequence.
struct AttentionTile {
  uint32_t token, n_tokens;
};

/// Rows of activations that a product with panels takes at a time.
inline constexpr uint32_t kProductTokens = 512;

/// Panels that a worker makes at a time, one at least: they stay in its L2 cache.
inline constexpr uint64_t kMadeBytes = uint64_t{512} << 10;

struct Scratch {
  uint64_t step = 0;  // number of the step at hand, from 1

  // Linear products: a pointer per row, gathered by expert where there are experts.
  HostBlock x_rows, y_rows, residual_rows;  // [most rows of a linear] pointers
  HostBlock expert_rows;                    // [most rows] u32: rows sorted by expert
  HostBlock quantized;                      // activations of kProductTokens rows, for products with panels
  HostBlock expert_starts;                  // [most experts + 1] u32: where an expert's rows begin

  HostBlock tiles;  // [max_tokens] AttentionTile
  HostBlock parts;  // of attention that is split into blocks of positions
  std::span<float> part_floats() const { return parts.as<float>(); }

  std::vector<RopeTable> rope_tables;
  std::vector<uint32_t> rope_table_of;  // index: call; UINT32_MAX where it is no rope

  /// Private floats of a worker.
  float* of_worker(uint32_t worker) const { return workers.as<float>().data() + worker * floats_per_worker; }
  HostBlock workers;
  size_t floats_per_worker = 0;
  /// Room for panels that a worker makes for one use (panel_source.h).
  std::byte* made_of_worker(uint32_t worker) const { return made.bytes().data() + worker * made_bytes_per_worker; }
  HostBlock made;
  size_t made_bytes_per_worker = 0;

  /// largest_pair: bytes of two panels of the widest weight with a PanelSource; 0: there are none.
  static Result<Scratch> make(const BoundPlan& bound, const KernelTable& kernels, uint32_t threads,
                              uint64_t largest_pair);
};

}  // namespace tern::backends::cpu
