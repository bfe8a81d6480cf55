// Rows of weights from the file's layout to planes (planes.h).
#pragma once

#include <span>

#include "backends/webgpu/planes.h"
#include "base/result.h"

namespace tern::backends::webgpu {

/// Values are those of formats::decode_row with the scale rounded to f16 where the file's is finer (K-quants multiply
/// two scales). rows: n * row_bytes(weight.format, weight.cols); codes: n * layout.row_bytes; scales: n *
/// layout.row_scales * layout.scale_bytes. Padding becomes zero.
void repack_rows(const graph::Weight& weight, const PlaneLayout& layout, const std::byte* rows, size_t n,
                 std::byte* codes, std::byte* scales);

/// How many rows these bytes are. Errors: kInvalidArgument when they are not whole.
Result<uint64_t> whole_rows(const graph::Weight& weight, std::span<const std::byte> rows);

/// The same into memory of its own. Errors: those of whole_rows().
Result<PackedRows> repack(const graph::Weight& weight, std::span<const std::byte> rows);

}  // namespace tern::backends::webgpu
