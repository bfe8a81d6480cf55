// IEEE binary16 and bfloat16 <-> binary32, in portable integer code: the scalar truth that vector code is tested
// against.
#pragma once

#include <bit>
#include <cstdint>

namespace tern {

/// Exact for every input, subnormals and NaN payloads included. Selects instead of branches, so that loops vectorise.
constexpr float f16_to_f32(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000u) << 16;
  const uint32_t magnitude = h & 0x7fffu;
  // Exponents are rebiased by 127 - 15; all ones stay all ones, which takes the same step again.
  const uint32_t rebiased = (magnitude << 13) + (magnitude < 0x7c00u ? 112u << 23 : 224u << 23);
  // Zero or subnormal: magnitude * 2^-24.
  const uint32_t small = std::bit_cast<uint32_t>(static_cast<float>(static_cast<int32_t>(magnitude)) * 0x1p-24f);
  return std::bit_cast<float>(sign | (magnitude < 0x400u ? small : rebiased));
}

/// Round to nearest even; overflow becomes infinity, NaN stays NaN.
constexpr uint16_t f32_to_f16(float f) {
  const uint32_t bits = std::bit_cast<uint32_t>(f);
  const uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
  const uint32_t abs = bits & 0x7fffffffu;
  if (abs > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u);
  if (abs >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);  // 65520 and above round to infinity
  if (abs < 0x38800000u) {                                               // below 2^-14: subnormal
    // Adding 0.5 shifts the mantissa so that the hardware's rounding to nearest even does the work.
    const float shifted = std::bit_cast<float>(abs) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000u));
  }
  const uint32_t rounded = abs + 0xfffu + ((abs >> 13) & 1u);
  return static_cast<uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
}

constexpr float bf16_to_f32(uint16_t h) {
  return std::bit_cast<float>(static_cast<uint32_t>(h) << 16);
}

/// Round to nearest even; NaN stays NaN.
constexpr uint16_t f32_to_bf16(float f) {
  const uint32_t bits = std::bit_cast<uint32_t>(f);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

}  // namespace tern
