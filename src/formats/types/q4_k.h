// Q4_K: 256 weights in 144 bytes, 4.5 bits per weight; 8 sub-blocks of 32. Source: GGUF specification, tensor type 12
// (ggml block_q4_K).
//   0   d      f16       scale of the scales
//   2   dmin   f16       scale of the minimums
//   4   scales 12 bytes  8 scales and 8 minimums of 6 bits (formats/k_scales.h)
//   16  qs     128 bytes byte 32 p + l: weight 64 p + l in the low nibble, weight 64 p + 32 + l in the high nibble
// w = ((d * scale) * q) - (dmin * min), rounded after every operation (no fused multiply-add).
#pragma once

#include "formats/fit.h"
#include "formats/format_concept.h"
#include "formats/k_scales.h"

namespace tern::formats::types {

struct Q4_K {
  static constexpr FormatInfo kInfo{Format::kQ4_K, "q4_k", 256, 144};
  static constexpr float kMaxMagnitude = kMaxF16;

  static void decode_block(const std::byte* block, float* out) {
    const float d = load_f16(block), d_min = load_f16(block + 2);
    for (int j = 0; j < 8; ++j) {
      const KScale k = load_k_scale(block + 4, j);
      const float scale = d * static_cast<float>(k.scale), min = d_min * static_cast<float>(k.min);
      const std::byte* qs = block + 16 + 32 * (j / 2);
      const int shift = 4 * (j % 2);
      for (int i = 0; i < 32; ++i) {
        out[32 * j + i] = scale * static_cast<float>(load_u8(qs + i) >> shift & 15) - min;
      }
    }
  }

  /// Least-squares scales and minimums (formats/fit.h).
  static void encode_block(const float* in, std::byte* block) {
    const auto fit = fit_scale_min_block<8>(in, 15, 63);
    store_f16(block, fit.d);
    store_f16(block + 2, fit.d_min);
    store_k_scales(fit.scale.data(), fit.min.data(), block + 4);
    for (int b = 0; b < 128; ++b) {
      const uint8_t* q = fit.q.data() + 64 * (b / 32) + b % 32;
      store_u8(block + 16 + b, q[0] | q[32] << 4);
    }
  }

  static void random_block(Random& random, float stddev, std::byte* block) {
    // A minimum of 7.5 scales centres 0..15, whose standard deviation is 4.61; the root mean square of 32..63 is 48.4.
    const float d = stddev / (4.61f * 48.4f);
    uint8_t scale[8];
    for (uint8_t& s : scale) s = static_cast<uint8_t>(32 + (random.next() >> 59));
    store_f16(block, d);
    store_f16(block + 2, 7.5f * d);
    store_k_scales(scale, scale, block + 4);
    random.fill(block + 16, 128);
  }
};
static_assert(BlockFormat<Q4_K> && Encodable<Q4_K>);

}  // namespace tern::formats::types
