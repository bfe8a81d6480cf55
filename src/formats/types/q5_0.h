// Q5_0: 32 weights in 22 bytes, 5.5 bits per weight. Source: GGUF specification, tensor type 6 (ggml block_q5_0).
//   0  d   f16      scale
//   2  qh  u32      bit i: bit 4 of weight i's code
//   6  qs  16 bytes byte i: the low bits of weight i in the low nibble, of weight i + 16 in the high nibble
// w = d * (q - 16): one product of two floats, so there is only one order.
#pragma once

#include "formats/format_concept.h"
#include "formats/nibbles.h"

namespace tern::formats::types {

struct Q5_0 {
  static constexpr FormatInfo kInfo{Format::kQ5_0, "q5_0", 32, 22};
  static constexpr float kMaxMagnitude = kMaxF16;

  static void decode_block(const std::byte* block, float* out) {
    const float d = load_f16(block);
    const uint32_t high = load<uint32_t>(block + 2);
    for (int i = 0; i < 16; ++i) {
      const uint32_t pair = load_u8(block + 6 + i);
      const uint32_t first = (pair & 15) | (high >> i & 1) << 4;
      const uint32_t second = pair >> 4 | (high >> (i + 16) & 1) << 4;
      out[i] = d * static_cast<float>(static_cast<int32_t>(first) - 16);
      out[i + 16] = d * static_cast<float>(static_cast<int32_t>(second) - 16);
    }
  }

  /// As ggml's reference: the weight of largest magnitude gets code 0 exactly (d = extreme / -16, of either sign);
  /// q = floor(w / d + 16.5), with the d that is not yet rounded to f16.
  static void encode_block(const float* in, std::byte* block) {
    const float d = signed_extreme(in) / -16.0f;
    const float inverse = inverse_or_zero(d);
    uint8_t q[32];
    for (int i = 0; i < 32; ++i) q[i] = static_cast<uint8_t>(truncated(in[i] * inverse + 16.5f, 0, 31));
    store_f16(block, d);
    store(block + 2, fifth_bits(q));
    store_nibbles(q, block + 6);
  }

  static void random_block(Random& random, float stddev, std::byte* block) {
    store_f16(block, random.either_sign(stddev / 9.25f));  // the root mean square of -16..15
    random.fill(block + 2, 20);
  }
};
static_assert(BlockFormat<Q5_0> && Encodable<Q5_0>);

}  // namespace tern::formats::types
