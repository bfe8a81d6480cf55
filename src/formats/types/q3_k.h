// Q3_K: 256 weights in 110 bytes, 3.4375 bits per weight; 16 sub-blocks of 16. Source: GGUF specification, tensor type
// 11 (ggml block_q3_K).
//   0    hmask  32 bytes byte l holds bit 2 of the weights 32 i + l in bit i, i = 0..7
//   32   qs     64 bytes byte 32 h + l holds the low two bits of the weights 128 h + 32 s + l in bits 2 s, 2 s + 1
//   96   scales 12 bytes scale j + 32, 6 bits: the low four in byte j % 8 (low nibble for j < 8, else high), the high
//                        two in byte 8 + j % 4, bits 2 (j / 4) and 2 (j / 4) + 1
//   108  d      f16      scale of the scales
// w = (d * scale) * (q - 4) with scale in -32..31, rounded after every operation.
#pragma once

#include "formats/fit.h"
#include "formats/format_concept.h"

namespace tern::formats::types {

struct Q3_K {
  static constexpr FormatInfo kInfo{Format::kQ3_K, "q3_k", 256, 110};
  static constexpr float kMaxMagnitude = kMaxF16;

  static void decode_block(const std::byte* block, float* out) {
    const float d = load_f16(block + 108);
    for (int j = 0; j < 16; ++j) {
      const float scale = d * static_cast<float>(load_scale(block + 96, j));
      const std::byte* qs = block + 32 + 32 * (j / 8) + 16 * (j % 2);
      const std::byte* high = block + 16 * (j % 2);
      const int shift = 2 * (j / 2 % 4), high_shift = j / 2;
      for (int i = 0; i < 16; ++i) {
        const uint32_t q = (load_u8(qs + i) >> shift & 3) | (load_u8(high + i) >> high_shift & 1) << 2;
        out[16 * j + i] = scale * static_cast<float>(static_cast<int32_t>(q) - 4);
      }
    }
  }

  /// Least-squares scales (formats/fit.h).
  static void encode_block(const float* in, std::byte* block) {
    const ScaleBlock fit = fit_scale_block(in, 4, 32);
    for (int l = 0; l < 32; ++l) {
      uint32_t bits = 0;
      for (int i = 0; i < 8; ++i) bits |= static_cast<uint32_t>(fit.q[32 * i + l] >> 2) << i;
      store_u8(block + l, bits);
    }
    for (int b = 0; b < 64; ++b) {
      const uint8_t* q = fit.q.data() + 128 * (b / 32) + b % 32;
      store_u8(block + 32 + b, (q[0] & 3) | (q[32] & 3) << 2 | (q[64] & 3) << 4 | (q[96] & 3) << 6);
    }
    uint32_t packed[12] = {};
    for (int j = 0; j < 16; ++j) {
      const auto scale = static_cast<uint32_t>(fit.scale[j] + 32);
      packed[j % 8] |= (scale & 15) << 4 * (j / 8);
      packed[8 + j % 4] |= scale >> 4 << 2 * (j / 4);
    }
    for (int b = 0; b < 12; ++b) store_u8(block + 96 + b, packed[b]);
    store_f16(block + 108, fit.d);
  }

  static void random_block(Random& random, float stddev, std::byte* block) {
    random.fill(block, 108);
    // The root mean squares of -4..3 and of -32..31; uniform scales of both signs have mean zero but for -0.5.
    store_f16(block + 108, random.either_sign(stddev / (2.35f * 18.5f)));
  }

 private:
  static int32_t load_scale(const std::byte* packed, int j) {
    const uint32_t low = load_u8(packed + j % 8) >> 4 * (j / 8) & 15;
    const uint32_t high = load_u8(packed + 8 + j % 4) >> 2 * (j / 4) & 3;
    return static_cast<int32_t>(low | high << 4) - 32;
  }
};
static_assert(BlockFormat<Q3_K> && Encodable<Q3_K>);

}  // namespace tern::formats::types
