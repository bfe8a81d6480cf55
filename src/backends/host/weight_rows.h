// WeightRows: a weight of a plan as it lies in host memory, in the file's own layout: runs of whole rows, because a
// merged weight (Q, K and V) is imported piece by piece.
#pragma once

#include <span>
#include <vector>

#include "backends/backend.h"

namespace tern::backends {

struct WeightRows {
  struct Run {
    const std::byte* data;
    uint32_t row0;
    uint32_t rows;
  };
  Format format = Format::kF32;
  uint32_t rows = 0;
  uint32_t cols = 0;
  uint64_t row_bytes = 0;
  std::vector<Run> runs;  // ascending, without gaps

  /// Lays the rows over `pieces`. Errors: kInvalidArgument when a piece is not whole rows or they are too few.
  static Result<WeightRows> make(const graph::Weight& weight, std::span<const std::span<const std::byte>> pieces);
  /// A decoded vector as a weight [1, n]; views it.
  static WeightRows of_vector(std::span<const float> vector);

  /// The run that row r < rows lies in.
  const Run& run_of(uint32_t r) const;
  /// Where row r < rows begins.
  const std::byte* row(uint32_t r) const;
  /// Decodes row r to out[cols].
  void decode(uint32_t r, std::span<float> out) const;
  /// The weight as a vector: its only row, or its only column (see graph::Weight).
  std::vector<float> decode_vector() const;
};

/// Bytes of a weight in the file's layout; 0 when its rows are not whole blocks.
uint64_t file_layout_bytes(const graph::Weight& weight);

/// How many rows of a weight, from row0 on, `rows` is in the file's layout.
/// Errors: kInvalidArgument when `rows` is not whole rows or they lie outside the weight.
Result<uint64_t> rows_in(const graph::Weight& weight, uint32_t row0, std::span<const std::byte> rows);

/// Copies rows [row0, ...) of a weight to `memory`, which holds it in the file's layout.
/// Errors: kInvalidArgument when `rows` is not whole rows or they lie outside the weight.
Result<void> write_rows(const graph::Weight& weight, uint32_t row0, std::span<const std::byte> rows,
                        std::span<std::byte> memory);

}  // namespace tern::backends
