// MXFP4: 32 weights in 17 bytes, 4.25 bits per weight. Source: OCP Microscaling Formats (MX) v1.0, sections 5.3.3
// (E2M1) and 5.4.1 (E8M0); bytes as in GGUF, tensor type 39 (ggml block_mxfp4).
//   0  e   u8       the scale 2^(e - 127)
//   1  qs  16 bytes byte i: weight i in the low nibble, weight i + 16 in the high nibble; sign, 2 exponent and 1
//                   mantissa bits: 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives
// w = 2^(e - 128) * (twice the E2M1 value), one exact product; it overflows only for e > 252. As in ggml, minus zero
// decodes to zero, and e = 255, which OCP calls NaN, is one more power of two.
#pragma once

#include "formats/format_concept.h"
#include "formats/nibbles.h"

namespace tern::formats::types {

struct MXFP4 {
  static constexpr FormatInfo kInfo{Format::kMXFP4, "mxfp4", 32, 17};
  static constexpr float kMaxMagnitude = 0x1.8p127f;  // 6 * 2^125

  static constexpr int8_t kTwiceE2m1[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

  /// 2^(e - 128), e = 0..255; the two smallest are subnormal.
  static float half_scale(uint32_t e) { return std::bit_cast<float>(e < 2 ? 0x00200000u << e : (e - 1) << 23); }

  static void decode_block(const std::byte* block, float* out) {
    const float scale = half_scale(load_u8(block));
    for (int i = 0; i < 16; ++i) {
      const uint32_t pair = load_u8(block + 1 + i);
      out[i] = scale * static_cast<float>(kTwiceE2m1[pair & 15]);
      out[i + 16] = scale * static_cast<float>(kTwiceE2m1[pair >> 4]);
    }
  }

  /// MX v1.0, section 6.3: the scale is 2^(floor(log2(largest magnitude)) - 2), codes are the nearest values, the first
  /// of equals.
  static void encode_block(const float* in, std::byte* block) {
    const float extreme = signed_extreme(in);
    const int exponent = extreme == 0 ? -127 : std::ilogb(extreme) - 2;
    const auto e = static_cast<uint32_t>(exponent < -127 ? 0 : exponent + 127);
    const float scale = half_scale(e);
    uint8_t q[32];
    for (int i = 0; i < 32; ++i) q[i] = nearest_code(in[i], scale);
    store_u8(block, e);
    store_nibbles(q, block + 1);
  }

  static void random_block(Random& random, float stddev, std::byte* block) {
    // Scales 2^k and 2^(k + 1) in the shares that give the wanted variance; 5.85 is the codes' root mean square.
    const float wanted = stddev / 5.85f;
    const int k = std::ilogb(wanted);
    const float ratio = wanted * std::ldexp(1.0f, -k);  // 1..2
    const float share = (ratio * ratio - 1) / 3;        // of 2^(k + 1)
    const bool upper = (random.uniform() + 1) / 2 < share;
    store_u8(block, static_cast<uint32_t>(k + 128 + upper));
    random.fill(block + 1, 16);
  }

 private:
  static uint8_t nearest_code(float w, float scale) {
    int best = 0;
    float best_error = std::fabs(w);
    for (int code = 1; code < 16; ++code) {
      const float error = std::fabs(scale * static_cast<float>(kTwiceE2m1[code]) - w);
      if (error < best_error) best = code, best_error = error;
    }
    return static_cast<uint8_t>(best);
  }
};
static_assert(BlockFormat<MXFP4> && Encodable<MXFP4>);

}  // namespace tern::formats::types
