// Repacking of formats whose scales belong to 32 columns or more and lie in their blocks one by one; the others, and
// what calls all of them, are in repack.cc, which alone includes this.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>

#include "backends/cpu/panels.h"
#include "formats/format.h"
#include "formats/nibbles.h"

namespace tern::backends::cpu::repack {

using formats::load;
using formats::store;
inline constexpr uint32_t kLine = 64;

// Codes of 32 columns <-> lines, for lane r. Four codes are handled at a time, as one u32.

inline void put_nibbles(const uint8_t* codes, std::byte* lines, uint32_t r) {
  for (uint32_t l = 0; l < 4; ++l) {
    uint32_t half[2];
    std::memcpy(half, codes + 8 * l, 8);
    store(lines + kLine * l + 4 * r, (half[0] & 0x0f0f0f0f) | (half[1] & 0x0f0f0f0f) << 4);
  }
}
inline void get_nibbles(const std::byte* lines, uint32_t r, uint8_t* codes) {
  for (uint32_t l = 0; l < 4; ++l) {
    const auto both = load<uint32_t>(lines + kLine * l + 4 * r);
    const uint32_t half[2] = {both & 0x0f0f0f0f, both >> 4 & 0x0f0f0f0f};
    std::memcpy(codes + 8 * l, half, 8);
  }
}

inline void put_bits(const uint8_t* codes, std::byte* line, uint32_t r) {
  uint32_t bits = 0;
  for (uint32_t s = 0; s < 8; ++s) {
    uint32_t four;
    std::memcpy(&four, codes + 4 * s, 4);
    bits |= (four >> 4 & 0x01010101) << s;
  }
  store(line + 4 * r, bits);
}
inline void add_bits(const std::byte* line, uint32_t r, uint8_t* codes) {
  const auto bits = load<uint32_t>(line + 4 * r);
  for (uint32_t i = 0; i < 32; ++i) codes[i] |= static_cast<uint8_t>((bits >> (8 * (i % 4) + i / 4) & 1) << 4);
}

/// 16 codes of six bits: two lines of nibbles and one of pairs.
inline void put_six(const uint8_t* codes, std::byte* lines, uint32_t r) {
  uint32_t pairs = 0, four[4];
  std::memcpy(four, codes, 16);
  for (uint32_t s = 0; s < 4; ++s) pairs |= (four[s] >> 4 & 0x03030303) << 2 * s;
  store(lines + 4 * r, (four[0] & 0x0f0f0f0f) | (four[1] & 0x0f0f0f0f) << 4);
  store(lines + kLine + 4 * r, (four[2] & 0x0f0f0f0f) | (four[3] & 0x0f0f0f0f) << 4);
  store(lines + 2 * kLine + 4 * r, pairs);
}
inline void get_six(const std::byte* lines, uint32_t r, uint8_t* codes) {
  const auto pairs = load<uint32_t>(lines + 2 * kLine + 4 * r);
  for (uint32_t s = 0; s < 4; ++s) {
    const uint32_t low = load<uint32_t>(lines + kLine * (s / 2) + 4 * r) >> 4 * (s % 2) & 0x0f0f0f0f;
    const uint32_t four = low | (pairs >> 2 * s & 0x03030303) << 4;
    std::memcpy(codes + 4 * s, &four, 4);
  }
}

inline void copy_half(std::byte* to, const std::byte* from) {
  std::memcpy(to, from, 2);
}

// The same for all 16 lanes at once, at several times the speed: loops over lanes vectorise.

using Words = std::array<uint32_t, kPanelRows>;  // four codes of each row

/// Word `w` of the codes of 16 rows, `stride` bytes apart.
inline Words load_words(const std::byte* codes, uint64_t stride, uint32_t w) {
  Words out;
  for (uint32_t r = 0; r < kPanelRows; ++r) out[r] = load<uint32_t>(codes + r * stride + 4 * w);
  return out;
}
/// Nibbles of `shift` (0: the low ones) of two words, as a line.
inline void put_line(const Words& low, const Words& high, uint32_t shift, std::byte* line) {
  Words out;
  for (uint32_t r = 0; r < kPanelRows; ++r) {
    out[r] = (low[r] >> shift & 0x0f0f0f0f) | (high[r] >> shift & 0x0f0f0f0f) << 4;
  }
  std::memcpy(line, out.data(), kLine);
}
inline void put_halves(const std::byte* from, uint64_t stride, std::byte* line) {
  for (uint32_t r = 0; r < kPanelRows; ++r) copy_half(line + 2 * r, from + r * stride);
}

/// Header: a line of 2 x 16 f16 scales, and where there are minimums another one of them.
/// Formats of 32 columns in nibbles, by where the file has what.
template <uint32_t kBytes, uint32_t kMin, uint32_t kBits, uint32_t kCodes>
struct Nibbles32 {
  static constexpr uint32_t kFileBlock = 32, kFileBytes = kBytes;
  static constexpr uint32_t kHeader = kMin ? 2 * kLine : kLine, kGroup = (kBits ? 5 : 4) * kLine;
  static constexpr PanelFormat kPanel{64, kHeader + 2 * kGroup, 1024};

  static void to_panel(const std::byte* file, uint32_t, std::byte* block, uint32_t i, uint32_t r) {
    copy_half(block + 32 * i + 2 * r, file);
    if constexpr (kMin > 0) copy_half(block + kLine + 32 * i + 2 * r, file + kMin);
    uint8_t codes[32];
    formats::load_nibbles(file + kCodes, codes);
    std::byte* lines = block + kHeader + kGroup * i;
    put_nibbles(codes, lines, r);
    if constexpr (kBits > 0) {
      const auto bits = load<uint32_t>(file + kBits);
      for (uint32_t k = 0; k < 32; ++k) codes[k] = static_cast<uint8_t>((bits >> k & 1) << 4);
      put_bits(codes, lines + 4 * kLine, r);
    }
  }
  /// 16 rows, `stride` bytes apart.
  static void rows_to_panel(const std::byte* file, uint64_t stride, std::byte* block, uint32_t i)
    requires(kBits == 0)
  {
    put_halves(file, stride, block + 32 * i);
    if constexpr (kMin > 0) put_halves(file + kMin, stride, block + kLine + 32 * i);
    std::byte* lines = block + kHeader + kGroup * i;
    for (uint32_t half = 0; half < 2; ++half) {
      const Words low = load_words(file + kCodes, stride, 2 * half),
                  high = load_words(file + kCodes, stride, 2 * half + 1);
      put_line(low, high, 0, lines + kLine * half);
      put_line(low, high, 4, lines + kLine * (2 + half));
    }
  }
  static void from_panel(const std::byte* block, uint32_t i, uint32_t r, std::byte* file, uint32_t) {
    copy_half(file, block + 32 * i + 2 * r);
    if constexpr (kMin > 0) copy_half(file + kMin, block + kLine + 32 * i + 2 * r);
    uint8_t codes[32];
    const std::byte* lines = block + kHeader + kGroup * i;
    get_nibbles(lines, r, codes);
    if constexpr (kBits > 0) {
      add_bits(lines + 4 * kLine, r, codes);
      store(file + kBits, formats::fifth_bits(codes));
    }
    formats::store_nibbles(codes, file + kCodes);
  }
};
using Q4_0 = Nibbles32<18, 0, 0, 2>;  // IQ4_NL as well
using Q4_1 = Nibbles32<20, 2, 0, 4>;
using Q5_0 = Nibbles32<22, 0, 2, 6>;
using Q5_1 = Nibbles32<24, 2, 4, 8>;

/// As Q4_0, but the scale's exponent becomes a bf16, which holds all of them.
struct MXFP4 : Nibbles32<17, 0, 0, 1> {
  static void to_panel(const std::byte* file, uint32_t n, std::byte* block, uint32_t i, uint32_t r) {
    Nibbles32::to_panel(file, n, block, i, r);
    put_scale(file, block, i, r);
  }
  static void rows_to_panel(const std::byte* file, uint64_t stride, std::byte* block, uint32_t i) {
    Nibbles32::rows_to_panel(file, stride, block, i);
    for (uint32_t r = 0; r < kPanelRows; ++r) put_scale(file + r * stride, block, i, r);
  }
  static void put_scale(const std::byte* file, std::byte* block, uint32_t i, uint32_t r) {
    const uint32_t e = formats::load_u8(file);
    store(block + 32 * i + 2 * r, static_cast<uint16_t>(e < 2 ? 0x20u << e : (e - 1) << 7));
  }
  static void from_panel(const std::byte* block, uint32_t i, uint32_t r, std::byte* file, uint32_t n) {
    Nibbles32::from_panel(block, i, r, file, n);
    const uint32_t half = load<uint16_t>(block + 32 * i + 2 * r);
    formats::store_u8(file, half < 0x80 ? half >> 6 : (half >> 7) + 1);
  }
};

/// Codes + 128, so that they are unsigned.
struct Q8_0 {
  static constexpr uint32_t kFileBlock = 32, kFileBytes = 34, kGroup = 8 * kLine;
  static constexpr PanelFormat kPanel{64, kLine + 2 * kGroup, 512};
  static void to_panel(const std::byte* file, uint32_t, std::byte* block, uint32_t i, uint32_t r) {
    copy_half(block + 32 * i + 2 * r, file);
    for (uint32_t l = 0; l < 8; ++l) {
      store(block + kLine + kGroup * i + kLine * l + 4 * r, load<uint32_t>(file + 2 + 4 * l) ^ 0x80808080);
    }
  }
  static void rows_to_panel(const std::byte* file, uint64_t stride, std::byte* block, uint32_t i) {
    put_halves(file, stride, block + 32 * i);
    for (uint32_t l = 0; l < 8; ++l) {
      Words words = load_words(file + 2, stride, l);
      for (uint32_t& word : words) word ^= 0x80808080;
      std::memcpy(block + kLine + kGroup * i + kLine * l, words.data(), kLine);
    }
  }
  static void from_panel(const std::byte* block, uint32_t i, uint32_t r, std::byte* file, uint32_t) {
    copy_half(file, block + 32 * i + 2 * r);
    for (uint32_t l = 0; l < 8; ++l) {
      store(file + 2 + 4 * l, load<uint32_t>(block + kLine + kGroup * i + kLine * l + 4 * r) ^ 0x80808080);
    }
  }
};

/// Header: 16 f16 scales, 16 u8 zero points.
struct AWQ {
  static constexpr uint32_t kFileBlock = 128, kFileBytes = 68, kGroup = 4 * kLine;
  static constexpr PanelFormat kPanel{128, kLine + 4 * kGroup, 1024};
  static void to_panel(const std::byte* file, uint32_t, std::byte* block, uint32_t, uint32_t r) {
    copy_half(block + 2 * r, file);
    block[32 + r] = file[2];
    for (uint32_t g = 0; g < 4; ++g) {
      uint8_t codes[32];
      for (uint32_t k = 0; k < 32; ++k) {
        codes[k] = static_cast<uint8_t>(formats::load_u8(file + 4 + 32 * (g % 2) + k) >> 4 * (g / 2) & 15);
      }
      put_nibbles(codes, block + kLine + kGroup * g, r);
    }
  }
  static void from_panel(const std::byte* block, uint32_t, uint32_t r, std::byte* file, uint32_t) {
    std::fill_n(file, kFileBytes, std::byte{0});
    copy_half(file, block + 2 * r);
    file[2] = block[32 + r];
    for (uint32_t g = 0; g < 4; ++g) {
      uint8_t codes[32];
      get_nibbles(block + kLine + kGroup * g, r, codes);
      for (uint32_t k = 0; k < 32; ++k) file[4 + 32 * (g % 2) + k] |= std::byte(codes[k] << 4 * (g / 2));
    }
  }
};

}  // namespace tern::backends::cpu::repack
