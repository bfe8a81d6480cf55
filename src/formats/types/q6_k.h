// Q6_K: 256 weights in 210 bytes, 6.5625 bits per weight; 16 sub-blocks of 16. Source: GGUF specification, tensor type
// 14 (ggml block_q6_K).
//   0    ql     128 bytes byte 64 h + l: low four bits of weight 128 h + l in the low nibble, of 128 h + 64 + l in the
//                         high one, l = 0..63
//   128  qh     64 bytes  byte 32 h + l holds the high two bits of the weights 128 h + 32 s + l in bits 2 s, 2 s + 1
//   192  scales 16 x i8   scale of sub-block j
//   208  d      f16       scale of the scales
// w = (d * scale) * (q - 32), rounded after every operation.
#pragma once

#include "formats/fit.h"
#include "formats/format_concept.h"

namespace tern::formats::types {

struct Q6_K {
  static constexpr FormatInfo kInfo{Format::kQ6_K, "q6_k", 256, 210};
  static constexpr float kMaxMagnitude = kMaxF16;

  static void decode_block(const std::byte* block, float* out) {
    const float d = load_f16(block + 208);
    for (int j = 0; j < 16; ++j) {
      const float scale = d * static_cast<float>(load_i8(block + 192 + j));
      const std::byte* low = block + 64 * (j / 8) + 16 * (j % 4);
      const std::byte* high = block + 128 + 32 * (j / 8) + 16 * (j % 2);
      const int low_shift = 4 * (j / 4 % 2), high_shift = 2 * (j / 2 % 4);
      for (int i = 0; i < 16; ++i) {
        const uint32_t q = (load_u8(low + i) >> low_shift & 15) | (load_u8(high + i) >> high_shift & 3) << 4;
        out[16 * j + i] = scale * static_cast<float>(static_cast<int32_t>(q) - 32);
      }
    }
  }

  /// Least-squares scales (formats/fit.h).
  static void encode_block(const float* in, std::byte* block) {
    const ScaleBlock fit = fit_scale_block(in, 32, 128);
    for (int b = 0; b < 128; ++b) {
      const uint8_t* q = fit.q.data() + 128 * (b / 64) + b % 64;
      store_u8(block + b, (q[0] & 15) | (q[64] & 15) << 4);
    }
    for (int b = 0; b < 64; ++b) {
      const uint8_t* q = fit.q.data() + 128 * (b / 32) + b % 32;
      store_u8(block + 128 + b, q[0] >> 4 | (q[32] >> 4) << 2 | (q[64] >> 4) << 4 | (q[96] >> 4) << 6);
    }
    for (int j = 0; j < 16; ++j) store(block + 192 + j, fit.scale[j]);
    store_f16(block + 208, fit.d);
  }

  static void random_block(Random& random, float stddev, std::byte* block) {
    random.fill(block, 208);
    // The root mean squares of -32..31 and of -128..127; scales of both signs have mean zero but for -0.5.
    store_f16(block + 208, random.either_sign(stddev / (18.5f * 73.9f)));
  }
};
static_assert(BlockFormat<Q6_K> && Encodable<Q6_K>);

}  // namespace tern::formats::types
