#include "backends/webgpu/repack_blocks.h"

#include <algorithm>
#include <array>
#include <bit>

#include "backends/webgpu/planes.h"
#include "base/half.h"
#include "formats/bytes.h"

namespace tern::backends::webgpu {

namespace {

using formats::load, formats::load_f16, formats::store;

constexpr uint64_t kLowNibbles = 0x0f0f0f0f0f0f0f0f;

/// The same byte eight times.
constexpr uint64_t bytes_of(uint8_t byte) {
  return uint64_t{0x0101010101010101} * byte;
}

/// Bit i of the low eight of `bits` as byte i, 0 or 1: the product puts all of them into each byte, the mask leaves bit
/// i of byte i, and what is added carries it to bit 7 and never beyond.
uint64_t spread(uint32_t bits) {
  const uint64_t picked = bytes_of(1) * (bits & 0xff) & 0x8040201008040201;
  return (picked + 0x00406070787c7e7f) >> 7 & bytes_of(1);
}

/// code - `bias` of eight codes below 128, each a signed byte: no byte borrows from the next.
uint64_t less(uint64_t codes, uint8_t bias) {
  return ((codes | bytes_of(0x80)) - bytes_of(bias)) ^ bytes_of(0x80);
}

template <size_t kBytes>
void copy(std::byte* to, const std::byte* from) {
  std::memcpy(to, from, kBytes);
}

/// Blocks of 32 of which codes and scales lie in planes as in the file: Q4_0, Q4_1, Q8_0.
template <size_t kScale, size_t kCodes>
void repack_as_is(const std::byte* row, uint32_t cols, std::byte* codes, std::byte* scales) {
  for (uint32_t b = 0; b < cols / 32; ++b) {
    copy<kScale>(scales + b * kScale, row);
    copy<kCodes>(codes + b * kCodes, row + kScale);
    row += kScale + kCodes;
  }
}

/// Blocks of 32 with nibbles and a fifth bit, to bytes less `kBias`: Q5_0, Q5_1.
template <size_t kScale, uint8_t kBias>
void repack_five_bits(const std::byte* row, uint32_t cols, std::byte* codes, std::byte* scales) {
  for (uint32_t b = 0; b < cols / 32; ++b, row += kScale + 20, codes += 32) {
    copy<kScale>(scales + b * kScale, row);
    const auto high = load<uint32_t>(row + kScale);
    for (uint32_t i = 0; i < 2; ++i) {
      const auto pairs = load<uint64_t>(row + kScale + 4 + i * 8);
      store(codes + i * 8, less((pairs & kLowNibbles) | spread(high >> i * 8) << 4, kBias));
      store(codes + 16 + i * 8, less((pairs >> 4 & kLowNibbles) | spread(high >> (16 + i * 8)) << 4, kBias));
    }
  }
}

/// Sixteen bytes: loops over them are one instruction where there are vectors.
using Sixteen = std::array<uint8_t, 16>;

/// Scales and minimums of Q4_K and Q5_K (k_scales.h), multiplied out as decode_block() does.
void store_k_pairs(const std::byte* block, std::byte* scales) {
  constexpr uint32_t kSix = 0x3f3f3f3f, kFour = 0x0f0f0f0f, kHigh = 0x30303030;
  const auto a = load<uint32_t>(block + 4), b = load<uint32_t>(block + 8), c = load<uint32_t>(block + 12);
  const std::array<uint32_t, 4> words{a & kSix, (c & kFour) | (a >> 2 & kHigh), b & kSix,
                                      (c >> 4 & kFour) | (b >> 2 & kHigh)};
  const auto bytes = std::bit_cast<Sixteen>(words);  // scales, then minimums
  std::array<float, 16> factors;
  std::fill_n(factors.begin(), 8, load_f16(block));
  std::fill_n(factors.begin() + 8, 8, -load_f16(block + 2));
  std::array<uint16_t, 16> halves, pairs;
  for (size_t j = 0; j < 16; ++j) halves[j] = f32_to_f16(factors[j] * static_cast<float>(bytes[j]));
  for (size_t j = 0; j < 16; ++j) pairs[j] = halves[j / 2 + j % 2 * 8];
  store(scales, pairs);
}

void repack_q4_k(const std::byte* row, uint32_t cols, std::byte* codes, std::byte* scales) {
  for (uint32_t b = 0; b < cols / 256; ++b, row += 144, scales += 32) {
    store_k_pairs(row, scales);
    for (uint32_t p = 0; p < 4; ++p, codes += 32) {
      // Bytes of the file pair weights 32 apart, those of planes 16 apart.
      const auto first = load<Sixteen>(row + 16 + p * 32), second = load<Sixteen>(row + 32 + p * 32);
      Sixteen low, high;
      for (size_t i = 0; i < 16; ++i) {
        low[i] = static_cast<uint8_t>((first[i] & 15) | second[i] << 4);
        high[i] = static_cast<uint8_t>(first[i] >> 4 | (second[i] & 0xf0));
      }
      store(codes, low);
      store(codes + 16, high);
    }
  }
}

void repack_q5_k(const std::byte* row, uint32_t cols, std::byte* codes, std::byte* scales) {
  for (uint32_t b = 0; b < cols / 256; ++b, row += 176, scales += 32, codes += 256) {
    store_k_pairs(row, scales);
    for (uint32_t i = 0; i < 32; i += 8) {
      const auto high = load<uint64_t>(row + 16 + i);
      for (uint32_t p = 0; p < 4; ++p) {
        const auto pairs = load<uint64_t>(row + 48 + p * 32 + i);
        store(codes + p * 64 + i, (pairs & kLowNibbles) | (high >> 2 * p & bytes_of(1)) << 4);
        store(codes + p * 64 + 32 + i, (pairs >> 4 & kLowNibbles) | (high >> (2 * p + 1) & bytes_of(1)) << 4);
      }
    }
  }
}

void repack_q6_k(const std::byte* row, uint32_t cols, std::byte* codes, std::byte* scales) {
  std::byte* high_out = codes + q6_high(cols);
  for (uint32_t block = 0; block < cols / 256; ++block, row += 210, scales += 32) {
    const float d = load_f16(row + 208);
    const auto by = load<std::array<int8_t, 16>>(row + 192);
    std::array<uint16_t, 16> scale;
    for (size_t j = 0; j < 16; ++j) scale[j] = f32_to_f16(d * static_cast<float>(by[j]));
    store(scales, scale);
    for (uint32_t h = 0; h < 2; ++h) {
      for (uint32_t g = 0; g < 4; ++g, codes += 16, high_out += 8) {
        const std::byte* low = row + h * 64 + g % 2 * 32;
        const auto first = load<Sixteen>(low), second = load<Sixteen>(low + 16);
        const uint32_t shift = g / 2 * 4;
        Sixteen nibbles;
        for (size_t i = 0; i < 16; ++i) {
          nibbles[i] = static_cast<uint8_t>((first[i] >> shift & 15) | (second[i] >> shift & 15) << 4);
        }
        store(codes, nibbles);
        for (uint32_t i = 0; i < 2; ++i) {
          const std::byte* high = row + 128 + h * 32 + i * 16;
          const uint64_t a = load<uint64_t>(high) >> 2 * g & bytes_of(3);
          const uint64_t b = load<uint64_t>(high + 8) >> 2 * g & bytes_of(3);
          const uint64_t four = a | b << 4;  // words 0 and 2 of the half below, 1 and 3 above
          store(high_out + i * 4, static_cast<uint32_t>(four | four >> 30));
        }
      }
    }
  }
}

}  // namespace

RepackRow block_repack(Format format) {
  switch (format) {
    case Format::kQ4_0:
      return repack_as_is<2, 16>;
    case Format::kQ4_1:
      return repack_as_is<4, 16>;
    case Format::kQ8_0:
      return repack_as_is<2, 32>;
    case Format::kQ5_0:
      return repack_five_bits<2, 16>;
    case Format::kQ5_1:
      return repack_five_bits<4, 0>;
    case Format::kQ4_K:
      return repack_q4_k;
    case Format::kQ5_K:
      return repack_q5_k;
    case Format::kQ6_K:
      return repack_q6_k;
    default:
      return nullptr;
  }
}

}  // namespace tern::backends::webgpu
