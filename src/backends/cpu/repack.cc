// From the blocks of model files (formats/types/) to panels and back. Each struct below is one format: to_panel moves
// the `i`-th file block of a panel's block into lane r, from_panel is its inverse, so nothing of a weight is lost.
#include <algorithm>
#include <array>
#include <cstring>

#include "backends/cpu/repack_groups.h"
#include "formats/k_scales.h"

namespace tern::backends::cpu {

using namespace repack;

namespace {

/// Q4_K and Q5_K. Header: 16 f16 d and 16 f16 dmin; three lines of four fields a lane, the low six bits being scales
/// 0..3, scales 4..7, minimums 0..3, and the high two bits of the three together minimums 4..7 (from the lowest up).
template <uint32_t kBits>
struct K32 {
  static constexpr uint32_t kFileBlock = 256, kFileBytes = kBits ? 176 : 144, kCodes = kBits ? 48 : 16;
  static constexpr uint32_t kHeader = 4 * kLine, kGroup = (kBits ? 5 : 4) * kLine;
  static constexpr PanelFormat kPanel{256, kHeader + 8 * kGroup, 1024};
  static void put_header(const std::byte* file, std::byte* block, uint32_t r) {
    copy_half(block + 2 * r, file);
    copy_half(block + 32 + 2 * r, file + 2);
    for (int b = 0; b < 4; ++b) {
      const auto first = formats::load_k_scale(file + 4, b), last = formats::load_k_scale(file + 4, 4 + b);
      std::byte* fields = block + kLine + 4 * r + b;
      formats::store_u8(fields, first.scale | (last.min & 3) << 6);
      formats::store_u8(fields + kLine, last.scale | (last.min >> 2 & 3) << 6);
      formats::store_u8(fields + 2 * kLine, first.min | (last.min >> 4) << 6);
    }
  }
  static void to_panel(const std::byte* file, uint32_t, std::byte* block, uint32_t, uint32_t r) {
    put_header(file, block, r);
    for (uint32_t j = 0; j < 8; ++j) {
      uint8_t codes[32];
      for (uint32_t k = 0; k < 32; ++k) {
        codes[k] = static_cast<uint8_t>(formats::load_u8(file + kCodes + 32 * (j / 2) + k) >> 4 * (j % 2) & 15);
      }
      std::byte* lines = block + kHeader + kGroup * j;
      put_nibbles(codes, lines, r);
      if constexpr (kBits > 0) {
        for (uint32_t k = 0; k < 32; ++k) {
          codes[k] = static_cast<uint8_t>((formats::load_u8(file + kBits + k) >> j & 1) << 4);
        }
        put_bits(codes, lines + 4 * kLine, r);
      }
    }
  }
  static void rows_to_panel(const std::byte* file, uint64_t stride, std::byte* block, uint32_t) {
    for (uint32_t r = 0; r < kPanelRows; ++r) put_header(file + r * stride, block, r);
    for (uint32_t pair = 0; pair < 4; ++pair) {
      std::byte* lines = block + kHeader + 2 * kGroup * pair;
      for (uint32_t l = 0; l < 4; ++l) {
        const std::byte* codes = file + kCodes + 32 * pair + 8 * l;
        const Words low = load_words(codes, stride, 0), high = load_words(codes, stride, 1);
        put_line(low, high, 0, lines + kLine * l);
        put_line(low, high, 4, lines + kGroup + kLine * l);
      }
    }
    if constexpr (kBits > 0) {
      Words bits[8] = {};  // index: group
      for (uint32_t s = 0; s < 8; ++s) {
        const Words words = load_words(file + kBits, stride, s);
        for (uint32_t j = 0; j < 8; ++j) {
          for (uint32_t r = 0; r < kPanelRows; ++r) bits[j][r] |= (words[r] >> j & 0x01010101) << s;
        }
      }
      for (uint32_t j = 0; j < 8; ++j) std::memcpy(block + kHeader + kGroup * j + 4 * kLine, bits[j].data(), kLine);
    }
  }
  static void from_panel(const std::byte* block, uint32_t, uint32_t r, std::byte* file, uint32_t) {
    std::fill_n(file, kFileBytes, std::byte{0});
    copy_half(file, block + 2 * r);
    copy_half(file + 2, block + 32 + 2 * r);
    uint8_t scale[8], min[8];
    for (uint32_t b = 0; b < 4; ++b) {
      const std::byte* fields = block + kLine + 4 * r + b;
      const uint32_t x = formats::load_u8(fields), y = formats::load_u8(fields + kLine),
                     z = formats::load_u8(fields + 2 * kLine);
      scale[b] = x & 63, scale[4 + b] = y & 63, min[b] = z & 63;
      min[4 + b] = static_cast<uint8_t>(x >> 6 | y >> 6 << 2 | z >> 6 << 4);
    }
    formats::store_k_scales(scale, min, file + 4);
    for (uint32_t j = 0; j < 8; ++j) {
      uint8_t codes[32];
      const std::byte* lines = block + kHeader + kGroup * j;
      get_nibbles(lines, r, codes);
      for (uint32_t k = 0; k < 32; ++k) file[kCodes + 32 * (j / 2) + k] |= std::byte(codes[k] << 4 * (j % 2));
      if constexpr (kBits > 0) {
        add_bits(lines + 4 * kLine, r, codes);
        for (uint32_t k = 0; k < 32; ++k) file[kBits + k] |= std::byte((codes[k] >> 4) << j);
      }
    }
  }
};
using Q4_K = K32<0>;
using Q5_K = K32<16>;

/// Header: 16 f16 d, half a line unused, then lines of four int8 scales a lane.
struct Q6_K {
  static constexpr uint32_t kFileBlock = 256, kFileBytes = 210, kHeader = 5 * kLine, kGroup = 3 * kLine;
  static constexpr PanelFormat kPanel{256, kHeader + 16 * kGroup, 1024};
  static uint32_t low(uint32_t j) { return 64 * (j / 8) + 16 * (j % 4); }
  static uint32_t high(uint32_t j) { return 128 + 32 * (j / 8) + 16 * (j % 2); }
  static void to_panel(const std::byte* file, uint32_t, std::byte* block, uint32_t, uint32_t r) {
    copy_half(block + 2 * r, file + 208);
    for (uint32_t l = 0; l < 4; ++l) std::memcpy(block + kLine * (1 + l) + 4 * r, file + 192 + 4 * l, 4);
    for (uint32_t j = 0; j < 16; ++j) {
      uint8_t codes[16];
      const uint32_t low_shift = 4 * (j / 4 % 2), high_shift = 2 * (j / 2 % 4);
      for (uint32_t k = 0; k < 16; ++k) {
        codes[k] = static_cast<uint8_t>((formats::load_u8(file + low(j) + k) >> low_shift & 15) |
                                        (formats::load_u8(file + high(j) + k) >> high_shift & 3) << 4);
      }
      put_six(codes, block + kHeader + kGroup * j, r);
    }
  }
  static void rows_to_panel(const std::byte* file, uint64_t stride, std::byte* block, uint32_t) {
    put_halves(file + 208, stride, block);
    for (uint32_t l = 0; l < 4; ++l) {
      const Words scales = load_words(file + 192, stride, l);
      std::memcpy(block + kLine * (1 + l), scales.data(), kLine);
    }
    for (uint32_t j = 0; j < 16; ++j) {
      const uint32_t low_shift = 4 * (j / 4 % 2), high_shift = 2 * (j / 2 % 4);
      std::byte* lines = block + kHeader + kGroup * j;
      Words pairs{};
      for (uint32_t s = 0; s < 4; ++s) {
        const Words words = load_words(file + high(j), stride, s);
        for (uint32_t r = 0; r < kPanelRows; ++r) pairs[r] |= (words[r] >> high_shift & 0x03030303) << 2 * s;
      }
      for (uint32_t half = 0; half < 2; ++half) {
        put_line(load_words(file + low(j), stride, 2 * half), load_words(file + low(j), stride, 2 * half + 1),
                 low_shift, lines + kLine * half);
      }
      std::memcpy(lines + 2 * kLine, pairs.data(), kLine);
    }
  }
  static void from_panel(const std::byte* block, uint32_t, uint32_t r, std::byte* file, uint32_t) {
    std::fill_n(file, kFileBytes, std::byte{0});
    copy_half(file + 208, block + 2 * r);
    for (uint32_t l = 0; l < 4; ++l) std::memcpy(file + 192 + 4 * l, block + kLine * (1 + l) + 4 * r, 4);
    for (uint32_t j = 0; j < 16; ++j) {
      uint8_t codes[16];
      get_six(block + kHeader + kGroup * j, r, codes);
      for (uint32_t k = 0; k < 16; ++k) {
        file[low(j) + k] |= std::byte((codes[k] & 15) << 4 * (j / 4 % 2));
        file[high(j) + k] |= std::byte((codes[k] >> 4) << 2 * (j / 2 % 4));
      }
    }
  }
};

/// Codes of three bits as nibbles. Header as Q6_K's.
struct Q3_K {
  static constexpr uint32_t kFileBlock = 256, kFileBytes = 110, kHeader = 5 * kLine, kGroup = 4 * kLine;
  static constexpr PanelFormat kPanel{256, kHeader + 8 * kGroup, 1024};
  static void to_panel(const std::byte* file, uint32_t, std::byte* block, uint32_t, uint32_t r) {
    copy_half(block + 2 * r, file + 108);
    for (uint32_t j = 0; j < 16; ++j) {
      const uint32_t low = formats::load_u8(file + 96 + j % 8) >> 4 * (j / 8) & 15;
      const uint32_t high = formats::load_u8(file + 104 + j % 4) >> 2 * (j / 4) & 3;
      formats::store_u8(block + kLine * (1 + j / 4) + 4 * r + j % 4, (low | high << 4) - 32);
    }
    for (uint32_t g = 0; g < 8; ++g) {
      uint8_t codes[32];
      for (uint32_t k = 0; k < 32; ++k) {
        codes[k] = static_cast<uint8_t>((formats::load_u8(file + 32 + 32 * (g / 4) + k) >> 2 * (g % 4) & 3) |
                                        (formats::load_u8(file + k) >> g & 1) << 2);
      }
      put_nibbles(codes, block + kHeader + kGroup * g, r);
    }
  }
  static void from_panel(const std::byte* block, uint32_t, uint32_t r, std::byte* file, uint32_t) {
    std::fill_n(file, kFileBytes, std::byte{0});
    copy_half(file + 108, block + 2 * r);
    for (uint32_t j = 0; j < 16; ++j) {
      const uint32_t scale = (formats::load_u8(block + kLine * (1 + j / 4) + 4 * r + j % 4) + 32) & 63;
      file[96 + j % 8] |= std::byte((scale & 15) << 4 * (j / 8));
      file[104 + j % 4] |= std::byte((scale >> 4) << 2 * (j / 4));
    }
    for (uint32_t g = 0; g < 8; ++g) {
      uint8_t codes[32];
      get_nibbles(block + kHeader + kGroup * g, r, codes);
      for (uint32_t k = 0; k < 32; ++k) {
        file[32 + 32 * (g / 4) + k] |= std::byte((codes[k] & 3) << 2 * (g % 4));
        file[k] |= std::byte((codes[k] >> 2 & 1) << g);
      }
    }
  }
};

/// Header: 16 f16 d, half a line unused, two lines of four int8 scales a lane.
struct IQ4_XS {
  static constexpr uint32_t kFileBlock = 256, kFileBytes = 136, kHeader = 3 * kLine, kGroup = 4 * kLine;
  static constexpr PanelFormat kPanel{256, kHeader + 8 * kGroup, 1024};
  static void to_panel(const std::byte* file, uint32_t, std::byte* block, uint32_t, uint32_t r) {
    copy_half(block + 2 * r, file);
    const uint32_t high = load<uint16_t>(file + 2);
    for (uint32_t j = 0; j < 8; ++j) {
      const uint32_t scale = (formats::load_u8(file + 4 + j / 2) >> 4 * (j % 2) & 15) | (high >> 2 * j & 3) << 4;
      formats::store_u8(block + kLine * (1 + j / 4) + 4 * r + j % 4, scale - 32);
      uint8_t codes[32];
      formats::load_nibbles(file + 8 + 16 * j, codes);
      put_nibbles(codes, block + kHeader + kGroup * j, r);
    }
  }
  static void from_panel(const std::byte* block, uint32_t, uint32_t r, std::byte* file, uint32_t) {
    std::fill_n(file, kFileBytes, std::byte{0});
    copy_half(file, block + 2 * r);
    uint32_t high = 0;
    for (uint32_t j = 0; j < 8; ++j) {
      const uint32_t scale = (formats::load_u8(block + kLine * (1 + j / 4) + 4 * r + j % 4) + 32) & 63;
      file[4 + j / 2] |= std::byte((scale & 15) << 4 * (j % 2));
      high |= scale >> 4 << 2 * j;
      uint8_t codes[32];
      get_nibbles(block + kHeader + kGroup * j, r, codes);
      formats::store_nibbles(codes, file + 8 + 16 * j);
    }
    store(file + 2, static_cast<uint16_t>(high));
  }
};

typedef int32_t Lanes __attribute__((vector_size(16)));

/// f32_to_bf16(f16_to_f32(half)) of lanes that hold a half each: GCC 12 does not vectorise the functions of base/half.h
/// (1.1 GB/s instead of 3.6).
inline Lanes bf16_of_f16(Lanes half) {
  typedef float Floats __attribute__((vector_size(16)));
  const Lanes size = half & 0x7fff;
  const auto small = reinterpret_cast<Lanes>(__builtin_convertvector(size, Floats) * 0x1p-24f);
  const Lanes bits = size < 0x400 ? small : (size << 13) + (112 << 23);  // of the f32, where it is finite
  const Lanes rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  const Lanes special = size >> 3 | 0x7f80 | ((size > 0x7c00) & 0x40);
  return (half & 0x8000) | (size < 0x7c00 ? rounded : special);
}

/// 32 columns, the last block of a row being shorter. No header.
template <bool kIsF16>
struct Halves {
  static constexpr uint32_t kFileBlock = 32, kFileBytes = 64;
  static constexpr PanelFormat kPanel{32, 16 * kLine, 512};
  static void to_panel(const std::byte* file, uint32_t n, std::byte* block, uint32_t, uint32_t r) {
    for (uint32_t k = 0; k < n; ++k) {
      auto half = load<uint16_t>(file + 2 * k);
      if constexpr (kIsF16) half = f32_to_bf16(f16_to_f32(half));
      store(block + kLine * (k / 2) + 4 * r + 2 * (k % 2), half);
    }
  }
  /// By way of a copy: rows may lie 2^n bytes apart, and 16 lines of one set do not stay in L1.
  static void rows_to_panel(const std::byte* file, uint64_t stride, std::byte* block, uint32_t) {
    std::byte rows[kPanelRows * kFileBytes];
    for (uint32_t i = 0; i < sizeof rows; i += sizeof(Lanes)) {
      Lanes pairs;
      std::memcpy(&pairs, file + i / kFileBytes * stride + i % kFileBytes, sizeof pairs);
      if constexpr (kIsF16) pairs = bf16_of_f16(pairs & 0xffff) | bf16_of_f16(pairs >> 16 & 0xffff) << 16;
      std::memcpy(rows + i, &pairs, sizeof pairs);
    }
    for (uint32_t l = 0; l < 16; ++l) {
      const Words words = load_words(rows, kFileBytes, l);
      std::memcpy(block + kLine * l, words.data(), kLine);
    }
  }
  static void from_panel(const std::byte* block, uint32_t, uint32_t r, std::byte* file, uint32_t n) {
    for (uint32_t k = 0; k < n; ++k) copy_half(file + 2 * k, block + kLine * (k / 2) + 4 * r + 2 * (k % 2));
  }
};

/// fn.operator()<P>() for the struct of the format; false when there is none.
template <class Fn>
constexpr bool with_panels(Format format, Fn&& fn) {
  switch (format) {
    case Format::kQ4_0:
    case Format::kIQ4_NL:
      return fn.template operator()<Q4_0>(), true;
    case Format::kQ4_1:
      return fn.template operator()<Q4_1>(), true;
    case Format::kQ5_0:
      return fn.template operator()<Q5_0>(), true;
    case Format::kQ5_1:
      return fn.template operator()<Q5_1>(), true;
    case Format::kMXFP4:
      return fn.template operator()<MXFP4>(), true;
    case Format::kQ8_0:
      return fn.template operator()<Q8_0>(), true;
    case Format::kAWQ:
      return fn.template operator()<AWQ>(), true;
    case Format::kQ4_K:
      return fn.template operator()<Q4_K>(), true;
    case Format::kQ5_K:
      return fn.template operator()<Q5_K>(), true;
    case Format::kQ6_K:
      return fn.template operator()<Q6_K>(), true;
    case Format::kQ3_K:
      return fn.template operator()<Q3_K>(), true;
    case Format::kIQ4_XS:
      return fn.template operator()<IQ4_XS>(), true;
    case Format::kBF16:
      return fn.template operator()<Halves<false>>(), true;
    case Format::kF16:
      return fn.template operator()<Halves<true>>(), true;
    default:
      return false;
  }
}

/// Calls fn(file block number, its columns, panel block, number within it) for the blocks of a K-block of a row.
template <class P, class Fn>
void for_blocks(const PanelLayout& layout, uint32_t k0, Fn fn) {
  const uint32_t end = std::min(layout.cols, k0 + P::kPanel.k_block);
  for (uint32_t k = k0; k < end; k += P::kFileBlock) {
    const uint64_t at = uint64_t{(k - k0) / P::kPanel.block} * P::kPanel.block_bytes;
    fn(k / P::kFileBlock, std::min(P::kFileBlock, end - k), at, k % P::kPanel.block / P::kFileBlock);
  }
}

/// Rows of one panel.
template <class P>
void repack_panel(const PanelLayout& layout, uint32_t row0, uint32_t n, const std::byte* rows, std::byte* panels) {
  const uint64_t row_bytes = formats::row_bytes(layout.format, layout.cols).value_or(0);
  for (uint32_t k0 = 0; k0 < layout.cols; k0 += P::kPanel.k_block) {
    std::byte* panel = panels + layout.offset(layout.panel_of(row0), k0);
    if constexpr (requires { P::rows_to_panel(rows, row_bytes, panel, 0u); }) {
      if (n == kPanelRows && layout.cols % P::kFileBlock == 0) {
        for_blocks<P>(layout, k0, [&](uint32_t file_block, uint32_t, uint64_t at, uint32_t number) {
          P::rows_to_panel(rows + uint64_t{file_block} * P::kFileBytes, row_bytes, panel + at, number);
        });
        continue;
      }
    }
    for (uint32_t i = 0; i < n; ++i) {
      const std::byte* row = rows + i * row_bytes;
      const uint32_t lane = layout.lane_of(row0 + i);
      for_blocks<P>(layout, k0, [&](uint32_t file_block, uint32_t columns, uint64_t at, uint32_t number) {
        P::to_panel(row + uint64_t{file_block} * P::kFileBytes, columns, panel + at, number, lane);
      });
    }
  }
}

}  // namespace

const PanelFormat* panel_format(Format format) {
  const PanelFormat* found = nullptr;
  with_panels(format, [&]<class P>() { found = &P::kPanel; });
  return found;
}

void repack_rows(const PanelLayout& layout, uint32_t row0, uint32_t n, const std::byte* rows, std::byte* panels) {
  const uint64_t row_bytes = formats::row_bytes(layout.format, layout.cols).value_or(0);
  with_panels(layout.format, [&]<class P>() {
    for (uint32_t done = 0; done < n;) {
      const uint32_t row = row0 + done;
      const uint32_t left = std::min(kPanelRows - layout.lane_of(row), layout.segment_rows - row % layout.segment_rows);
      const uint32_t here = std::min(left, n - done);
      repack_panel<P>(layout, row, here, rows + done * row_bytes, panels);
      done += here;
    }
  });
}

void decode_panel_row(const PanelLayout& layout, const std::byte* panels, uint32_t row, std::span<std::byte> scratch,
                      std::span<float> out) {
  const uint32_t lane = layout.lane_of(row);
  with_panels(layout.format, [&]<class P>() {
    for (uint32_t k0 = 0; k0 < layout.cols; k0 += P::kPanel.k_block) {
      const std::byte* panel = panels + layout.offset(layout.panel_of(row), k0);
      for_blocks<P>(layout, k0, [&](uint32_t file_block, uint32_t columns, uint64_t at, uint32_t number) {
        std::byte* file = scratch.data() + uint64_t{file_block} * P::kFileBytes;
        P::from_panel(panel + at, number, lane, file, columns);
      });
    }
  });
  const bool is_bf16 = layout.format == Format::kF16;
  formats::decode_row(is_bf16 ? Format::kBF16 : layout.format, scratch.data(), out);
}

}  // namespace tern::backends::cpu
