// Q2_K: 256 weights in 84 bytes, 2.625 bits per weight; 16 sub-blocks of 16. Source: GGUF specification, tensor type 10
// (ggml block_q2_K).
//   0   scales 16 bytes sub-block j: scale in the low nibble, minimum in the high nibble
//   16  qs     64 bytes byte 32 h + l holds the weights 128 h + 32 s + l, s = 0..3, in bits 2 s and 2 s + 1
//   80  d      f16      scale of the scales
//   82  dmin   f16      scale of the minimums
// w = ((d * scale) * q) - (dmin * min), rounded after every operation (no fused multiply-add).
#pragma once

#include "formats/fit.h"
#include "formats/format_concept.h"

namespace tern::formats::types {

struct Q2_K {
  static constexpr FormatInfo kInfo{Format::kQ2_K, "q2_k", 256, 84};
  static constexpr float kMaxMagnitude = kMaxF16;

  static void decode_block(const std::byte* block, float* out) {
    const float d = load_f16(block + 80), d_min = load_f16(block + 82);
    for (int j = 0; j < 16; ++j) {
      const uint32_t packed = load_u8(block + j);
      const float scale = d * static_cast<float>(packed & 15), min = d_min * static_cast<float>(packed >> 4);
      const std::byte* qs = block + 16 + 32 * (j / 8) + 16 * (j % 2);
      const int shift = 2 * (j / 2 % 4);
      for (int i = 0; i < 16; ++i) {
        out[16 * j + i] = scale * static_cast<float>(load_u8(qs + i) >> shift & 3) - min;
      }
    }
  }

  /// Least-squares scales and minimums (formats/fit.h).
  static void encode_block(const float* in, std::byte* block) {
    const auto fit = fit_scale_min_block<16>(in, 3, 15);
    for (int j = 0; j < 16; ++j) store_u8(block + j, fit.scale[j] | fit.min[j] << 4);
    for (int b = 0; b < 64; ++b) {
      const uint8_t* q = fit.q.data() + 128 * (b / 32) + b % 32;
      store_u8(block + 16 + b, q[0] | q[32] << 2 | q[64] << 4 | q[96] << 6);
    }
    store_f16(block + 80, fit.d);
    store_f16(block + 82, fit.d_min);
  }

  static void random_block(Random& random, float stddev, std::byte* block) {
    // A minimum of 1.5 scales centres 0..3, whose standard deviation is 1.12; the root mean square of 8..15 is 11.7.
    const float d = stddev / (1.12f * 11.7f);
    for (int j = 0; j < 16; ++j) store_u8(block + j, 0x11 * (8 + (random.next() >> 61)));
    random.fill(block + 16, 64);
    store_f16(block + 80, d);
    store_f16(block + 82, 1.5f * d);
  }
};
static_assert(BlockFormat<Q2_K> && Encodable<Q2_K>);

}  // namespace tern::formats::types
