#include "io/metadata.h"

#include <cstdint>

#include "io/support.h"

namespace tern::io {
namespace {

TEST(Metadata, GetU32TakesEveryIntegerTypeThatFits) {
  Metadata m;
  for (const Metadata::Value& value :
       {Metadata::Value(uint8_t{7}), Metadata::Value(int8_t{7}), Metadata::Value(uint16_t{7}),
        Metadata::Value(int16_t{7}), Metadata::Value(uint32_t{7}), Metadata::Value(int32_t{7}),
        Metadata::Value(uint64_t{7}), Metadata::Value(int64_t{7})}) {
    const std::string key = type_name(value);
    ASSERT_TRUE(m.add(key, value));
    EXPECT_EQ(*m.get_u32(key), 7u) << key;
    EXPECT_EQ(*m.get_u64(key), 7u) << key;
    EXPECT_EQ(*m.get_f32(key), 7.0f) << key;
  }
}

TEST(Metadata, GetU32RefusesWhatDoesNotFit) {
  Metadata m;
  ASSERT_TRUE(m.add("negative", int32_t{-1}));
  ASSERT_TRUE(m.add("wide", uint64_t{1} << 32));
  ASSERT_TRUE(m.add("float", 1.0f));
  ASSERT_TRUE(m.add("flag", true));
  expect_error(m.get_u32("negative"), ErrorCode::kInvalidFile, {"negative", "i32", "-1", "0 to 4294967295"});
  expect_error(m.get_u32("wide"), ErrorCode::kInvalidFile, {"wide", "u64", "4294967296"});
  expect_error(m.get_u32("float"), ErrorCode::kInvalidFile, {"float", "f32"});
  expect_error(m.get_u32("flag"), ErrorCode::kInvalidFile, {"flag", "bool", "true"});
  EXPECT_EQ(*m.get_u64("wide"), uint64_t{1} << 32);
}

TEST(Metadata, FallbacksServeAbsentKeysOnly) {
  Metadata m;
  ASSERT_TRUE(m.add("text", std::string("x")));
  EXPECT_EQ(*m.get_u32("absent", 3), 3u);
  EXPECT_EQ(*m.get_f32("absent", 0.5f), 0.5f);
  EXPECT_EQ(*m.get_bool("absent", true), true);
  EXPECT_EQ(*m.get_string("absent", "y"), "y");
  expect_error(m.get_u32("absent"), ErrorCode::kInvalidFile, {"no key absent"});
  expect_error(m.get_u32("text", 3), ErrorCode::kInvalidFile, {"text is string"});
  expect_error(m.get_f32("text", 3.0f), ErrorCode::kInvalidFile, {"expected a number"});
  expect_error(m.get_bool("text", true), ErrorCode::kInvalidFile, {"expected a bool"});
}

TEST(Metadata, Arrays) {
  Metadata m;
  ASSERT_TRUE(m.add("u32s", std::vector<uint32_t>{1, 2}));
  ASSERT_TRUE(m.add("bools", std::vector<bool>{true, false}));
  ASSERT_TRUE(m.add("f64s", std::vector<double>{0.5}));
  ASSERT_TRUE(m.add("too_large", std::vector<uint32_t>{UINT32_MAX}));
  ASSERT_TRUE(m.add("strings", std::vector<std::string>{"a"}));
  EXPECT_EQ(*m.find_i32s("u32s"), (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(*m.find_i32s("bools"), (std::vector<int32_t>{1, 0}));
  EXPECT_EQ(*m.find_f32s("u32s"), (std::vector<float>{1, 2}));
  EXPECT_EQ(*m.find_f32s("f64s"), (std::vector<float>{0.5f}));
  EXPECT_EQ(m.find_strings("strings")->front(), "a");
  EXPECT_TRUE(m.find_i32s("absent")->empty());
  EXPECT_TRUE(m.find_f32s("absent")->empty());
  EXPECT_TRUE(m.find_strings("absent")->empty());
  expect_error(m.find_i32s("too_large"), ErrorCode::kInvalidFile, {"too_large", "array of u32"});
  expect_error(m.find_i32s("f64s"), ErrorCode::kInvalidFile, {"array of f64"});
  expect_error(m.find_f32s("strings"), ErrorCode::kInvalidFile, {"array of string", "numbers"});
  expect_error(m.find_strings("u32s"), ErrorCode::kInvalidFile, {"array of u32", "strings"});
}

TEST(Metadata, RefusesDuplicateKeys) {
  Metadata m;
  ASSERT_TRUE(m.add("k", uint8_t{1}));
  expect_error(m.add("k", uint8_t{2}), ErrorCode::kInvalidFile, {"k appears twice"});
  EXPECT_EQ(*m.get_u32("k"), 1u);
}

TEST(Metadata, DescribesForPeople) {
  EXPECT_EQ(describe(Metadata::Value(int64_t{-5})), "-5");
  EXPECT_EQ(describe(Metadata::Value(std::string("a\nb"))), "\"a\\x0ab\"");
  EXPECT_EQ(describe(Metadata::Value(std::vector<uint8_t>(5000, 1))), "5,000 elements: [1, 1, 1, 1, ...]");
  EXPECT_EQ(type_name(Metadata::Value(std::vector<std::string>())), "array of string");
}

}  // namespace
}  // namespace tern::io
