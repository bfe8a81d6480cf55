// Planes: the layouts in which weights lie on a GPU. The 18 formats of files become a few families, so that few kernels
// serve them all; kernels/w_<family>.wgsl reads them. One buffer per weight: the codes of all rows, then, from a
// multiple of 256 bytes on, the scales of all rows.
//
//   q4, q4z, q4m, q4m16   16 bytes per 32 weights: byte j has weight j in its low nibble and weight 16 + j in its high
//   one
//   q6   a row of nibbles as q4's, then 8 bytes per 32 weights, padded to 16: two bits above each nibble, those of
//   weight 4 f + b (16 + 4 f + b) in byte b (4 + b) from bit 2 f on q8, q8m, q8f   int8 f16, bf16, f32   no scales
//
//   value = scale * (code - 8)           q4: an f16 per 32
//   value = scale * (code - zero)        q4z: a pair of f16 per 32
//   value = scale * code + minimum       q4m, q8m: a pair of f16 (one word) per 32; q4m16: per 16
//   value = scale * code                 q8: an f16 per 32; q8f: an f32 per 32
//   value = scale * (code - 32)          q6: an f16 per 16
//
// Rows are padded with zeros to a multiple of 32 weights, rows of f16 scales to an even number. Vectors (norm weights,
// biases, rope frequencies) are always f32.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"

namespace tern::backends::webgpu {

enum class Family { kQ4, kQ4z, kQ4m, kQ4m16, kQ6, kQ8, kQ8m, kQ8f, kF16, kBf16, kF32 };

struct PlaneLayout {
  Family family = Family::kF32;
  uint32_t rows = 0, cols = 0;
  uint32_t padded = 0;      // cols up to a multiple of 32
  uint32_t group = 0;       // weights a scale has; 0: none
  uint32_t row_bytes = 0;   // of codes
  uint32_t row_scales = 0;  // scales of a row, padding included
  uint32_t scale_bytes = 0;
  uint64_t scales = 0;  // where they begin, bytes
  uint64_t bytes = 0;   // of the buffer

  static PlaneLayout of(const graph::Weight& weight);
};

/// How matrices of this format lie there.
Family family_of(Format format);
bool is_nibbles(Family family);
/// Where in a row of q6 the bits above its nibbles begin, bytes.
constexpr uint32_t q6_high(uint32_t padded) {
  return padded / 2;
}
/// The family's kernel file: "w_q4".
std::string_view family_file(Family family);

/// Rows in file layout, repacked: codes and scales as they go to the buffer.
struct PackedRows {
  std::vector<std::byte> codes, scales;
};

/// One row back from planes, for tests and the oracle: packed as repack() gave it, `row` counted from its first.
void decode_planes(const PlaneLayout& layout, const PackedRows& packed, uint32_t row, std::span<float> out);

}  // namespace tern::backends::webgpu
