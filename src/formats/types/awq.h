// AWQ: AutoAWQ's 4-bit groups, in our own row layout: 128 weights in 68 bytes. AutoAWQ stores a matrix as three
// tensors in the order of its kernels; the io room turns them into rows with the functions below. Only read.
//   0  d    f16      scale
//   2  z    u8       zero point, 0..15
//   3  -    u8       zero
//   4  qs   64 bytes byte i: weight i in the low nibble, weight i + 64 in the high nibble
// w = d * (q - z): one product of two floats, so there is only one order.
// Source: AutoAWQ, modules/linear/gemm.py and gemv.py (layouts); Lin et al., "AWQ", MLSys 2024.
#pragma once

#include <algorithm>

#include "formats/format_concept.h"

namespace tern::formats::types {

struct AWQ {
  static constexpr FormatInfo kInfo{Format::kAWQ, "awq", 128, 68};

  static void decode_block(const std::byte* block, float* out) {
    const float d = load_f16(block);
    const auto zero = static_cast<int32_t>(load_u8(block + 2));
    for (int i = 0; i < 64; ++i) {
      const auto pair = static_cast<int32_t>(load_u8(block + 4 + i));
      out[i] = d * static_cast<float>((pair & 15) - zero);
      out[i + 64] = d * static_cast<float>((pair >> 4) - zero);
    }
  }

  static void random_block(Random& random, float stddev, std::byte* block) {
    // Zero points 7 and 8 in equal shares: the mean is zero. The root mean square of -8..7 and of -7..8 is 4.64.
    store_f16(block, stddev / 4.64f);
    store_u8(block + 2, static_cast<uint32_t>(7 + (random.next() >> 63)));
    store_u8(block + 3, 0);
    random.fill(block + 4, 64);
  }
};
static_assert(BlockFormat<AWQ>);

}  // namespace tern::formats::types

namespace tern::formats {

/// One linear layer of an AutoAWQ checkpoint: the bytes of its tensors as they lie in the file (any alignment).
/// The caller has checked: cols a multiple of group, group a multiple of 128 (a group wider than a block repeats its
/// scale), rows a multiple of 8, and the byte sizes against awq_gemm_bytes() or awq_gemv_bytes().
struct AwqTensors {
  std::span<const std::byte> qweight;  // i32
  std::span<const std::byte> qzeros;   // i32
  std::span<const std::byte> scales;   // f16
  uint64_t rows = 0;                   // output features
  uint64_t cols = 0;                   // input features
  uint64_t group = 128;
};

struct AwqBytes {
  uint64_t qweight, qzeros, scales;
};

/// GEMM: qweight i32 [cols, rows / 8], qzeros i32 [cols / group, rows / 8], scales f16 [cols / group, rows].
constexpr AwqBytes awq_gemm_bytes(uint64_t rows, uint64_t cols, uint64_t group) {
  return {cols * (rows / 8) * 4, cols / group * (rows / 8) * 4, cols / group * rows * 2};
}

/// The padded number of i32 in a row of GEMV's qzeros: 8 zero points each.
constexpr uint64_t awq_gemv_zero_words(uint64_t cols, uint64_t group) {
  return (cols / group + 7) / 8;
}

/// GEMV: qweight i32 [rows, cols / 8], qzeros i32 [rows, zero words], scales f16 [rows, 8 * zero words].
constexpr AwqBytes awq_gemv_bytes(uint64_t rows, uint64_t cols, uint64_t group) {
  const uint64_t words = awq_gemv_zero_words(cols, group);
  return {rows * (cols / 8) * 4, rows * words * 4, rows * words * 8 * 2};
}

namespace awq_detail {

/// The i32 at index `word` of a tensor, moved so that its nibble number `nibble` is lowest.
inline uint32_t load_nibble(std::span<const std::byte> tensor, uint64_t word, uint32_t nibble) {
  return load<uint32_t>(tensor.data() + 4 * word) >> 4 * nibble & 15;
}

inline void start_block(std::byte* block, std::span<const std::byte> scales, uint64_t scale, uint32_t zero) {
  std::memset(block, 0, types::AWQ::kInfo.block_bytes);
  std::memcpy(block, scales.data() + 2 * scale, 2);
  store_u8(block + 2, zero);
}

/// Code of weight k of a block that start_block() has zeroed.
inline void put_code(std::byte* block, uint64_t k, uint32_t code) {
  block[4 + k % 64] |= static_cast<std::byte>(k < 64 ? code : code << 4);
}

}  // namespace awq_detail

/// Rows [row0, row0 + n) of the layer. Its i32 hold eight neighbouring rows, row 8 c + kOrder[i] in nibble i.
/// out: n * row_bytes(kAWQ, cols). Reads the tensors in file order.
inline void awq_rows_from_gemm(const AwqTensors& t, uint64_t row0, uint64_t n, std::span<std::byte> out) {
  constexpr uint32_t kNibbleOfRow[8] = {0, 4, 1, 5, 2, 6, 3, 7};  // inverse of the order 0, 2, 4, 6, 1, 3, 5, 7
  const uint64_t words = t.rows / 8, row_size = t.cols / 128 * types::AWQ::kInfo.block_bytes;
  for (uint64_t b = 0; b < t.cols / 128; ++b) {
    std::byte* const blocks = out.data() + b * types::AWQ::kInfo.block_bytes;  // of row row0
    const uint64_t g = b * 128 / t.group;
    for (uint64_t r = row0; r < row0 + n; ++r) {
      const uint32_t zero = awq_detail::load_nibble(t.qzeros, g * words + r / 8, kNibbleOfRow[r % 8]);
      awq_detail::start_block(blocks + (r - row0) * row_size, t.scales, g * t.rows + r, zero);
    }
    for (uint64_t k = 0; k < 128; ++k) {
      for (uint64_t r = row0; r < row0 + n; ++r) {
        const uint32_t code = awq_detail::load_nibble(t.qweight, (b * 128 + k) * words + r / 8, kNibbleOfRow[r % 8]);
        awq_detail::put_code(blocks + (r - row0) * row_size, k, code);
      }
    }
  }
}

/// Rows [row0, row0 + n) of the layer. Its i32 hold eight neighbouring columns, column 8 c + i in nibble i.
/// out: n * row_bytes(kAWQ, cols).
inline void awq_rows_from_gemv(const AwqTensors& t, uint64_t row0, uint64_t n, std::span<std::byte> out) {
  const uint64_t zero_words = awq_gemv_zero_words(t.cols, t.group);
  std::byte* block = out.data();
  for (uint64_t r = row0; r < row0 + n; ++r) {
    for (uint64_t b = 0; b < t.cols / 128; ++b, block += types::AWQ::kInfo.block_bytes) {
      const uint64_t g = b * 128 / t.group;
      const uint32_t zero = awq_detail::load_nibble(t.qzeros, r * zero_words + g / 8, g % 8);
      awq_detail::start_block(block, t.scales, r * zero_words * 8 + g, zero);
      for (uint64_t k = 0; k < 128; ++k) {
        const uint64_t col = b * 128 + k;
        awq_detail::put_code(block, k, awq_detail::load_nibble(t.qweight, r * (t.cols / 8) + col / 8, col % 8));
      }
    }
  }
}

}  // namespace tern::formats
