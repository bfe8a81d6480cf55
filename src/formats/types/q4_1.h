// Q4_1: 32 weights in 20 bytes, 5 bits per weight. Source: GGUF specification, tensor type 3 (ggml block_q4_1).
//   0  d   f16      scale
//   2  m   f16      minimum
//   4  qs  16 bytes byte i: weight i in the low nibble, weight i + 16 in the high nibble
// w = (d * q) + m, rounded after the product and after the sum (no fused multiply-add).
#pragma once

#include "formats/format_concept.h"
#include "formats/nibbles.h"

namespace tern::formats::types {

struct Q4_1 {
  static constexpr FormatInfo kInfo{Format::kQ4_1, "q4_1", 32, 20};
  static constexpr float kMaxMagnitude = kMaxF16;

  static void decode_block(const std::byte* block, float* out) {
    const float d = load_f16(block), m = load_f16(block + 2);
    for (int i = 0; i < 16; ++i) {
      const uint32_t pair = load_u8(block + 4 + i);
      out[i] = d * static_cast<float>(pair & 15) + m;
      out[i + 16] = d * static_cast<float>(pair >> 4) + m;
    }
  }

  /// As ggml's reference: d = (max - min) / 15, q = floor((w - min) / d + 0.5), with d and min not yet rounded to f16.
  static void encode_block(const float* in, std::byte* block) {
    const auto [min, max] = range_of(in, 32);
    const float d = (max - min) / 15.0f;
    const float inverse = inverse_or_zero(d);
    uint8_t q[32];
    for (int i = 0; i < 32; ++i) q[i] = static_cast<uint8_t>(truncated((in[i] - min) * inverse + 0.5f, 0, 15));
    store_f16(block, d);
    store_f16(block + 2, min);
    store_nibbles(q, block + 4);
  }

  static void random_block(Random& random, float stddev, std::byte* block) {
    const float d = stddev / 4.61f;  // the standard deviation of 0..15
    store_f16(block, d);
    store_f16(block + 2, -7.5f * d);
    random.fill(block + 4, 16);
  }
};
static_assert(BlockFormat<Q4_1> && Encodable<Q4_1>);

}  // namespace tern::formats::types
