// Llama 3's real vocabulary against other encoders: ids of llama3-tokenizer-js (tools/gen_text_vectors.mjs). The
// vocabulary is too large to commit: `npm ci` in tests/peers extracts it; without it these tests are skipped.
#include <gtest/gtest.h>

#include "text/tests_text.h"
#include "text/tokenizer.h"

namespace tern::text {
namespace {

class Llama3Test : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const std::string path = TERN_SOURCE_DIR "/tests/peers/node_modules/.tern/llama3_vocabulary.json";
    const std::string json = read_file(path);
    if (json.empty()) return;
    const Json file = *parse_json(json);
    TokenizerSpec spec;
    spec.kind = "gpt2";
    spec.pre = "llama-bpe";
    for (const Json& token : file["tokens"]) spec.tokens.push_back(token.get<std::string>());
    for (const Json& merge : file["merges"]) spec.merges.push_back(merge.get<std::string>());
    spec.types.assign(spec.tokens.size(), TokenType::kNormal);
    for (size_t id = 128000; id < spec.tokens.size(); ++id) spec.types[id] = TokenType::kControl;
    spec.bos = 128000;
    spec.eos = 128001;
    auto made = make_tokenizer(std::move(spec));
    ASSERT_TRUE(made) << made.error().to_string();
    tokenizer_ = *std::move(made);
  }
  static void TearDownTestSuite() { tokenizer_.reset(); }
  void SetUp() override {
    if (!tokenizer_) GTEST_SKIP() << "Llama 3's vocabulary is not there; `make setup` extracts it into tests/peers.";
  }

  static inline std::unique_ptr<Tokenizer> tokenizer_;
};

TEST_F(Llama3Test, IdsEqualThePeers) {
  const Json vectors = read_json(data_path("llama3_vectors.json"));
  ASSERT_GE(vectors.size(), 500u);
  for (const Json& row : vectors) {
    const auto text = row[0].get<std::string>();
    const auto ids = tokenizer_->encode(text, {.special = true});
    ASSERT_TRUE(ids);
    EXPECT_EQ(*ids, row[1].get<std::vector<int32_t>>()) << row[0].dump();
  }
}

// tiktoken is what Meta's own code uses; here it decides about the spaces that JavaScript sees differently.
TEST_F(Llama3Test, IdsEqualTiktokens) {
  for (const Json& row : read_json(data_path("tiktoken_vectors.json"))) {
    const auto ids = tokenizer_->encode(row[0].get<std::string>());
    ASSERT_TRUE(ids);
    EXPECT_EQ(*ids, row[1].get<std::vector<int32_t>>()) << row[0].dump();
  }
}

TEST_F(Llama3Test, DecodingGivesTheBytesBack) {
  std::string all;
  for (const Json& row : read_json(data_path("llama3_vectors.json"))) all += row[0].get<std::string>();
  all += "\xff\xfe\xc3(\xe2\x82\xf0\x9f\x98 cut";  // what no peer takes: invalid UTF-8
  const auto ids = tokenizer_->encode(all);
  ASSERT_TRUE(ids);
  std::string back;
  for (const int32_t id : *ids) back += tokenizer_->bytes_of(id);
  EXPECT_EQ(back, all);
}

TEST_F(Llama3Test, ControlTokensAreOnlyReadWhenAsked) {
  const auto plain = tokenizer_->encode("<|eot_id|>");
  const auto special = tokenizer_->encode("<|eot_id|>", {.bos = true, .special = true});
  ASSERT_TRUE(plain && special);
  EXPECT_EQ(*special, (std::vector<int32_t>{128000, 128009}));
  EXPECT_GT(plain->size(), 1u);
  for (const int32_t id : *plain) EXPECT_LT(id, 128000);
}

TEST_F(Llama3Test, ModelCardFacts) {
  EXPECT_TRUE(tokenizer_->add_bos());
  EXPECT_TRUE(tokenizer_->is_end(128001));  // <|end_of_text|>
  EXPECT_TRUE(tokenizer_->is_end(128009));  // <|eot_id|>
  EXPECT_FALSE(tokenizer_->is_end(128006));
  EXPECT_EQ(tokenizer_->bytes_of(128009), "");
  EXPECT_EQ(tokenizer_->name_of(128009), "<|eot_id|>");
}

// A quadratic merge loop would take hours here, which ctest does not wait for.
TEST_F(Llama3Test, OneMegabyteWithoutASpaceEnds) {
  std::string word;
  while (word.size() < 1'000'000) word += "abcdefghijklmnopqrstuvwxyz"[word.size() * word.size() % 26];
  for (const std::string& text : {word, std::string(1'000'000, 'a'), std::string(1'000'000, ' ')}) {
    const auto ids = tokenizer_->encode(text);
    ASSERT_TRUE(ids);
    EXPECT_GT(ids->size(), 1000u);
  }
}

}  // namespace
}  // namespace tern::text
