// BF16: the high half of a binary32, little endian; 2 bytes per weight. Source: GGUF specification, tensor type 30.
#pragma once

#include <cmath>

#include "formats/format_concept.h"

namespace tern::formats::types {

struct BF16 {
  static constexpr FormatInfo kInfo{Format::kBF16, "bf16", 1, 2};
  static constexpr float kMaxMagnitude = 0x1.fep127f;  // the largest finite bfloat16

  static void decode_block(const std::byte* block, float* out) { *out = bf16_to_f32(load<uint16_t>(block)); }

  static void encode_block(const float* in, std::byte* block) { store(block, f32_to_bf16(*in)); }

  static void random_block(Random& random, float stddev, std::byte* block) {
    store(block, f32_to_bf16(stddev * std::sqrt(3.0f) * random.uniform()));
  }
};
static_assert(BlockFormat<BF16> && Encodable<BF16>);

}  // namespace tern::formats::types
