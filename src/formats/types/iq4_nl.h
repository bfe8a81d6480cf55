// IQ4_NL: 32 weights in 18 bytes, 4.5 bits per weight, through a codebook. Source: GGUF specification, tensor type 20
// (ggml block_iq4_nl).
//   0  d   f16      scale
//   2  qs  16 bytes byte i: weight i in the low nibble, weight i + 16 in the high nibble
// w = d * kIq4Values[q]: one product of two floats, so there is only one order.
#pragma once

#include "formats/format_concept.h"
#include "formats/iq4_values.h"
#include "formats/nibbles.h"

namespace tern::formats::types {

struct IQ4_NL {
  static constexpr FormatInfo kInfo{Format::kIQ4_NL, "iq4_nl", 32, 18};
  static constexpr float kMaxMagnitude = kMaxF16;

  static void decode_block(const std::byte* block, float* out) {
    const float d = load_f16(block);
    for (int i = 0; i < 16; ++i) {
      const uint32_t pair = load_u8(block + 2 + i);
      out[i] = d * static_cast<float>(kIq4Values[pair & 15]);
      out[i + 16] = d * static_cast<float>(kIq4Values[pair >> 4]);
    }
  }

  /// The weight of largest magnitude meets the value -127; then one least-squares step for the scale with those codes.
  static void encode_block(const float* in, std::byte* block) {
    const float inverse = inverse_or_zero(signed_extreme(in) / -127.0f);
    float sum_vv = 0, sum_vw = 0;
    for (int i = 0; i < 32; ++i) {
      const auto value = static_cast<float>(kIq4Values[nearest_iq4(in[i] * inverse)]);
      sum_vv += value * value, sum_vw += value * in[i];
    }
    const float d = f16_to_f32(f32_to_f16(sum_vw / sum_vv));  // no value is 0, so sum_vv is not
    uint8_t q[32];
    for (int i = 0; i < 32; ++i) q[i] = static_cast<uint8_t>(nearest_iq4(in[i] * inverse_or_zero(d)));
    store_f16(block, d);
    store_nibbles(q, block + 2);
  }

  static void random_block(Random& random, float stddev, std::byte* block) {
    store_f16(block, random.either_sign(stddev / kIq4Rms));
    random.fill(block + 2, 16);
  }
};
static_assert(BlockFormat<IQ4_NL> && Encodable<IQ4_NL>);

}  // namespace tern::formats::types
