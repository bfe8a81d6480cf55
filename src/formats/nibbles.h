// The 32-weight formats of GGUF share how codes lie in bytes: byte i of 16 holds weight i in its low nibble and weight
// i + 16 in its high nibble; a fifth bit of weight i is bit i of a little-endian u32.
#pragma once

#include <cmath>

#include "formats/bytes.h"

namespace tern::formats {

inline constexpr int kNibbleBlock = 32;

/// codes: [32], 0..15. packed: [16].
inline void load_nibbles(const std::byte* packed, uint8_t* codes) {
  for (int i = 0; i < kNibbleBlock / 2; ++i) {
    codes[i] = static_cast<uint8_t>(load_u8(packed + i) & 15);
    codes[i + kNibbleBlock / 2] = static_cast<uint8_t>(load_u8(packed + i) >> 4);
  }
}

/// codes: [32], of which the low four bits are stored. packed: [16].
inline void store_nibbles(const uint8_t* codes, std::byte* packed) {
  for (int i = 0; i < kNibbleBlock / 2; ++i) {
    store_u8(packed + i, (codes[i] & 15) | (codes[i + kNibbleBlock / 2] & 15) << 4);
  }
}

/// Bit 4 of codes: [32], each 0..31, as one u32.
inline uint32_t fifth_bits(const uint8_t* codes) {
  uint32_t bits = 0;
  for (int i = 0; i < kNibbleBlock; ++i) bits |= static_cast<uint32_t>(codes[i] >> 4 & 1) << i;
  return bits;
}

/// The value of largest magnitude, with its sign; the first of equals. w: [32].
inline float signed_extreme(const float* w) {
  float extreme = w[0];
  for (int i = 1; i < kNibbleBlock; ++i) {
    if (std::fabs(w[i]) > std::fabs(extreme)) extreme = w[i];
  }
  return extreme;
}

struct Range {
  float min, max;
};

/// w: [n].
inline Range range_of(const float* w, int n) {
  Range range{w[0], w[0]};
  for (int i = 1; i < n; ++i) {
    range.min = w[i] < range.min ? w[i] : range.min;
    range.max = w[i] > range.max ? w[i] : range.max;
  }
  return range;
}

/// 1 / d, and 0 for 0.
inline float inverse_or_zero(float d) {
  return d == 0 ? 0.0f : 1.0f / d;
}

}  // namespace tern::formats
