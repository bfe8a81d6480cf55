// A weight whose panels are made from the mapped file when steps first use them, so that a first token does not wait
// for all weights to be repacked, nor for the memory they take: on a virtual machine a fresh page costs up to ten times
// what its bytes do (700 MB: 0.1 s where the host has memory for them, 0.7 to 1.9 s where it has not).
//
//   first step of a plan   panels are made in the worker's scratch and forgotten
//   later ones             they are made in their place and what they were made of is given back
//
// Panels are the same bytes in either case, so results are the same bits.
#pragma once

#include <atomic>
#include <vector>

#include "backends/cpu/panels.h"
#include "backends/host/weight_rows.h"

namespace tern::backends::cpu {

class PanelSource {
 public:
  /// rows: the weight in the file's layout. panels: layout.bytes(), zeros. Both outlive this.
  PanelSource(const PanelLayout& layout, WeightRows rows, std::byte* panels, ReleaseRows release);

  /// All panels are in their place.
  bool complete() const { return left_.load(std::memory_order_acquire) == 0; }
  bool has(uint32_t panel) const { return made_[panel] != 0; }
  /// Makes those of panels [begin, end) that are not made. Several threads may call this for panels of their own.
  void make(uint32_t begin, uint32_t end);
  /// Makes panels [begin, begin + n) as panels [at, at + n) of `target`, which are overwritten.
  void copy(uint32_t begin, uint32_t n, const PanelLayout& target, uint32_t at, std::byte* panels) const;
  /// A row as decode_panel_row() gives it.
  void decode_row(uint32_t row, std::span<float> out) const;

 private:
  const PanelLayout layout_;
  const WeightRows rows_;
  std::byte* const panels_;
  const ReleaseRows release_;
  std::vector<uint8_t> made_;  // index: panel; bytes, because neighbours may belong to different threads
  std::atomic<uint32_t> left_;

  void make_panel(uint32_t panel, const PanelLayout& target, uint32_t at, std::byte* panels) const;
};

}  // namespace tern::backends::cpu
