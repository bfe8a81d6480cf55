// Repacking without a detour over values: the common formats' codes are moved to planes as they are, whole words at a
// time, which runs at the speed of memory. Layouts of blocks: formats/types/<format>.h; of planes: planes.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "formats/format.h"

namespace tern::backends::webgpu {

/// One row. row: row_bytes(format, cols), cols a multiple of the format's block. codes: PlaneLayout::row_bytes; scales:
/// row_scales * scale_bytes, padding left as it is.
using RepackRow = void (*)(const std::byte* row, uint32_t cols, std::byte* codes, std::byte* scales);

/// nullptr: the format has none, its rows go over their values (repack.cc).
RepackRow block_repack(Format format);

}  // namespace tern::backends::webgpu
