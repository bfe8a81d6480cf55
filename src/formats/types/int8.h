// INT8: one scale per output channel (row). Our own row layout, assembled by the io room from Hugging Face's int8
// tensors. A row of n weights takes 4 + n bytes, padded with zeros to a multiple of 4.
//   0  d   f32    scale
//   4  qs  n x i8 weight i
// w = d * q: one product of two floats, so there is only one order.
#pragma once

#include <cmath>

#include "formats/format_concept.h"

namespace tern::formats::types {

struct INT8 {
  static constexpr FormatInfo kInfo{Format::kINT8, "int8", 0, 4};
  static constexpr float kMaxMagnitude = 0x1.fffffep127f;

  static constexpr uint64_t row_bytes(uint64_t cols) { return 4 + (cols + 3) / 4 * 4; }

  static void decode_row(const std::byte* row, std::span<float> out) {
    const float d = load<float>(row);
    for (size_t i = 0; i < out.size(); ++i) out[i] = d * static_cast<float>(load_i8(row + 4 + i));
  }

  /// d = largest magnitude / 127, q = w / d rounded to nearest.
  static void encode_row(std::span<const float> in, std::byte* row) {
    float largest = 0;
    for (const float w : in) largest = std::fabs(w) > largest ? std::fabs(w) : largest;
    const float d = largest / 127.0f;
    store(row, d);
    for (size_t i = 0; i < in.size(); ++i) {
      store(row + 4 + i, static_cast<int8_t>(d > 0 ? nearest(in[i] / d, -127, 127) : 0));
    }
    std::memset(row + 4 + in.size(), 0, row_bytes(in.size()) - 4 - in.size());
  }

  static void random_row(Random& random, float stddev, uint64_t cols, std::byte* row) {
    store(row, random.either_sign(stddev / 73.9f));  // the root mean square of -128..127
    random.fill(row + 4, cols);
    std::memset(row + 4 + cols, 0, row_bytes(cols) - 4 - cols);
  }
};
static_assert(RowFormat<INT8> && Encodable<INT8>);

}  // namespace tern::formats::types
