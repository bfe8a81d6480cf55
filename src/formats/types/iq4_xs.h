// IQ4_XS: 256 weights in 136 bytes, 4.25 bits per weight, through a codebook; 8 sub-blocks of 32. Only read. Source:
// GGUF specification, tensor type 23 (ggml block_iq4_xs).
//   0  d         f16       scale of the scales
//   2  scales_h  u16       bits 2 j, 2 j + 1: the high two bits of scale j + 32, j = 0..7
//   4  scales_l  4 bytes   the low four bits of scale j + 32: byte j / 2, low nibble for even j
//   8  qs        128 bytes byte 16 j + i: weight 32 j + i in the low nibble, weight 32 j + 16 + i in the high nibble
// w = (d * scale) * kIq4Values[q] with scale in -32..31, rounded after every operation.
#pragma once

#include "formats/format_concept.h"
#include "formats/iq4_values.h"

namespace tern::formats::types {

struct IQ4_XS {
  static constexpr FormatInfo kInfo{Format::kIQ4_XS, "iq4_xs", 256, 136};

  static void decode_block(const std::byte* block, float* out) {
    const float d = load_f16(block);
    const uint32_t high = load<uint16_t>(block + 2);
    for (int j = 0; j < 8; ++j) {
      const uint32_t bits = (load_u8(block + 4 + j / 2) >> 4 * (j % 2) & 15) | (high >> 2 * j & 3) << 4;
      const float scale = d * static_cast<float>(static_cast<int32_t>(bits) - 32);
      for (int i = 0; i < 16; ++i) {
        const uint32_t pair = load_u8(block + 8 + 16 * j + i);
        out[32 * j + i] = scale * static_cast<float>(kIq4Values[pair & 15]);
        out[32 * j + 16 + i] = scale * static_cast<float>(kIq4Values[pair >> 4]);
      }
    }
  }

  static void random_block(Random& random, float stddev, std::byte* block) {
    random.fill(block, 136);
    store_f16(block, random.either_sign(stddev / (kIq4Rms * 18.5f)));  // the root mean square of -32..31
  }
};
static_assert(BlockFormat<IQ4_XS>);

}  // namespace tern::formats::types
