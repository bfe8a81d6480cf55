// The 12 bytes in which Q4_K and Q5_K hold eight 6-bit scales and eight 6-bit minimums (GGUF; ggml's K-quants):
//   byte j     (j < 4): scale j in bits 0-5, the high two bits of scale j + 4 in bits 6-7
//   byte j + 4 (j < 4): minimum j in bits 0-5, the high two bits of minimum j + 4 in bits 6-7
//   byte j + 8 (j < 4): the low four bits of scale j + 4, and above them those of minimum j + 4
#pragma once

#include "formats/bytes.h"

namespace tern::formats {

struct KScale {
  uint32_t scale, min;  // 0..63
};

inline KScale load_k_scale(const std::byte* packed, int j) {
  if (j < 4) return {load_u8(packed + j) & 63, load_u8(packed + j + 4) & 63};
  const uint32_t low = load_u8(packed + j + 4);
  return {(low & 15) | (load_u8(packed + j - 4) >> 6) << 4, low >> 4 | (load_u8(packed + j) >> 6) << 4};
}

/// scale, min: [8], each 0..63.
inline void store_k_scales(const uint8_t* scale, const uint8_t* min, std::byte* packed) {
  for (int j = 0; j < 4; ++j) {
    store_u8(packed + j, scale[j] | (scale[j + 4] >> 4) << 6);
    store_u8(packed + j + 4, min[j] | (min[j + 4] >> 4) << 6);
    store_u8(packed + j + 8, (scale[j + 4] & 15) | (min[j + 4] & 15) << 4);
  }
}

}  // namespace tern::formats
