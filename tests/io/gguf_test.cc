// Good GGUFs: bytes written by hand from the specification, and files of the gguf package of PyPI (make_data.py).
#include "io/gguf.h"

#include <cstdint>
#include <limits>

#include "io/support.h"

namespace tern::io {
namespace {

Result<Gguf> read_one(std::unique_ptr<ByteSource> source) {
  std::vector<std::unique_ptr<ByteSource>> parts;
  parts.push_back(std::move(source));
  return read_gguf(std::move(parts));
}

template <class T>
T value_of(const Metadata& metadata, std::string_view key) {
  const Metadata::Value* value = metadata.find(key);
  const T* typed = value ? std::get_if<T>(value) : nullptr;
  EXPECT_NE(typed, nullptr) << key;
  return typed ? *typed : T();
}

TEST(Gguf, ReadsEveryMetadataTypeOfTheReferenceWriter) {
  const auto model = open_gguf_file(data_path("all_types.gguf"));
  ASSERT_TRUE(model) << model.error().to_string();
  const Metadata& m = model->metadata;
  EXPECT_EQ(value_of<uint8_t>(m, "t.u8"), 250);
  EXPECT_EQ(value_of<int8_t>(m, "t.i8"), -100);
  EXPECT_EQ(value_of<uint16_t>(m, "t.u16"), 65000);
  EXPECT_EQ(value_of<int16_t>(m, "t.i16"), -30000);
  EXPECT_EQ(value_of<uint32_t>(m, "t.u32"), 4000000000u);
  EXPECT_EQ(value_of<int32_t>(m, "t.i32"), -2000000000);
  EXPECT_EQ(value_of<float>(m, "t.f32"), 0.15625f);
  EXPECT_EQ(value_of<bool>(m, "t.bool"), true);
  EXPECT_EQ(value_of<std::string>(m, "t.string"), "na\xc3\xafve \xe2\x9c\x93");
  EXPECT_EQ(value_of<uint64_t>(m, "t.u64"), (uint64_t{1} << 63) + 5);
  EXPECT_EQ(value_of<int64_t>(m, "t.i64"), -(int64_t{1} << 62));
  EXPECT_EQ(value_of<double>(m, "t.f64"), 0.1);
}

TEST(Gguf, ReadsEveryArrayTypeOfTheReferenceWriter) {
  const auto model = open_gguf_file(data_path("all_types.gguf"));
  ASSERT_TRUE(model) << model.error().to_string();
  const Metadata& m = model->metadata;
  EXPECT_EQ(value_of<std::vector<uint8_t>>(m, "a.u8"), (std::vector<uint8_t>{0, 255}));
  EXPECT_EQ(value_of<std::vector<int8_t>>(m, "a.i8"), (std::vector<int8_t>{-128, 127}));
  EXPECT_EQ(value_of<std::vector<uint16_t>>(m, "a.u16"), (std::vector<uint16_t>{0, 65535}));
  EXPECT_EQ(value_of<std::vector<int16_t>>(m, "a.i16"), (std::vector<int16_t>{-32768, 32767}));
  EXPECT_EQ(value_of<std::vector<uint32_t>>(m, "a.u32"), (std::vector<uint32_t>{0, UINT32_MAX}));
  EXPECT_EQ(value_of<std::vector<int32_t>>(m, "a.i32"), (std::vector<int32_t>{INT32_MIN, INT32_MAX}));
  EXPECT_EQ(value_of<std::vector<float>>(m, "a.f32"), (std::vector<float>{0.5f, -2.0f}));
  EXPECT_EQ(value_of<std::vector<bool>>(m, "a.bool"), (std::vector<bool>{true, false, true}));
  EXPECT_EQ(value_of<std::vector<std::string>>(m, "a.string"), (std::vector<std::string>{"a", "", "\xc3\x9f"}));
  EXPECT_EQ(value_of<std::vector<uint64_t>>(m, "a.u64"), (std::vector<uint64_t>{0, UINT64_MAX}));
  EXPECT_EQ(value_of<std::vector<int64_t>>(m, "a.i64"), (std::vector<int64_t>{INT64_MIN, INT64_MAX}));
  EXPECT_EQ(value_of<std::vector<double>>(m, "a.f64"), (std::vector<double>{0.1, 1e300}));
}

TEST(Gguf, ReadsTheTensorsOfTheReferenceWriter) {
  const auto model = open_gguf_file(data_path("all_types.gguf"));
  ASSERT_TRUE(model) << model.error().to_string();
  const WeightIndex& w = model->weights;
  ASSERT_EQ(w.tensors().size(), 4u);
  const TensorInfo* experts = w.find("experts.f32");
  ASSERT_NE(experts, nullptr);
  EXPECT_EQ(experts->shape, (std::vector<uint64_t>{2, 3, 4}));
  EXPECT_EQ(experts->rows(), 6u);
  const auto values = w.read_f32(*w.id_of("experts.f32"));
  ASSERT_TRUE(values);
  for (size_t i = 0; i < values->size(); ++i) EXPECT_EQ((*values)[i], static_cast<float>(i) / 4);
  const TensorInfo* q8 = w.find("matrix.q8_0");
  ASSERT_NE(q8, nullptr);
  EXPECT_EQ(q8->format, Format::kQ8_0);
  EXPECT_EQ(q8->shape, (std::vector<uint64_t>{2, 64}));
  EXPECT_EQ(w.find("matrix.f16")->format, Format::kF16);
  EXPECT_EQ(w.find("missing"), nullptr);
  expect_error(w.id_of("missing"), ErrorCode::kInvalidFile, {"missing"});
}

TEST(Gguf, MapsRowsWithoutACopy) {
  const auto model = open_gguf_file(data_path("all_types.gguf"));
  ASSERT_TRUE(model);
  const WeightIndex& w = model->weights;
  const uint32_t id = *w.id_of("experts.f32");
  const auto rows = w.mapped_rows(id, 2, 3);
  ASSERT_EQ(rows.size(), 3u * 4 * sizeof(float));
  EXPECT_EQ(rows.data(), w.source(0).mapped().data() + w.tensors()[id].offset + 2 * 4 * sizeof(float));
  std::vector<std::byte> copy(rows.size());
  ASSERT_TRUE(w.read_rows(id, 2, 3, copy));
  EXPECT_EQ(std::memcmp(copy.data(), rows.data(), rows.size()), 0);
  w.release_rows(id, 0, 6);  // a hint only: the bytes stay readable
  EXPECT_EQ(std::memcmp(copy.data(), rows.data(), rows.size()), 0);
}

TEST(Gguf, ReadsVersion2) {
  GgufBytes file;
  file.version = 2;
  file.u32("llama.block_count", 3).tensor("t", {2}, 0);
  file.data = floats({1, 2});
  const auto model = read_one(memory(file.build()));
  ASSERT_TRUE(model) << model.error().to_string();
  EXPECT_EQ(*model->metadata.get_u32("llama.block_count"), 3u);
  EXPECT_EQ(*model->weights.read_f32(0), (std::vector<float>{1, 2}));
}

TEST(Gguf, DimensionsAreStoredInnermostFirst) {
  GgufBytes file;
  file.tensor("t", {2, 3}, 0);  // 3 rows of 2
  file.data = floats({1, 2, 3, 4, 5, 6});
  const auto model = read_one(memory(file.build()));
  ASSERT_TRUE(model) << model.error().to_string();
  EXPECT_EQ(model->weights.tensors()[0].shape, (std::vector<uint64_t>{3, 2}));
}

TEST(Gguf, RespectsGeneralAlignment) {
  for (const uint32_t alignment : {8u, 64u, 4096u, 65536u}) {
    GgufBytes file;
    file.alignment = alignment;
    file.u32("general.alignment", alignment).tensor("a", {2}, 0).tensor("b", {1}, alignment);
    file.data = floats({1, 2});
    file.data.resize(alignment, '\0');
    file.data += floats({7});
    const auto model = read_one(memory(file.build()));
    ASSERT_TRUE(model) << model.error().to_string();
    EXPECT_EQ(*model->weights.read_f32(1), (std::vector<float>{7})) << alignment;
  }
}

TEST(Gguf, ReadsAFileWithMetadataAlone) {
  GgufBytes file;
  file.str("general.architecture", "llama");
  const auto model = read_one(memory(file.header()));
  ASSERT_TRUE(model) << model.error().to_string();
  EXPECT_EQ(model->weights.tensors().size(), 0u);
}

TEST(Gguf, ReadsRangedSourcesInWindows) {
  GgufBytes file;
  Bytes tokens;
  tokens.u32(8).u64(20000);  // 20,000 strings: several windows
  for (int i = 0; i < 20000; ++i) tokens.str("token" + std::to_string(i));
  Bytes scores;
  scores.u32(6).u64(30000);  // one array larger than a window
  for (int i = 0; i < 30000; ++i) scores.put(static_cast<float>(i));
  file.key("tokenizer.ggml.tokens", 9, tokens).key("tokenizer.ggml.scores", 9, scores).tensor("t", {2}, 0);
  file.data = floats({1, 2});
  auto source = std::make_unique<RangedSource>(file.build());
  const RangedSource* const watched = source.get();
  const auto model = read_one(std::move(source));
  ASSERT_TRUE(model) << model.error().to_string();
  EXPECT_LT(watched->reads, 20);
  const auto strings = model->metadata.find_strings("tokenizer.ggml.tokens");
  ASSERT_TRUE(strings);
  EXPECT_EQ(strings->back(), "token19999");
  EXPECT_EQ((*model->metadata.find_f32s("tokenizer.ggml.scores"))[29999], 29999.0f);
  EXPECT_EQ(*model->weights.read_f32(0), (std::vector<float>{1, 2}));
  EXPECT_TRUE(model->weights.mapped_rows(0, 0, 1).empty());
}

TEST(Gguf, KeepsTheOrderOfKeysAndTensors) {
  GgufBytes file;
  file.u32("z", 1).u32("a", 2).tensor("y", {1}, 32).tensor("x", {1}, 0);
  file.data = floats({1}) + std::string(28, '\0') + floats({2});
  const auto model = read_one(memory(file.build()));
  ASSERT_TRUE(model) << model.error().to_string();
  EXPECT_EQ(model->metadata.entries()[0].key, "z");
  EXPECT_EQ(model->metadata.entries()[1].key, "a");
  EXPECT_EQ(model->weights.tensors()[0].name, "y");
  EXPECT_EQ(*model->weights.read_f32(0), (std::vector<float>{2}));
}

}  // namespace
}  // namespace tern::io
