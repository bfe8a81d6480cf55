// Decoding against the gguf package and NumPy, bit for bit (tools/gen_format_vectors.py).
#include <gtest/gtest.h>

#include <string>

#include "formats/all_formats.h"
#include "formats/types/awq.h"
#include "vectors.h"

namespace tern::formats {
namespace {

class Decode : public testing::TestWithParam<Format> {};

TEST_P(Decode, EqualsTheVectorsBitForBit) {
  const FormatInfo& format = info(GetParam());
  const std::string name(format.name);
  const auto blocks = read_vector<std::byte>(name + ".blocks");
  const auto expected = read_vector<float>(name + ".decoded");
  ASSERT_FALSE(expected.empty()) << "Format " << name << " has no vectors: see docs/adding-a-weight-format.md.";
  ASSERT_EQ(blocks.size(), row_bytes(format.id, expected.size()).value());
  std::vector<float> actual(expected.size());
  decode_row(format.id, blocks.data(), actual);
  expect_same_bits(actual, expected, name);
}

// Blocks lie anywhere in a file: decoding takes any alignment.
TEST_P(Decode, TakesAnyAlignment) {
  const FormatInfo& format = info(GetParam());
  const std::string name(format.name);
  const auto blocks = read_vector<std::byte>(name + ".blocks");
  const auto expected = read_vector<float>(name + ".decoded");
  for (size_t shift = 1; shift < 4; ++shift) {
    std::vector<std::byte> moved(shift);
    moved.insert(moved.end(), blocks.begin(), blocks.end());
    std::vector<float> actual(expected.size());
    decode_row(format.id, moved.data() + shift, actual);
    expect_same_bits(actual, expected, name);
  }
}

std::vector<Format> every_format() {
  std::vector<Format> formats;
  for (const FormatInfo& format : all()) formats.push_back(format.id);
  return formats;
}
INSTANTIATE_TEST_SUITE_P(EveryFormat, Decode, testing::ValuesIn(every_format()),
                         [](const auto& test) { return std::string(formats::info(test.param).name); });

struct Layer {
  std::vector<std::byte> qweight, qzeros, scales;
  AwqTensors tensors;
};

Layer read_layer(const std::string& name, uint64_t rows, uint64_t cols, uint64_t group) {
  Layer layer{read_vector<std::byte>(name + ".qweight"),
              read_vector<std::byte>(name + ".qzeros"),
              read_vector<std::byte>(name + ".scales"),
              {}};
  layer.tensors = {layer.qweight, layer.qzeros, layer.scales, rows, cols, group};
  return layer;
}

void expect_sizes(const Layer& layer, const AwqBytes& bytes) {
  EXPECT_EQ(layer.qweight.size(), bytes.qweight);
  EXPECT_EQ(layer.qzeros.size(), bytes.qzeros);
  EXPECT_EQ(layer.scales.size(), bytes.scales);
}

using Unpack = void (*)(const AwqTensors&, uint64_t row0, uint64_t n, std::span<std::byte> out);

// Every way to cut the rows, also through the middle of the eight that share an i32, gives the same weights.
void expect_rows(const Layer& layer, Unpack unpack, const std::vector<float>& expected) {
  const uint64_t rows = layer.tensors.rows, cols = layer.tensors.cols;
  const uint64_t size = row_bytes(Format::kAWQ, cols).value();
  for (const uint64_t step : {rows, uint64_t{8}, uint64_t{3}, uint64_t{1}}) {
    std::vector<float> actual(rows * cols);
    for (uint64_t row = 0; row < rows; row += step) {
      const uint64_t n = std::min(step, rows - row);
      std::vector<std::byte> out(n * size, std::byte{0xaa});
      unpack(layer.tensors, row, n, out);
      for (uint64_t r = 0; r < n; ++r) {
        decode_row(Format::kAWQ, out.data() + r * size, std::span(actual).subspan((row + r) * cols, cols));
      }
    }
    expect_same_bits(actual, expected, "rows in steps of " + std::to_string(step));
  }
}

TEST(Awq, GemmPackingInGroupsOf128) {
  const Layer layer = read_layer("awq_g128_gemm", 16, 1152, 128);
  expect_sizes(layer, awq_gemm_bytes(16, 1152, 128));
  expect_rows(layer, awq_rows_from_gemm, read_vector<float>("awq_g128.decoded"));
}

TEST(Awq, GemvPackingInGroupsOf128WithPaddedGroups) {
  const Layer layer = read_layer("awq_g128_gemv", 16, 1152, 128);
  expect_sizes(layer, awq_gemv_bytes(16, 1152, 128));
  expect_rows(layer, awq_rows_from_gemv, read_vector<float>("awq_g128.decoded"));
}

TEST(Awq, OneGroupPerRow) {
  const auto expected = read_vector<float>("awq_row.decoded");
  const Layer gemm = read_layer("awq_row_gemm", 8, 256, 256);
  expect_sizes(gemm, awq_gemm_bytes(8, 256, 256));
  expect_rows(gemm, awq_rows_from_gemm, expected);
  const Layer gemv = read_layer("awq_row_gemv", 8, 256, 256);
  expect_sizes(gemv, awq_gemv_bytes(8, 256, 256));
  expect_rows(gemv, awq_rows_from_gemv, expected);
}

}  // namespace
}  // namespace tern::formats
