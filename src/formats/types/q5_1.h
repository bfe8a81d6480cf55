// Q5_1: 32 weights in 24 bytes, 6 bits per weight. Source: GGUF specification, tensor type 7 (ggml block_q5_1).
//   0  d   f16      scale
//   2  m   f16      minimum
//   4  qh  u32      bit i: bit 4 of weight i's code
//   8  qs  16 bytes byte i: the low bits of weight i in the low nibble, of weight i + 16 in the high nibble
// w = (d * q) + m, rounded after the product and after the sum (no fused multiply-add).
#pragma once

#include "formats/format_concept.h"
#include "formats/nibbles.h"

namespace tern::formats::types {

struct Q5_1 {
  static constexpr FormatInfo kInfo{Format::kQ5_1, "q5_1", 32, 24};
  static constexpr float kMaxMagnitude = kMaxF16;

  static void decode_block(const std::byte* block, float* out) {
    const float d = load_f16(block), m = load_f16(block + 2);
    const uint32_t high = load<uint32_t>(block + 4);
    for (int i = 0; i < 16; ++i) {
      const uint32_t pair = load_u8(block + 8 + i);
      out[i] = d * static_cast<float>((pair & 15) | (high >> i & 1) << 4) + m;
      out[i + 16] = d * static_cast<float>(pair >> 4 | (high >> (i + 16) & 1) << 4) + m;
    }
  }

  /// As ggml's reference: d = (max - min) / 31, q = floor((w - min) / d + 0.5), with d and min not yet rounded to f16.
  static void encode_block(const float* in, std::byte* block) {
    const auto [min, max] = range_of(in, 32);
    const float d = (max - min) / 31.0f;
    const float inverse = inverse_or_zero(d);
    uint8_t q[32];
    for (int i = 0; i < 32; ++i) q[i] = static_cast<uint8_t>(truncated((in[i] - min) * inverse + 0.5f, 0, 31));
    store_f16(block, d);
    store_f16(block + 2, min);
    store(block + 4, fifth_bits(q));
    store_nibbles(q, block + 8);
  }

  static void random_block(Random& random, float stddev, std::byte* block) {
    const float d = stddev / 9.23f;  // the standard deviation of 0..31
    store_f16(block, d);
    store_f16(block + 2, -15.5f * d);
    random.fill(block + 4, 20);
  }
};
static_assert(BlockFormat<Q5_1> && Encodable<Q5_1>);

}  // namespace tern::formats::types
