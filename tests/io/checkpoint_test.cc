// AWQ and int8 checkpoints packed by NumPy (make_data.py) with the dequantised values beside them, and settings and
// parts that do not fit.
#include "io/checkpoint.h"

#include "formats/format.h"
#include "io/model_files.h"
#include "io/support.h"

namespace tern::io {
namespace {

void expect_dequantised(const WeightIndex& weights, const std::string& stem, Format format) {
  const TensorInfo* weight = weights.find(stem + ".weight");
  const TensorInfo* expected = weights.find(stem + ".expected");
  ASSERT_NE(weight, nullptr);
  ASSERT_NE(expected, nullptr);
  EXPECT_EQ(weight->format, format);
  EXPECT_EQ(weight->shape, expected->shape);
  const uint32_t id = *weights.id_of(stem + ".weight");
  const auto got = weights.read_f32(id);
  const auto want = weights.read_f32(*weights.id_of(stem + ".expected"));
  ASSERT_TRUE(got && want);
  EXPECT_EQ(*got, *want);  // one product of two floats: exact
  EXPECT_TRUE(weights.mapped_rows(id, 0, 1).empty());

  // Rows taken in pieces are the rows taken at once.
  const uint64_t row_bytes = *formats::row_bytes(format, weight->cols());
  std::vector<std::byte> rows(3 * row_bytes), row(row_bytes);
  const uint64_t from = weight->rows() - 3;
  ASSERT_TRUE(weights.read_rows(id, from, 3, rows));
  for (uint64_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(weights.read_rows(id, from + i, 1, row));
    EXPECT_EQ(std::memcmp(row.data(), rows.data() + i * row_bytes, row_bytes), 0);
  }
}

TEST(Checkpoint, AwqGemm) {
  const auto model = open_model(data_path("awq-gemm"));
  ASSERT_TRUE(model) << model.error().to_string();
  expect_dequantised(model->weights, "proj", Format::kAWQ);
  EXPECT_EQ(model->weights.find("proj.bias")->format, Format::kF16);
  EXPECT_EQ(model->weights.find("proj.qweight"), nullptr);
}

TEST(Checkpoint, AwqGemv) {
  const auto model = open_model(data_path("awq-gemv"));
  ASSERT_TRUE(model) << model.error().to_string();
  expect_dequantised(model->weights, "proj", Format::kAWQ);
}

TEST(Checkpoint, AwqFromRangedSources) {
  for (const std::string name : {"awq-gemm", "awq-gemv"}) {
    std::vector<std::unique_ptr<ByteSource>> shards;
    shards.push_back(std::make_unique<RangedSource>(read_all(data_path(name + "/model.safetensors"))));
    const auto config = parse_json(read_all(data_path(name + "/config.json")));
    ASSERT_TRUE(config);
    const auto weights = read_safetensors(std::move(shards), *config);
    ASSERT_TRUE(weights) << weights.error().to_string();
    expect_dequantised(*weights, "proj", Format::kAWQ);
    weights->release_rows(*weights->id_of("proj.weight"), 0, weights->find("proj.weight")->rows());
  }
}

TEST(Checkpoint, Int8WithScalesOfEveryType) {
  const auto model = open_model(data_path("int8"));
  ASSERT_TRUE(model) << model.error().to_string();
  for (const char* stem : {"a", "b", "c"}) expect_dequantised(model->weights, stem, Format::kINT8);
  EXPECT_EQ(model->weights.find("a.weight_scale"), nullptr);
}

/// Tensors of zeros from "name dtype shape" lines.
Result<WeightIndex> zeros(const std::vector<std::tuple<std::string, Dtype, std::vector<uint64_t>>>& tensors,
                          std::string_view config) {
  Json header = Json::object();
  uint64_t end = 0;
  for (const auto& [name, dtype, shape] : tensors) {
    uint64_t bytes = dtype_bytes(dtype);
    for (const uint64_t dim : shape) bytes *= dim;
    header[name] = {{"dtype", dtype_name(dtype)}, {"shape", shape}, {"data_offsets", {end, end + bytes}}};
    end += bytes;
  }
  std::vector<std::unique_ptr<ByteSource>> shards;
  shards.push_back(memory(safetensors_bytes(header.dump(), std::string(end, '\0'))));
  return read_safetensors(std::move(shards), *parse_json(config));
}

constexpr std::string_view kAwq =
    R"({"quantization_config":{"quant_method":"awq","bits":4,"group_size":128,"zero_point":true,"version":"gemm"}})";

TEST(CheckpointBad, AwqSettings) {
  const auto bad = [](std::string_view fields, const std::vector<std::string>& texts,
                      ErrorCode code = ErrorCode::kUnsupported) {
    expect_error(zeros({{"t", Dtype::kF32, {1}}}, fmt::format(R"({{"quantization_config":{{{}}}}})", fields)), code,
                 texts);
  };
  bad(R"("quant_method":"awq","bits":3,"group_size":128)", {"quantization_config.bits", "is 3", "4"});
  bad(R"("quant_method":"awq","bits":4,"group_size":64)", {"quantization_config.group_size", "is 64", "128"});
  bad(R"("quant_method":"awq","bits":4,"group_size":128,"zero_point":false)", {"zero_point", "false", "true"});
  bad(R"("quant_method":"awq","bits":4,"group_size":128,"version":"marlin")", {"version", "marlin", "gemv"});
  bad(R"("quant_method":"gptq","bits":4)", {"quant_method", "gptq", "awq"});
  bad(R"("quant_method":"awq","group_size":128)", {"bits", "missing"}, ErrorCode::kInvalidFile);
  bad(R"("bits":4)", {"quant_method", "missing"}, ErrorCode::kInvalidFile);
  bad(R"("quant_method":"compressed-tensors","config_groups":{"g":{"weights":{"num_bits":4}}})",
      {"num_bits", "is 4", "8"});
  bad(R"("quant_method":"compressed-tensors","config_groups":{"g":{"weights":{"type":"float"}}})", {"type", "float"});
  bad(R"("quant_method":"compressed-tensors","config_groups":{"g":{"weights":{"strategy":"group"}}})",
      {"strategy", "group", "channel"});
  bad(R"("quant_method":"compressed-tensors","config_groups":{"g":{"weights":{"symmetric":false}}})", {"symmetric"});
  bad(R"("quant_method":"compressed-tensors")", {"config_groups"});
}

TEST(CheckpointBad, AwqParts) {
  const std::vector<uint64_t> q{128, 2}, z{1, 2}, s{1, 16};
  EXPECT_TRUE(zeros({{"x.qweight", Dtype::kI32, q}, {"x.qzeros", Dtype::kI32, z}, {"x.scales", Dtype::kF16, s}}, kAwq));
  const auto bad = [&](const std::vector<std::tuple<std::string, Dtype, std::vector<uint64_t>>>& tensors,
                       const std::vector<std::string>& texts, ErrorCode code = ErrorCode::kInvalidFile,
                       std::string_view config = kAwq) { expect_error(zeros(tensors, config), code, texts); };
  bad({{"x.qweight", Dtype::kI32, q}, {"x.scales", Dtype::kF16, s}}, {"x.qzeros", "missing", "x.qweight"});
  bad({{"x.qweight", Dtype::kI32, q}, {"x.qzeros", Dtype::kI32, z}}, {"x.scales", "missing"});
  bad({{"x.qweight", Dtype::kI32, q}, {"x.qzeros", Dtype::kI32, {2, 2}}, {"x.scales", Dtype::kF16, s}},
      {"x.qzeros", "[2, 2]", "expected I32 [1, 2]"});
  bad({{"x.qweight", Dtype::kI32, q}, {"x.qzeros", Dtype::kI32, z}, {"x.scales", Dtype::kF32, s}},
      {"x.scales", "F32", "expected F16 [1, 16]"});
  bad({{"x.qweight", Dtype::kI32, {64, 2}}, {"x.qzeros", Dtype::kI32, z}, {"x.scales", Dtype::kF16, s}},
      {"64 input features", "128"}, ErrorCode::kUnsupported);
  bad({{"x.qweight", Dtype::kI32, {256}}, {"x.qzeros", Dtype::kI32, z}, {"x.scales", Dtype::kF16, s}},
      {"[256]", "two dimensions"});
  bad({{"x.qweight", Dtype::kI32, q},
       {"x.qzeros", Dtype::kI32, z},
       {"x.scales", Dtype::kF16, s},
       {"x.weight", Dtype::kF32, {1}}},
      {"x.weight appears twice"});
  bad({{"x.qweight", Dtype::kI32, q}, {"x.qzeros", Dtype::kI32, z}, {"x.scales", Dtype::kF16, s}},
      {"quantization_config", "x.qweight"}, ErrorCode::kUnsupported, "{}");
  bad({{"x.g_idx", Dtype::kI32, {4}}}, {"x.g_idx", "I32"}, ErrorCode::kUnsupported);
}

TEST(CheckpointBad, Int8Parts) {
  const auto bad = [](const std::vector<std::tuple<std::string, Dtype, std::vector<uint64_t>>>& tensors,
                      const std::vector<std::string>& texts,
                      ErrorCode code) { expect_error(zeros(tensors, "{}"), code, texts); };
  bad({{"x.weight", Dtype::kI8, {2, 4}}}, {"x.weight_scale", "missing"}, ErrorCode::kInvalidFile);
  bad({{"x.weight", Dtype::kI8, {2, 4}}, {"x.weight_scale", Dtype::kF32, {4}}}, {"x.weight_scale", "[4]", "[2, 1]"},
      ErrorCode::kInvalidFile);
  bad({{"x.weight", Dtype::kI8, {2, 4}}, {"x.weight_scale", Dtype::kI32, {2}}}, {"x.weight_scale", "I32"},
      ErrorCode::kInvalidFile);
  bad({{"x.weight", Dtype::kI8, {8}}}, {"I8 [8]"}, ErrorCode::kUnsupported);
  bad({{"x.mask", Dtype::kI8, {2, 4}}}, {"x.mask", "X.weight"}, ErrorCode::kUnsupported);
  bad({{"x.weight", Dtype::kI8, {2, 4}},
       {"x.weight_scale", Dtype::kF32, {2}},
       {"x.weight_zero_point", Dtype::kI8, {2, 1}}},
      {"zero point"}, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace tern::io
