// F32: IEEE binary32, little endian; 4 bytes per weight. Source: GGUF specification, tensor type 0.
#pragma once

#include <cmath>

#include "formats/format_concept.h"

namespace tern::formats::types {

struct F32 {
  static constexpr FormatInfo kInfo{Format::kF32, "f32", 1, 4};
  static constexpr float kMaxMagnitude = INFINITY;

  static void decode_block(const std::byte* block, float* out) { *out = load<float>(block); }

  static void encode_block(const float* in, std::byte* block) { store(block, *in); }

  static void random_block(Random& random, float stddev, std::byte* block) {
    store(block, stddev * std::sqrt(3.0f) * random.uniform());
  }
};
static_assert(BlockFormat<F32> && Encodable<F32>);

}  // namespace tern::formats::types
