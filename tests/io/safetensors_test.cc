// Safetensors: good files, and every way to break the format (https://huggingface.co/docs/safetensors).
#include "io/safetensors.h"

#include <cstdint>

#include "io/support.h"

namespace tern::io {
namespace {

constexpr std::string_view kGood =
    R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F16","shape":[2],"data_offsets":[8,12]},)"
    R"("a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}})";

std::string good() {
  return safetensors_bytes(kGood, floats({1, 2}) + std::string("\x00\x3c\x00\xc0", 4));
}

void expect_bad(const std::string& bytes, const std::vector<std::string>& texts,
                ErrorCode code = ErrorCode::kInvalidFile) {
  reset_largest_allocation();
  const auto tensors = read_safetensors_header(*memory(bytes));
  EXPECT_LT(largest_allocation(), 64 * bytes.size() + 4096);
  expect_error(tensors, code, texts);
}

void expect_bad_header(std::string_view header, const std::vector<std::string>& texts,
                       ErrorCode code = ErrorCode::kInvalidFile) {
  expect_bad(safetensors_bytes(header, std::string(16, '\0')), texts, code);
}

Result<WeightIndex> read_one(std::unique_ptr<ByteSource> source) {
  std::vector<std::unique_ptr<ByteSource>> shards;
  shards.push_back(std::move(source));
  return read_safetensors(std::move(shards), Json());
}

TEST(Safetensors, ReadsTensorsInTheOrderOfTheirBytes) {
  const auto weights = read_one(memory(good()));
  ASSERT_TRUE(weights) << weights.error().to_string();
  ASSERT_EQ(weights->tensors().size(), 2u);
  EXPECT_EQ(weights->tensors()[0].name, "a");
  EXPECT_EQ(weights->tensors()[0].shape, (std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(*weights->read_f32(0), (std::vector<float>{1, 2}));
  EXPECT_EQ(*weights->read_f32(1), (std::vector<float>{1, -2}));
  EXPECT_EQ(weights->mapped_rows(1, 0, 1).size(), 4u);
}

TEST(Safetensors, ReadsRangedSources) {
  const auto weights = read_one(std::make_unique<RangedSource>(good()));
  ASSERT_TRUE(weights) << weights.error().to_string();
  EXPECT_EQ(*weights->read_f32(1), (std::vector<float>{1, -2}));
  EXPECT_TRUE(weights->mapped_rows(1, 0, 1).empty());
}

TEST(Safetensors, AScalarHasOneElement) {
  const auto weights =
      read_one(memory(safetensors_bytes(R"({"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]}} )", floats({5}))));
  ASSERT_TRUE(weights) << weights.error().to_string();
  EXPECT_EQ(weights->tensors()[0].shape, (std::vector<uint64_t>{1}));
  EXPECT_EQ(*weights->read_f32(0), (std::vector<float>{5}));
}

TEST(SafetensorsBad, TruncationAtEveryByte) {
  const std::string whole = good();
  ASSERT_TRUE(read_safetensors_header(*memory(whole)));
  for (size_t n = 0; n < whole.size(); ++n) {
    reset_largest_allocation();
    const auto tensors = read_safetensors_header(*memory(whole.substr(0, n)));
    ASSERT_FALSE(tensors) << n;
    EXPECT_NE(tensors.error().to_string().find("incomplete"), std::string::npos) << tensors.error().to_string();
    EXPECT_LT(largest_allocation(), 64u << 10);
  }
}

TEST(SafetensorsBad, EveryByteSpoiltNeverCrashes) {
  const std::string whole = good();
  for (size_t i = 0; i < whole.size(); ++i) {
    for (const char value : {'\x00', '\x01', '"', '9', '[', '{', '\xff'}) {
      std::string bytes = whole;
      bytes[i] = value;
      (void)read_safetensors_header(*memory(bytes));
    }
  }
}

TEST(SafetensorsBad, HeaderLongerThanTheFile) {
  for (const uint64_t length :
       {uint64_t{0}, uint64_t{1}, uint64_t{1000}, uint64_t{1} << 63, UINT64_MAX, UINT64_MAX - 7}) {
    expect_bad(Bytes().u64(length).s + std::string(kGood), {"header's length", "100,000,000", "bytes follow"});
  }
}

TEST(SafetensorsBad, DeepJson) {
  const std::string deep(100000, '[');
  expect_bad_header(deep, {"The header has an array"});
  expect_bad_header(R"({"a":{"shape":)" + deep, {"Tensor a has an array"});
  expect_bad_header(R"({"__metadata__":)" + deep, {"__metadata__"});
  std::string objects = R"({"a":{"dtype":)";
  for (int i = 0; i < 100000; ++i) objects += R"({"a":)";
  expect_bad_header(objects, {"Tensor a has an object"});
}

TEST(SafetensorsBad, NotJson) {
  expect_bad_header("{\"a\"", {"not valid JSON"});
  expect_bad_header("{}garbage", {"not valid JSON"});
  expect_bad_header("{\"\xff\":1}", {"not valid JSON"});
}

TEST(SafetensorsBad, WrongShapeOfJson) {
  expect_bad_header("[]", {"array"});
  expect_bad_header("12", {"number"});
  expect_bad_header("null", {"null"});
  expect_bad_header(R"({"a":1})", {"number"});
  expect_bad_header(R"({"a":[]})", {"array"});
  expect_bad_header(R"({"a":{"dtype":[]}})", {"Tensor a"});
  expect_bad_header(R"({"a":{"shape":"x"}})", {"Tensor a", "string"});
  expect_bad_header(R"({"a":{"shape":[-1]}})", {"Tensor a", "negative"});
  expect_bad_header(R"({"a":{"shape":[1.5]}})", {"Tensor a", "fraction"});
  expect_bad_header(R"({"a":{"shape":[true]}})", {"Tensor a", "bool"});
  expect_bad_header(R"({"a":{"shape":[1,1,1,1,1,1,1,1,1]}})", {"Tensor a", "more than 8"});
  expect_bad_header(R"({"a":{"colour":"red"}})", {"Tensor a", "colour"});
  expect_bad_header(R"({"__metadata__":{"a":1}})", {"__metadata__"});
}

TEST(SafetensorsBad, MissingFields) {
  expect_bad_header(R"({"a":{}})", {"tensor a", "dtype, shape and data_offsets"});
  expect_bad_header(R"({"a":{"dtype":"F32","shape":[4]}})", {"tensor a", "data_offsets"});
  expect_bad_header(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0]}})", {"tensor a", "[begin, end]"});
  expect_bad_header(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,8,16]}})", {"tensor a", "[begin, end]"});
}

TEST(SafetensorsBad, DuplicateNames) {
  expect_bad_header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{)", {"\"a\" appears twice"});
  expect_bad_header(R"({"a":{"dtype":"F32","dtype":"F32"}})", {"Tensor a", "\"dtype\" twice"});
  expect_bad_header(R"({"__metadata__":{},"__metadata__":{}})", {"__metadata__", "twice"});
}

TEST(SafetensorsBad, UnknownDtype) {
  expect_bad_header(R"({"a":{"dtype":"F8_E4M3","shape":[16],"data_offsets":[0,16]}})", {"tensor a", "F8_E4M3", "BF16"},
                    ErrorCode::kUnsupported);
}

TEST(SafetensorsBad, Offsets) {
  expect_bad_header(R"({"a":{"dtype":"F32","shape":[8],"data_offsets":[0,32]}})", {"tensor a", "[0, 32]", "16 bytes"});
  expect_bad_header(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[16,0]}})", {"tensor a", "[16, 0]"});
  expect_bad_header(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,18446744073709551615]}})", {"tensor a"});
  expect_bad_header(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,18446744073709551616]}})",
                    {"Tensor a", "fraction"});
}

TEST(SafetensorsBad, LengthsThatDisagree) {
  expect_bad_header(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,16]}})",
                    {"tensor a", "[3] of F32", "16 bytes"});
  expect_bad_header(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,15]}})", {"tensor a", "15 bytes"});
  expect_bad_header(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,16]}})",
                    {"tensor a", "2^63"});
  expect_bad_header(R"({"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})", {"tensor a", "at least 1"});
}

TEST(SafetensorsBad, OverlapsAndGaps) {
  const auto pair = [](std::string_view a, std::string_view b) {
    constexpr const char* kTwo = R"({{"a":{{"dtype":"F32","shape":[2],"data_offsets":{}}},)"
                                 R"("b":{{"dtype":"F32","shape":[2],"data_offsets":{}}}}})";
    return fmt::format(fmt::runtime(kTwo), a, b);
  };
  expect_bad_header(pair("[0,8]", "[0,8]"), {"a (", "b (", "overlap"});
  expect_bad_header(pair("[0,8]", "[4,12]"), {"overlap"});
  expect_bad(safetensors_bytes(pair("[0,8]", "[12,20]"), std::string(20, '\0')), {"before tensor b", "no tensor"});
  expect_bad(safetensors_bytes(pair("[4,12]", "[12,20]"), std::string(20, '\0')), {"before tensor a", "no tensor"});
  expect_bad(safetensors_bytes(pair("[0,8]", "[8,16]"), std::string(20, '\0')), {"tensors end at byte", "damaged"});
}

TEST(SafetensorsBad, DuplicateTensorsInTwoShards) {
  std::vector<std::unique_ptr<ByteSource>> shards;
  shards.push_back(memory(good()));
  shards.push_back(memory(good()));
  expect_error(read_safetensors(std::move(shards), Json()), ErrorCode::kInvalidFile, {"Tensor a", "two files"});
}

class Sharded : public ::testing::Test {
 protected:
  void SetUp() override {
    dir_.write("1.safetensors",
               safetensors_bytes(R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", floats({1})));
    dir_.write("2.safetensors",
               safetensors_bytes(R"({"y":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", floats({2})));
  }
  Result<WeightIndex> open(std::string_view index) {
    return open_safetensors(dir_.write("model.safetensors.index.json", index), Json());
  }
  TempDir dir_;
};

TEST_F(Sharded, ReadsAllShards) {
  const auto weights = open(R"({"weight_map":{"x":"1.safetensors","y":"2.safetensors"}})");
  ASSERT_TRUE(weights) << weights.error().to_string();
  EXPECT_EQ(*weights->read_f32(*weights->id_of("x")), std::vector<float>{1});
  EXPECT_EQ(*weights->read_f32(*weights->id_of("y")), std::vector<float>{2});
}

TEST_F(Sharded, RefusesNamesOutsideTheFolder) {
  dir_.write("3", "");
  for (const std::string_view name :
       {"../1.safetensors", "/etc/passwd", "a/../1.safetensors", "..", ".", "", "a\\\\b", "a\\u0000b"}) {
    expect_error(open(fmt::format(R"({{"weight_map":{{"x":"{}"}}}})", name)), ErrorCode::kInvalidFile,
                 {"weight_map", "tensor x", "same folder", "model.safetensors.index.json"});
  }
  expect_error(open(R"({"weight_map":{"x":5}})"), ErrorCode::kInvalidFile, {"tensor x", "number"});
}

TEST_F(Sharded, MissingShard) {
  expect_error(open(R"({"weight_map":{"x":"1.safetensors","z":"3.safetensors"}})"), ErrorCode::kNotFound,
               {"3.safetensors", "download all"});
}

TEST_F(Sharded, TensorInAnotherShardOrNone) {
  expect_error(open(R"({"weight_map":{"x":"2.safetensors","y":"1.safetensors"}})"), ErrorCode::kInvalidFile,
               {"Tensor x", "should be in 2.safetensors", "is in 1.safetensors"});
  expect_error(open(R"({"weight_map":{"x":"1.safetensors","z":"2.safetensors"}})"), ErrorCode::kInvalidFile,
               {"Tensor z", "no shard has it"});
}

TEST_F(Sharded, BadIndex) {
  expect_error(open("{}"), ErrorCode::kInvalidFile, {"weight_map"});
  expect_error(open(R"({"weight_map":{}})"), ErrorCode::kInvalidFile, {"weight_map"});
  expect_error(open(R"({"weight_map":[]})"), ErrorCode::kInvalidFile, {"weight_map"});
  expect_error(open("nonsense"), ErrorCode::kInvalidFile, {"JSON"});
  expect_error(open(std::string(200, '[')), ErrorCode::kInvalidFile, {"nested"});
}

}  // namespace
}  // namespace tern::io
