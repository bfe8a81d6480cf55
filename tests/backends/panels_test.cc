// Weights in panels: what is repacked 16 rows at a time or row by row is the same, and decodes to what the file has.
#include "backends/cpu/panels.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/half.h"

namespace tern::backends::cpu {
namespace {

constexpr uint32_t kRows = 16;

struct Weight {
  PanelLayout layout;
  uint64_t row_bytes;
  std::vector<std::byte> rows;

  Weight(Format format, uint32_t cols)
      : layout{format, *panel_format(format), kRows, cols, kRows},
        row_bytes(formats::row_bytes(format, cols).value()),
        rows(kRows * row_bytes) {
    for (uint32_t r = 0; r < kRows; ++r) formats::random_row(format, r, 0.5f, cols, rows.data() + r * row_bytes);
  }
  /// `n` rows a call.
  std::vector<std::byte> panels(uint32_t n) const {
    std::vector<std::byte> out(layout.bytes());
    for (uint32_t r = 0; r < kRows; r += n) repack_rows(layout, r, n, rows.data() + r * row_bytes, out.data());
    return out;
  }
  std::vector<float> decoded(const std::vector<std::byte>& panels, uint32_t row) const {
    std::vector<float> out(layout.cols);
    std::vector<std::byte> scratch(row_bytes + 64);
    decode_panel_row(layout, panels.data(), row, scratch, out);
    return out;
  }
};

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST(Panels, SixteenRowsAtOnceAreSixteenRows) {
  uint32_t tried = 0;
  for (const FormatInfo& format : formats::all()) {
    if (!panel_format(format.id)) continue;
    const Weight weight(format.id, 1536);
    const auto panels = weight.panels(kRows);
    EXPECT_EQ(panels, weight.panels(1)) << format.name;
    for (uint32_t row = 0; row < kRows && format.id != Format::kF16; ++row) {  // the next test's
      std::vector<float> expected(weight.layout.cols);
      formats::decode_row(format.id, weight.rows.data() + row * weight.row_bytes, expected);
      EXPECT_TRUE(same_bits(weight.decoded(panels, row), expected)) << format.name << ", row " << row;
    }
    ++tried;
  }
  EXPECT_GE(tried, 15u);
}

TEST(Panels, EveryHalfIsRoundedToBf16) {
  Weight weight(Format::kF16, 65536 / kRows);
  for (uint32_t half = 0; half < 65536; ++half) {
    const auto value = static_cast<uint16_t>(half);
    std::memcpy(weight.rows.data() + 2 * half, &value, sizeof value);
  }
  const auto panels = weight.panels(kRows);
  for (uint32_t row = 0; row < kRows; ++row) {
    std::vector<float> expected(weight.layout.cols);
    for (uint32_t k = 0; k < weight.layout.cols; ++k) {
      expected[k] = bf16_to_f32(f32_to_bf16(f16_to_f32(static_cast<uint16_t>(row * weight.layout.cols + k))));
    }
    EXPECT_TRUE(same_bits(weight.decoded(panels, row), expected)) << "row " << row;
  }
  EXPECT_EQ(panels, weight.panels(1));
}

}  // namespace
}  // namespace tern::backends::cpu
