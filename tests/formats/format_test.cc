// The facts of the formats and the row functions that all of them share.
#include "formats/format.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "formats/all_formats.h"
#include "vectors.h"

namespace tern::formats {
namespace {

struct Fact {
  uint32_t id;
  const char* name;
  uint32_t block, bytes;
};

// Type ids and sizes as GGUF's specification gives them (ggml_type and the block structures).
constexpr Fact kGguf[] = {
    {0, "f32", 1, 4},       {1, "f16", 1, 2},         {2, "q4_0", 32, 18},    {3, "q4_1", 32, 20},
    {6, "q5_0", 32, 22},    {7, "q5_1", 32, 24},      {8, "q8_0", 32, 34},    {10, "q2_k", 256, 84},
    {11, "q3_k", 256, 110}, {12, "q4_k", 256, 144},   {13, "q5_k", 256, 176}, {14, "q6_k", 256, 210},
    {20, "iq4_nl", 32, 18}, {23, "iq4_xs", 256, 136}, {30, "bf16", 1, 2},     {39, "mxfp4", 32, 17},
};

TEST(Format, IdsAndSizesAreThoseOfGguf) {
  for (const Fact& fact : kGguf) {
    const FormatInfo* format = find(fact.id);
    ASSERT_NE(format, nullptr) << fact.name;
    EXPECT_EQ(format->name, fact.name);
    EXPECT_EQ(format->block, fact.block) << fact.name;
    EXPECT_EQ(format->block_bytes, fact.bytes) << fact.name;
  }
  EXPECT_EQ(all().size(), std::size(kGguf) + 2);  // and AWQ and INT8
}

TEST(Format, UnknownIdsAreNotFound) {
  // 4 and 5 are formats that GGUF has removed, 16 is IQ2_XXS, 26 is I32.
  for (const uint32_t id : {4u, 5u, 9u, 16u, 26u, 255u, 0x102u, UINT32_MAX}) EXPECT_EQ(find(id), nullptr) << id;
}

TEST(Format, NamesAreUniqueAndFoundInAnyCase) {
  std::set<std::string_view> names;
  for (const FormatInfo& format : all()) {
    EXPECT_TRUE(names.insert(format.name).second) << format.name;
    EXPECT_EQ(from_name(format.name), format.id);
    EXPECT_EQ(info(format.id).name, format.name);
  }
  EXPECT_EQ(from_name("Q4_K"), Format::kQ4_K);
  EXPECT_EQ(from_name("mxFP4"), Format::kMXFP4);
  EXPECT_EQ(from_name(""), std::nullopt);
  EXPECT_EQ(from_name("q4_k_m"), std::nullopt);
}

TEST(Format, RowBytes) {
  EXPECT_EQ(row_bytes(Format::kQ4_0, 4096).value(), 4096u / 32 * 18);
  EXPECT_EQ(row_bytes(Format::kQ6_K, 256).value(), 210u);
  EXPECT_EQ(row_bytes(Format::kF32, 3).value(), 12u);
  EXPECT_EQ(row_bytes(Format::kAWQ, 256).value(), 136u);
  EXPECT_EQ(row_bytes(Format::kINT8, 8).value(), 12u);
  EXPECT_EQ(row_bytes(Format::kINT8, 9).value(), 16u);  // padded to a multiple of 4
}

TEST(Format, RowOfPartialBlocksIsAnErrorNamingBothValues) {
  const auto bytes = row_bytes(Format::kQ4_K, 300);
  ASSERT_FALSE(bytes.has_value());
  EXPECT_EQ(bytes.error().code, ErrorCode::kInvalidFile);
  EXPECT_NE(bytes.error().message.find("300"), std::string::npos) << bytes.error().message;
  EXPECT_NE(bytes.error().message.find("256"), std::string::npos) << bytes.error().message;
  EXPECT_NE(bytes.error().message.find("q4_k"), std::string::npos) << bytes.error().message;
}

TEST(Format, AbsurdRowsAreErrorsInEveryFormat) {
  for (const FormatInfo& format : all()) {
    EXPECT_FALSE(row_bytes(format.id, UINT64_MAX).has_value()) << format.name;
    EXPECT_FALSE(row_bytes(format.id, uint64_t{1} << 63).has_value()) << format.name;
  }
}

// Any bytes decode: no index leaves its table whatever the block holds. The sanitizer build looks for the crash.
TEST(Format, AnyBytesDecode) {
  for (const FormatInfo& format : all()) {
    const uint64_t cols = format.block ? 8 * format.block : 77;
    const uint64_t size = row_bytes(format.id, cols).value();
    std::vector<float> out(cols);
    for (const int fill : {0x00, 0x7c, 0x7f, 0x80, 0xff}) {  // 0x7c7c and 0x7f7f are NaN as f16, 0xffff too
      const std::vector<std::byte> row(size, static_cast<std::byte>(fill));
      decode_row(format.id, row.data(), out);
    }
    Random random(7);
    std::vector<std::byte> row(size);
    for (int i = 0; i < 200; ++i) {
      random.fill(row.data(), size);
      decode_row(format.id, row.data(), out);
    }
  }
}

TEST(Format, InfiniteAndNanScalesGoThrough) {
  std::vector<std::byte> block(34, std::byte{1});
  std::vector<float> out(32);
  store<uint16_t>(block.data(), 0x7c00);
  decode_row(Format::kQ8_0, block.data(), out);
  EXPECT_EQ(out[0], std::numeric_limits<float>::infinity());
  store<uint16_t>(block.data(), 0x7e00);
  decode_row(Format::kQ8_0, block.data(), out);
  EXPECT_TRUE(std::isnan(out[0]));
}

TEST(Format, RandomRowsHaveTheWantedSpreadAroundZero) {
  constexpr uint64_t kCols = 256 * 400;
  for (const FormatInfo& format : all()) {
    for (const float stddev : {0.02f, 1.0f}) {
      std::vector<std::byte> row(row_bytes(format.id, kCols).value());
      random_row(format.id, 42, stddev, kCols, row.data());
      std::vector<float> out(kCols);
      decode_row(format.id, row.data(), out);
      double sum = 0, squares = 0;
      for (const float w : out) {
        ASSERT_TRUE(std::isfinite(w)) << format.name;
        sum += w, squares += static_cast<double>(w) * w;
      }
      const double rms = std::sqrt(squares / kCols);
      EXPECT_NEAR(rms / stddev, 1.0, 0.05) << format.name;
      EXPECT_LT(std::fabs(sum / kCols) / stddev, 0.02) << format.name;
    }
  }
}

TEST(Format, RandomRowsDependOnTheSeedAlone) {
  for (const FormatInfo& format : all()) {
    std::vector<std::byte> a(row_bytes(format.id, 512).value()), b = a, c = a;
    random_row(format.id, 1, 0.02f, 512, a.data());
    random_row(format.id, 1, 0.02f, 512, b.data());
    random_row(format.id, 2, 0.02f, 512, c.data());
    EXPECT_EQ(a, b) << format.name;
    EXPECT_NE(a, c) << format.name;
  }
}

TEST(Format, FormatsThatAreOnlyReadSaySo) {
  const std::vector<float> in(256, 0.0f);
  std::vector<std::byte> out(256);
  EXPECT_FALSE(can_encode(Format::kIQ4_XS));
  const auto result = encode_row(Format::kIQ4_XS, in, out.data());
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(result.error().message.find("iq4_xs"), std::string::npos);
}

TEST(Format, WeightsThatAFormatCannotHoldAreErrors) {
  for (const FormatInfo& format : all()) {
    if (!can_encode(format.id)) continue;
    const uint64_t cols = format.block ? format.block : 16;
    std::vector<std::byte> out(row_bytes(format.id, cols).value());
    std::vector<float> in(cols, 0.0f);
    in[cols - 1] = std::numeric_limits<float>::quiet_NaN();
    const auto nan = encode_row(format.id, in, out.data());
    ASSERT_FALSE(nan.has_value()) << format.name;
    EXPECT_EQ(nan.error().code, ErrorCode::kInvalidArgument);
    if (format.id == Format::kF32) continue;  // holds infinity
    in[cols - 1] = -std::numeric_limits<float>::infinity();
    EXPECT_FALSE(encode_row(format.id, in, out.data()).has_value()) << format.name;
  }
}

}  // namespace
}  // namespace tern::formats
