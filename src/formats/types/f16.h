// F16: IEEE binary16, little endian; 2 bytes per weight. Source: GGUF specification, tensor type 1.
#pragma once

#include <cmath>

#include "formats/format_concept.h"

namespace tern::formats::types {

struct F16 {
  static constexpr FormatInfo kInfo{Format::kF16, "f16", 1, 2};
  static constexpr float kMaxMagnitude = kMaxF16;

  static void decode_block(const std::byte* block, float* out) { *out = load_f16(block); }

  static void encode_block(const float* in, std::byte* block) { store_f16(block, *in); }

  static void random_block(Random& random, float stddev, std::byte* block) {
    store_f16(block, stddev * std::sqrt(3.0f) * random.uniform());
  }
};
static_assert(BlockFormat<F16> && Encodable<F16>);

}  // namespace tern::formats::types
