// Planes: what a GPU reads of a weight is what the file's format says.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "backends/webgpu/repack.h"

namespace tern::backends::webgpu {
namespace {

class PlanesOf : public testing::TestWithParam<FormatInfo> {};

graph::Weight weight_of(Format format, uint32_t rows, uint32_t cols) {
  return {.name = "w", .format = format, .rows = rows, .cols = cols, .slices = {{0, 0, rows}}, .constant = {}};
}

/// Formats whose scale is one f16, or that have none, lose nothing.
bool is_exact(Format format) {
  switch (format) {
    case Format::kQ4_K:
    case Format::kQ5_K:
    case Format::kQ2_K:
    case Format::kQ3_K:
    case Format::kQ6_K:
    case Format::kIQ4_XS:
      return false;
    default:
      return true;
  }
}

TEST_P(PlanesOf, DecodeToTheFilesValues) {
  constexpr uint32_t kRows = 3, kCols = 768;
  const Format format = GetParam().id;
  const uint64_t row_bytes = *formats::row_bytes(format, kCols);
  std::vector<std::byte> rows(kRows * row_bytes);
  for (uint32_t r = 0; r < kRows; ++r) formats::random_row(format, r + 1, 0.5f, kCols, rows.data() + r * row_bytes);
  const graph::Weight weight = weight_of(format, kRows, kCols);
  const PlaneLayout layout = PlaneLayout::of(weight);
  const Result<PackedRows> packed = repack(weight, rows);
  ASSERT_TRUE(packed);
  EXPECT_EQ(packed->codes.size(), kRows * layout.row_bytes);
  EXPECT_LE(layout.scales + packed->scales.size(), layout.bytes + (layout.group == 0 ? layout.scales : 0));
  for (uint32_t r = 0; r < kRows; ++r) {
    std::vector<float> expected(kCols), got(kCols);
    formats::decode_row(format, rows.data() + r * row_bytes, expected);
    decode_planes(layout, *packed, r, got);
    float largest = 0;
    for (const float w : expected) largest = std::max(largest, std::abs(w));
    for (uint32_t k = 0; k < kCols; ++k) {
      // Scale and minimum are off by 2^-11 of themselves each; a minimum is at most as large as the largest code's
      // part.
      const float bound = is_exact(format) ? 0 : 4 * largest * 0x1p-11f;
      EXPECT_LE(std::abs(got[k] - expected[k]), bound) << "row " << r << " column " << k;
    }
  }
}

TEST_P(PlanesOf, RefuseBrokenRows) {
  const graph::Weight weight = weight_of(GetParam().id, 2, 768);
  std::vector<std::byte> rows(*formats::row_bytes(GetParam().id, 768) + 1);
  EXPECT_FALSE(repack(weight, rows));
}

INSTANTIATE_TEST_SUITE_P(Formats, PlanesOf, testing::ValuesIn(formats::all().begin(), formats::all().end()),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(Planes, VectorsAreFloats) {
  const std::vector<float> values = {1, -2, 3};
  for (const auto& [rows, cols] : {std::pair{1u, 3u}, {3u, 1u}}) {
    const graph::Weight weight = weight_of(Format::kF32, rows, cols);
    const PlaneLayout layout = PlaneLayout::of(weight);
    EXPECT_EQ(layout.family, Family::kF32);
    const Result<PackedRows> packed = repack(weight, std::as_bytes(std::span(values)));
    ASSERT_TRUE(packed);
    for (size_t i = 0; i < 3; ++i) {
      float value = 0;
      std::memcpy(&value, packed->codes.data() + i * 4, 4);
      EXPECT_EQ(value, values[i]);
    }
  }
}

}  // namespace
}  // namespace tern::backends::webgpu
