#include "backends/webgpu/repack_blocks.h"

#include "backends/webgpu/planes.h"
#include "formats/bytes.h"
#include "formats/k_scales.h"

namespace tern::backends::webgpu {

namespace {

using formats::load, formats::load_f16, formats::load_i8, formats::load_u8, formats::store, formats::store_f16;

constexpr uint64_t kLowNibbles = 0x0f0f0f0f0f0f0f0f;
constexpr uint64_t kHighNibbles = ~kLowNibbles;

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

/// Scales and minimums of Q4_K and Q5_K, multiplied out as decode_block() does.
void store_k_pairs(const std::byte* block, std::byte* scales) {
  const float d = load_f16(block), d_min = load_f16(block + 2);
  for (int j = 0; j < 8; ++j) {
    const formats::KScale k = formats::load_k_scale(block + 4, j);
    store_f16(scales + j * 4, d * static_cast<float>(k.scale));
    store_f16(scales + j * 4 + 2, -(d_min * static_cast<float>(k.min)));
  }
}

void repack_q4_k(const std::byte* row, uint32_t cols, std::byte* codes, std::byte* scales) {
  for (uint32_t b = 0; b < cols / 256; ++b, row += 144, scales += 32) {
    store_k_pairs(row, scales);
    for (uint32_t p = 0; p < 4; ++p, codes += 32) {
      for (uint32_t i = 0; i < 2; ++i) {
        // Bytes of the file pair weights 32 apart, those of planes 16 apart.
        const auto first = load<uint64_t>(row + 16 + p * 32 + i * 8),
                   second = load<uint64_t>(row + 32 + p * 32 + i * 8);
        store(codes + i * 8, (first & kLowNibbles) | (second & kLowNibbles) << 4);
        store(codes + 16 + i * 8, (first >> 4 & kLowNibbles) | (second & kHighNibbles));
      }
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

/// 32 codes of six bits, eight to a word, as a group of the family q6.
void store_six_bits(const uint64_t (&codes)[4], std::byte* low, std::byte* high) {
  for (uint32_t i = 0; i < 2; ++i) {
    store(low + i * 8, (codes[i] & kLowNibbles) | (codes[i + 2] & kLowNibbles) << 4);
    const uint64_t first = codes[2 * i] >> 4 & bytes_of(3), second = codes[2 * i + 1] >> 4 & bytes_of(3);
    const uint64_t four = first | second << 4;  // words 0 and 2 of the half below, 1 and 3 above
    store(high + i * 4, static_cast<uint32_t>(four | four >> 30));
  }
}

void repack_q6_k(const std::byte* row, uint32_t cols, std::byte* codes, std::byte* scales) {
  std::byte* high_out = codes + q6_high(cols);
  for (uint32_t b = 0; b < cols / 256; ++b, row += 210, scales += 32) {
    const float d = load_f16(row + 208);
    for (uint32_t j = 0; j < 16; ++j) {
      store_f16(scales + j * 2, d * static_cast<float>(load_i8(row + 192 + j)));
    }
    for (uint32_t h = 0; h < 2; ++h) {
      for (uint32_t g = 0; g < 4; ++g, codes += 16, high_out += 8) {
        uint64_t group[4];
        for (uint32_t i = 0; i < 4; ++i) {
          const auto low = load<uint64_t>(row + h * 64 + g % 2 * 32 + i * 8) >> g / 2 * 4;
          const auto high = load<uint64_t>(row + 128 + h * 32 + i * 8) >> 2 * g;
          group[i] = (low & kLowNibbles) | (high & bytes_of(3)) << 4;
        }
        store_six_bits(group, codes, high_out);
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
