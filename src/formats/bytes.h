// What a format header needs to read and write its blocks: little-endian loads and stores that do not care about
// alignment, and rounding to an integer code. Everything is inline, so that decode_block() vectorises where it is used.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/half.h"

namespace tern::formats {

static_assert(std::endian::native == std::endian::little, "Weights are stored little endian and read in place.");

inline uint32_t load_u8(const std::byte* p) {
  return std::to_integer<uint32_t>(*p);
}
inline int32_t load_i8(const std::byte* p) {
  return static_cast<int8_t>(std::to_integer<uint8_t>(*p));
}

template <class T>
T load(const std::byte* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}
inline float load_f16(const std::byte* p) {
  return f16_to_f32(load<uint16_t>(p));
}

template <class T>
void store(std::byte* p, T value) {
  std::memcpy(p, &value, sizeof value);
}
inline void store_u8(std::byte* p, uint32_t value) {
  *p = static_cast<std::byte>(value);
}
inline void store_f16(std::byte* p, float value) {
  store(p, f32_to_f16(value));
}

/// The integer of [lo, hi] nearest to x, ties to even; NaN gives lo. |lo|, |hi| < 2^22. Adding 1.5 * 2^23 leaves the
/// rounded integer in the low bits of the sum: the plain library call does not vectorise on baseline x86-64.
inline int32_t nearest(float x, int32_t lo, int32_t hi) {
  const float low = static_cast<float>(lo), high = static_cast<float>(hi);
  const float clamped = x > low ? (x < high ? x : high) : low;
  return std::bit_cast<int32_t>(clamped + 0x1.8p23f) - 0x4b400000;
}

/// As nearest(), but x is cut to the integer below it. For 0 <= lo.
inline uint32_t truncated(float x, uint32_t lo, uint32_t hi) {
  const float low = static_cast<float>(lo), high = static_cast<float>(hi);
  return static_cast<uint32_t>(x > low ? (x < high ? x : high) : low);
}

}  // namespace tern::formats
