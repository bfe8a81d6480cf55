// The ops of a plan on the CPU: each splits its work over the pool and calls kernels of the chosen instruction set.
// What they compute is defined in ref/; how work is split never changes a result (kernels.h).
#pragma once

#include "backends/cpu/panel_source.h"
#include "backends/cpu/scratch.h"
#include "base/thread_pool.h"

namespace tern::backends::cpu {

/// A weight in panels, as it lies in memory.
struct Panels {
  PanelLayout layout;
  const std::byte* data = nullptr;  // null: the weight stays in the file's layout
  const PanelKernel* kernel = nullptr;
  PanelSource* source = nullptr;  // null: all panels are there

  void decode_row(uint32_t row, std::span<std::byte> scratch, std::span<float> out) const {
    if (source && !source->has(layout.panel_of(row))) return source->decode_row(row, out);
    decode_panel_row(layout, data, row, scratch, out);
  }
};

/// One op of one step, ready to be computed.
struct Run {
  const BoundPlan& bound;
  std::span<const Panels> panels;  // index: as bound.weights
  size_t index;                    // of the call
  const graph::StepParams& step;
  const KernelTable& kernels;
  ThreadPool& pool;
  Scratch& scratch;

  const Call& call() const { return bound.calls[index]; }
  uint32_t tokens() const { return static_cast<uint32_t>(step.tokens.size()); }
  size_t rows(const Matrix& m) const {
    return m.rows.at(
        {.t = tokens(), .r = static_cast<uint32_t>(step.rows.size()), .p = static_cast<uint32_t>(step.pools.size())});
  }
  const Matrix& in(size_t i) const { return call().inputs[i]; }
  const Matrix& out(size_t i = 0) const { return call().outputs[i]; }
  /// The panels of an operand that is a weight; null when it has none.
  const Panels* panels_of(const Matrix& m) const {
    if (!m.weight) return nullptr;
    const Panels& found = panels[static_cast<size_t>(m.weight - bound.weights.data())];
    return found.data ? &found : nullptr;
  }
  template <class T>
  const T& attrs() const {
    return std::get<T>(call().attrs);
  }
};

using OpFunction = void (*)(const Run&);

/// The function that computes `op`; null when there is nothing to compute.
OpFunction op_function(graph::Op op);

/// Items of `cost` elements each: how many a worker should get at least, so that waking it pays (about 2 us).
inline size_t least_items(size_t cost) {
  return 16384 / (cost + 1) + 1;
}

// ops_dense.cc
void embed(const Run& run);
void gather_rows(const Run& run);
void rms_norm(const Run& run);
void pool_norm(const Run& run);
void add_rms_norm(const Run& run);
void add(const Run& run);
void scale(const Run& run);
void softcap(const Run& run);
void glu(const Run& run);
// ops_linear.cc
void linear(const Run& run);  // linear_add and linear_glu as well
void linear_experts(const Run& run);
// ops_panels.cc
/// The rows that `args` points at (x, y, residual; m, k, bias, activation) times segment `segment` of a weight.
void multiply_panels(const Run& run, const LinearArgs& args, const Panels& panels, uint32_t segment, bool is_glu);
// ops_experts.cc
void route_topk(const Run& run);
void combine_experts(const Run& run);
// ops_attention.cc
void rope(const Run& run);
void kv_write(const Run& run);
void rope_kv_write(const Run& run);
void attention(const Run& run);

}  // namespace tern::backends::cpu
