// Panels: the layout in which weights are streamed by int8 and bf16 products (panel_tile.inl), for every number of
// tokens. Rows lie in the lanes of a vector: a panel is 16 rows, a line of 64 bytes holds a few neighbouring columns of
// each, so nothing is ever shuffled or summed across lanes, and activations are broadcast.
//
//   line of bytes    byte 4 r + b = column k + b of row r
//   line of nibbles  the low nibbles are columns k .. k + 3, the high ones k + 4 .. k + 7
//   line of bits     bit s of byte 4 r + b = bit 4 of the code of column k + 4 s + b
//   line of pairs    bits 2 s, 2 s + 1 of byte 4 r + b = bits 4, 5 of the code of column k + 4 s + b
//   line of bf16     32-bit lane r = columns k, k + 1 of row r
//
// A block of a panel is a header (scales, minimums: repack.cc) and the lines of its groups, one after the other.
// K-blocks of `k_block` columns lie one after the other, in each all panels, in each the blocks: so one token reads
// memory in order, and the activations of a K-block stay in the L1 cache for 5 to 24 tokens.
//
// Rows are cut into segments that begin with a panel of their own: the experts of a weight, and the gate and up halves
// of a GLU, whose panels are used side by side. Rows that fill up a segment and columns that fill up a block are zero.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "backends/cpu/kernels.h"
#include "graph/plan.h"

namespace tern::backends::cpu {

/// How a format lies in panels.
struct PanelFormat {
  uint32_t block;        // columns
  uint32_t block_bytes;  // of 16 rows
  uint32_t k_block;      // columns of a K-block: about what fits into L1 with the activations of a tile
};
/// nullptr when the format has no panels.
const PanelFormat* panel_format(Format format);

struct PanelLayout {
  Format format = Format::kF32;
  PanelFormat shape{};
  uint32_t rows = 0, cols = 0;
  uint32_t segment_rows = 0;  // divides rows

  uint32_t padded_cols() const { return (cols + shape.block - 1) / shape.block * shape.block; }
  uint32_t segment_panels() const { return (segment_rows + kPanelRows - 1) / kPanelRows; }
  uint32_t panels() const { return rows / segment_rows * segment_panels(); }
  uint64_t panel_bytes() const { return uint64_t{padded_cols() / shape.block} * shape.block_bytes; }
  uint64_t bytes() const { return panels() * panel_bytes(); }
  /// Panel and lane of a row.
  uint32_t panel_of(uint32_t row) const {
    return row / segment_rows * segment_panels() + row % segment_rows / kPanelRows;
  }
  uint32_t lane_of(uint32_t row) const { return row % segment_rows % kPanelRows; }
  /// The row in lane 0 of a panel, and how many rows the panel has.
  uint32_t first_row(uint32_t panel) const {
    return panel / segment_panels() * segment_rows + panel % segment_panels() * kPanelRows;
  }
  uint32_t rows_of(uint32_t panel) const {
    const uint32_t left = segment_rows - panel % segment_panels() * kPanelRows;
    return left < kPanelRows ? left : kPanelRows;
  }
  /// Where the blocks of a panel in the K-block at column k0 begin.
  uint64_t offset(uint32_t panel, uint32_t k0) const {
    const uint32_t here = padded_cols() - k0 < shape.k_block ? padded_cols() - k0 : shape.k_block;
    return (uint64_t{k0 / shape.block} * panels() + uint64_t{here / shape.block} * panel) * shape.block_bytes;
  }
};

/// Part of the name of cache files (Backend::layout_name): counts up with every change of what panels look like.
inline constexpr uint32_t kPanelVersion = 1;

/// The layout of a weight of the plan, or nothing when it stays as the file has it: vectors, tables that are only
/// embedded, formats that `kernels` has no tiles for, and weights whose uses do not agree on segments.
std::optional<PanelLayout> panel_layout(const graph::Plan& plan, uint32_t weight, const KernelTable& kernels);

/// Repacks rows [row0, row0 + n) from the file's layout; rows of one panel may come from several calls, and from
/// several threads. panels: layout.bytes(), zeros at first.
void repack_rows(const PanelLayout& layout, uint32_t row0, uint32_t n, const std::byte* rows, std::byte* panels);
/// Decodes a row to out[cols], bitwise as the file's row; f16 rounded to bf16. scratch: the bytes of a file row.
void decode_panel_row(const PanelLayout& layout, const std::byte* panels, uint32_t row, std::span<std::byte> scratch,
                      std::span<float> out);

}  // namespace tern::backends::cpu
