// Q4_0: 32 weights in 18 bytes, 4.5 bits per weight. Source: GGUF specification, tensor type 2 (ggml block_q4_0).
//   0  d   f16      scale
//   2  qs  16 bytes byte i: weight i in the low nibble, weight i + 16 in the high nibble
// w = d * (q - 8): one product of two floats, so there is only one order.
#pragma once

#include "formats/format_concept.h"
#include "formats/nibbles.h"

namespace tern::formats::types {

struct Q4_0 {
  static constexpr FormatInfo kInfo{Format::kQ4_0, "q4_0", 32, 18};
  static constexpr float kMaxMagnitude = kMaxF16;

  static void decode_block(const std::byte* block, float* out) {
    const float d = load_f16(block);
    for (int i = 0; i < 16; ++i) {
      const int32_t pair = static_cast<int32_t>(load_u8(block + 2 + i));
      out[i] = d * static_cast<float>((pair & 15) - 8);
      out[i + 16] = d * static_cast<float>((pair >> 4) - 8);
    }
  }

  /// As ggml's reference: the weight of largest magnitude gets code 0 exactly (d = extreme / -8, of either sign);
  /// q = floor(w / d + 8.5), with the d that is not yet rounded to f16.
  static void encode_block(const float* in, std::byte* block) {
    const float d = signed_extreme(in) / -8.0f;
    const float inverse = inverse_or_zero(d);
    uint8_t q[32];
    for (int i = 0; i < 32; ++i) q[i] = static_cast<uint8_t>(truncated(in[i] * inverse + 8.5f, 0, 15));
    store_f16(block, d);
    store_nibbles(q, block + 2);
  }

  static void random_block(Random& random, float stddev, std::byte* block) {
    store_f16(block, random.either_sign(stddev / 4.64f));  // the root mean square of -8..7
    random.fill(block + 2, 16);
  }
};
static_assert(BlockFormat<Q4_0> && Encodable<Q4_0>);

}  // namespace tern::formats::types
