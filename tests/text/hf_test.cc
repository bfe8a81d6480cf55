// tokenizer.json: small tokenizers trained by Hugging Face's `tokenizers`, whose ids are the truth
// (tools/gen_text_vectors.py). They cover the three pre-tokenizers, NFC, added tokens and a BOS from the
// post-processor.
#include <gtest/gtest.h>

#include "text/tests_text.h"
#include "text/tokenizer.h"

namespace tern::text {
namespace {

Result<std::unique_ptr<Tokenizer>> load(const Json& tokenizer, const Json& config = nullptr) {
  return make_tokenizer(TRY(spec_from_hf(tokenizer, config)));
}

class HfTest : public testing::TestWithParam<const char*> {};

TEST_P(HfTest, IdsEqualThoseOfTokenizers) {
  const Json file = read_json(data_path(std::string("hf_") + GetParam() + ".json"));
  const auto tokenizer = load(file["tokenizer"]);
  ASSERT_TRUE(tokenizer) << tokenizer.error().to_string();
  const Tokenizer& t = **tokenizer;
  EXPECT_EQ(t.add_bos(), GetParam() == std::string("llama3"));
  for (const Json& row : file["vectors"]) {
    const auto ids = t.encode(row[0].get<std::string>(), {.bos = t.add_bos(), .special = true});
    ASSERT_TRUE(ids);
    EXPECT_EQ(*ids, row[1].get<std::vector<int32_t>>()) << row[0].dump();
  }
}

INSTANTIATE_TEST_SUITE_P(PreTokenizers, HfTest, testing::Values("llama3", "qwen2", "gpt2"));

Json tiny() {
  return *parse_json(R"({
    "added_tokens": [{"id": 3, "content": "<s>", "special": true}, {"id": 4, "content": "<t>", "special": false}],
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}
  })");
}

TEST(Hf, MergesAreStringsOrPairs) {
  Json pairs = tiny();
  pairs["model"]["merges"] = *parse_json(R"([["a", "b"]])");
  for (const Json& json : {tiny(), pairs}) {
    const auto t = load(json);
    ASSERT_TRUE(t) << t.error().to_string();
    EXPECT_EQ(*(*t)->encode("abba<s><t>"), (std::vector<int32_t>{2, 1, 0, 4}));  // no token for < and s: left out
    EXPECT_EQ(*(*t)->encode("ab<s>", {.special = true}), (std::vector<int32_t>{2, 3}));
  }
}

TEST(Hf, SpecialTokensOfTheConfig) {
  const Json config = *parse_json(R"({"bos_token": "<s>", "eos_token": {"content": "<s>"}, "pad_token": null,
                                      "add_bos_token": true})");
  const auto t = load(tiny(), config);
  ASSERT_TRUE(t) << t.error().to_string();
  EXPECT_EQ((*t)->bos(), 3);
  EXPECT_TRUE((*t)->is_end(3));
  EXPECT_EQ((*t)->pad(), -1);
  EXPECT_TRUE((*t)->add_bos());
  EXPECT_EQ((*t)->name_of(4), "<t>");
  EXPECT_EQ((*t)->bytes_of(4), "<t>");
  EXPECT_EQ((*t)->bytes_of(3), "");
}

struct Bad {
  const char* pointer;
  const char* value;
  ErrorCode code;
  const char* message;
};

TEST(Hf, BadFilesGiveOneClearError) {
  const Bad cases[] = {
      {"/model", "null", ErrorCode::kInvalidFile, "\"model\" is missing"},
      {"/model", "[]", ErrorCode::kInvalidFile, "\"model\" is not an object"},
      {"/model/type", "\"Unigram\"", ErrorCode::kUnsupported, "\"Unigram\"; Tern knows BPE"},
      {"/model/type", "7", ErrorCode::kInvalidFile, "\"type\" is 7"},
      {"/model/byte_fallback", "true", ErrorCode::kUnsupported, "byte fallback"},
      {"/model/end_of_word_suffix", "\"</w>\"", ErrorCode::kUnsupported, "\"</w>\""},
      {"/model/vocab", "[]", ErrorCode::kInvalidFile, "model.vocab"},
      {"/model/vocab/a", "-1", ErrorCode::kInvalidFile, "id -1, expected a number from 0"},
      {"/model/vocab/a", "4000000000", ErrorCode::kInvalidFile, "id 4000000000, expected a number from 0 to"},
      {"/model/vocab/a", "1", ErrorCode::kInvalidFile, "both have id 1"},
      {"/model/vocab/a", "\"x\"", ErrorCode::kInvalidFile, "id \"x\""},
      {"/model/merges", "{}", ErrorCode::kInvalidFile, "model.merges"},
      {"/model/merges", "[3]", ErrorCode::kInvalidFile, "Merge 0"},
      {"/model/merges", "[[\"a\"]]", ErrorCode::kInvalidFile, "Merge 0"},
      {"/added_tokens", "{}", ErrorCode::kInvalidFile, "added_tokens"},
      {"/added_tokens/0/content", "null", ErrorCode::kInvalidFile, "\"content\" is missing"},
      {"/added_tokens/0/id", "null", ErrorCode::kInvalidFile, "id null"},
      {"/added_tokens/0/special", "3", ErrorCode::kInvalidFile, "\"special\" is 3"},
      {"/pre_tokenizer", "null", ErrorCode::kUnsupported, "pre_tokenizer"},
      {"/pre_tokenizer/type", "\"Metaspace\"", ErrorCode::kUnsupported, "\"Metaspace\""},
      {"/pre_tokenizer/add_prefix_space", "true", ErrorCode::kUnsupported, "add_prefix_space"},
      {"/normalizer", "{\"type\": \"Lowercase\"}", ErrorCode::kUnsupported, "\"Lowercase\"; Tern knows NFC"},
      {"/post_processor", "{\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"<none>\"}}]}",
       ErrorCode::kInvalidFile, "\"<none>\", which is no token"},
  };
  for (const Bad& c : cases) {
    Json json = tiny();
    json[Json::json_pointer(c.pointer)] = *parse_json(c.value);
    const auto spec = spec_from_hf(json, nullptr);
    ASSERT_FALSE(spec) << c.pointer << " = " << c.value;
    EXPECT_EQ(spec.error().code, c.code) << spec.error().to_string();
    EXPECT_NE(spec.error().to_string().find(c.message), std::string::npos) << spec.error().to_string();
  }
  EXPECT_FALSE(spec_from_hf(Json::array(), nullptr));
}

}  // namespace
}  // namespace tern::text
