#include "base/json.h"

#include <gtest/gtest.h>

namespace tern {
namespace {

TEST(Json, KeepsTheOrderAndTheKindsOfValues) {
  const std::string text = R"({"z":1,"a":[true,null,-2,1.5,"\u00e9"],"m":{"":{}},"e":[]})";
  const auto json = parse_json(text);
  ASSERT_TRUE(json) << json.error().to_string();
  EXPECT_EQ(json->dump(), R"({"z":1,"a":[true,null,-2,1.5,"é"],"m":{"":{}},"e":[]})");
}

TEST(Json, ErrorsNameTheByteOrTheField) {
  EXPECT_EQ(parse_json(R"({"a": 1,})").error().message,
            "The text is not valid JSON at byte 9. (The text has 9 bytes.)");
  EXPECT_NE(parse_json(R"({"a": 1, "b": 2, "a": 3})").error().message.find("\"a\" twice"), std::string::npos);
  EXPECT_FALSE(parse_json(""));
  EXPECT_FALSE(parse_json("1 2"));
  EXPECT_FALSE(parse_json("[1e999]"));
  EXPECT_FALSE(parse_json(std::string(129, '[') + std::string(129, ']')));
  EXPECT_TRUE(parse_json(std::string(128, '[') + std::string(128, ']')));
}

// A vocabulary has 128k fields and more. Comparing each new key with all before it takes half a minute; linear time is
// a blink. Also: the hashed keys still find what stands twice.
TEST(Json, LargeObjectsInLinearTime) {
  std::string text = "{";
  for (int i = 0; i < 300'000; ++i) text += "\"token" + std::to_string(i) + "\":" + std::to_string(i) + ",";
  const auto json = parse_json(text + "\"last\":0}");
  ASSERT_TRUE(json);
  EXPECT_EQ(json->size(), 300'001u);
  EXPECT_FALSE(parse_json(text + "\"token77\":0}"));
  EXPECT_FALSE(parse_json(text + "\"token7\":0}"));
}

}  // namespace
}  // namespace tern
