// What every tokenizer specification is checked for, and byte-level BPE on vocabularies small enough to follow by hand.
#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include "text/pretokenizer.h"
#include "text/unicode.h"

namespace tern::text {
namespace {

using Ids = std::vector<int32_t>;

TokenizerSpec small() {
  TokenizerSpec spec;
  spec.kind = "bpe";
  spec.tokens = {"a", "b", "c", "ab", "abc", "Ġ", "<end>", "<u>", "[pad]"};
  spec.types.assign(9, TokenType::kNormal);
  spec.types[6] = TokenType::kControl;
  spec.types[7] = TokenType::kUserDefined;
  spec.types[8] = TokenType::kUnused;
  spec.merges = {"a b", "ab c"};
  return spec;
}

TEST(Bpe, MergesTheEarliestRuleFirst) {
  const auto t = make_tokenizer(small());
  ASSERT_TRUE(t) << t.error().to_string();
  EXPECT_EQ(*(*t)->encode("abcab cba"), (Ids{4, 3, 5, 2, 1, 0}));
  EXPECT_EQ(*(*t)->encode(""), Ids{});
  EXPECT_EQ((*t)->bytes_of(5), " ");
  EXPECT_EQ((*t)->bytes_of(8), "");
  EXPECT_EQ((*t)->bytes_of(-1), "");
  EXPECT_EQ((*t)->bytes_of(9), "");
}

TEST(Bpe, IgnoreMergesTakesWholePieces) {
  TokenizerSpec spec = small();
  spec.merges = {};
  spec.ignore_merges = true;
  const auto t = make_tokenizer(spec);
  ASSERT_TRUE(t);
  EXPECT_EQ(*(*t)->encode("abc"), Ids{4});
  EXPECT_EQ(*(*t)->encode("abca"), (Ids{0, 1, 2, 0}));
}

TEST(Bpe, BytesWithoutATokenAreUnknownOrLeftOut) {
  TokenizerSpec spec = small();
  EXPECT_EQ(*(*make_tokenizer(spec))->encode("aza"), (Ids{0, 0}));
  spec.unk = 2;
  EXPECT_EQ(*(*make_tokenizer(spec))->encode("aza"), (Ids{0, 2, 0}));
}

TEST(Tokenizer, SpecialTokensAreTheLongestMatch) {
  TokenizerSpec spec = small();
  spec.tokens.insert(spec.tokens.end(), {"<end><u>", "<end"});
  spec.types.insert(spec.types.end(), {TokenType::kControl, TokenType::kUserDefined});
  spec.bos = 6;
  const auto t = make_tokenizer(spec);
  ASSERT_TRUE(t);
  EXPECT_EQ(*(*t)->encode("a<end><u><end>b<end<u>", {.bos = true, .special = true}), (Ids{6, 0, 9, 6, 1, 10, 7}));
  EXPECT_EQ(*(*t)->encode("<end>"), (Ids{10}));  // not asked for control tokens: "<end" is user-defined, ">" unknown
}

TEST(Tokenizer, DefaultsOfTheLlama3PreTokenizer) {
  TokenizerSpec spec = small();
  spec.pre = "llama-bpe";
  EXPECT_FALSE((*make_tokenizer(spec))->add_bos());  // there is no BOS
  spec.bos = 6;
  EXPECT_TRUE((*make_tokenizer(spec))->add_bos());
  spec.add_bos = false;
  EXPECT_FALSE((*make_tokenizer(spec))->add_bos());
}

struct Bad {
  const char* what;
  void (*change)(TokenizerSpec&);
  ErrorCode code;
  const char* message;
};

TEST(Tokenizer, BadSpecificationsGiveOneClearError) {
  const Bad cases[] = {
      {"kind", [](TokenizerSpec& s) { s.kind = "unigram"; }, ErrorCode::kUnsupported, "Tern knows \"bpe\", \"gpt2\""},
      {"pre", [](TokenizerSpec& s) { s.pre = "tekken"; }, ErrorCode::kUnsupported, "\"tekken\"; Tern knows llama-bpe"},
      {"empty", [](TokenizerSpec& s) { s.tokens.clear(); }, ErrorCode::kInvalidFile,
       "The vocabulary has 0 tokens, allowed are 1 to"},
      {"types", [](TokenizerSpec& s) { s.types.pop_back(); }, ErrorCode::kInvalidFile, "9 tokens but 8 token types"},
      {"type 0", [](TokenizerSpec& s) { s.types[2] = TokenType(0); }, ErrorCode::kInvalidFile, "Token 2 has type 0"},
      {"type 7", [](TokenizerSpec& s) { s.types[2] = TokenType(7); }, ErrorCode::kInvalidFile, "Token 2 has type 7"},
      {"UTF-8", [](TokenizerSpec& s) { s.tokens[1] = "\xC3("; }, ErrorCode::kInvalidFile, "Token 1 is not valid UTF-8"},
      {"twice", [](TokenizerSpec& s) { s.tokens[1] = s.tokens[0]; }, ErrorCode::kInvalidFile,
       "Tokens 0 and 1 are both \"a\""},
      {"bos", [](TokenizerSpec& s) { s.bos = 9; }, ErrorCode::kInvalidFile,
       "BOS token has id 9, allowed are those of the vocabulary, 0 to 8"},
      {"eos", [](TokenizerSpec& s) { s.eos = -2; }, ErrorCode::kInvalidFile, "EOS token has id -2"},
      {"eot", [](TokenizerSpec& s) { s.eot = INT32_MAX; }, ErrorCode::kInvalidFile,
       "end-of-turn token has id 2147483647"},
      {"end", [](TokenizerSpec& s) { s.extra_end_ids = {1, 10}; }, ErrorCode::kInvalidFile, "end token has id 10"},
      {"piece", [](TokenizerSpec& s) { s.merges[0] = "a z"; }, ErrorCode::kInvalidFile,
       "Merge 0 \"a z\" needs the token \"z\""},
      {"whole", [](TokenizerSpec& s) { s.merges[1] = "b c"; }, ErrorCode::kInvalidFile,
       "Merge 1 \"b c\" needs the token \"bc\""},
      {"no space", [](TokenizerSpec& s) { s.merges[1] = "abc"; }, ErrorCode::kInvalidFile,
       "Merge 1 is \"abc\", expected two"},
      {"half", [](TokenizerSpec& s) { s.merges[1] = "abc "; }, ErrorCode::kInvalidFile, "Merge 1 is \"abc \""},
      {"long", [](TokenizerSpec& s) { s.tokens[6] = std::string(300, 'x'); }, ErrorCode::kInvalidFile,
       "token 6 has 300 bytes"},
  };
  for (const Bad& c : cases) {
    TokenizerSpec spec = small();
    c.change(spec);
    const auto t = make_tokenizer(spec);
    ASSERT_FALSE(t) << c.what;
    EXPECT_EQ(t.error().code, c.code) << c.what;
    EXPECT_NE(t.error().to_string().find(c.message), std::string::npos) << t.error().to_string();
  }
}

TEST(PreTokenizer, InvalidUtf8StaysInOnePieceWithItsBytes) {
  std::vector<std::string> pieces;
  pre_tokenize(PreTokenizer::kLlama3, "a\xff\xfe b\xe2\x82", [&](std::string_view p) { pieces.emplace_back(p); });
  EXPECT_EQ(pieces, (std::vector<std::string>{"a", "\xff\xfe", " b", "\xe2\x82"}));
}

// The examples of Unicode Standard Annex 15, table 1 and figure 5.
TEST(Unicode, NormalizationFormC) {
  EXPECT_EQ(to_nfc("\u1E0A\u0323"), "\u1E0C\u0307");
  EXPECT_EQ(to_nfc("D\u0307\u0323"), "\u1E0C\u0307");
  EXPECT_EQ(to_nfc("\u212B"), "\u00C5");
  EXPECT_EQ(to_nfc("\u2126"), "\u03A9");
  EXPECT_EQ(to_nfc("\uFB01"), "\uFB01");
  EXPECT_EQ(to_nfc("\u1E9B\u0323"), "\u1E9B\u0323");
  EXPECT_EQ(to_nfc("\u1100\u1161\u11A8"), "\uAC01");
  EXPECT_EQ(to_nfc("\u0958"), "\u0915\u093C");                                  // a composition exclusion
  EXPECT_EQ(to_nfc("x\u0301\u0323\u0300\u0324"), "x\u0323\u0324\u0301\u0300");  // by class, else as they stood
  EXPECT_EQ(to_nfc("e\xff\u0301"), "e\xff\u0301");
}

// The table of best practice in The Unicode Standard 16, section 3.9 (table 3-8): one U+FFFD per maximal subpart.
TEST(Unicode, MaximalSubparts) {
  const std::string text =
      "a\xF1\x80\x80\xE1\x80\xC2"
      "b\x80"
      "c\x80\xBF"
      "d";
  std::string out;
  for (size_t pos = 0; pos < text.size();) {
    const Decoded d = decode_utf8(text, pos);
    append_utf8(out, d.code_point);
    pos += d.length;
  }
  EXPECT_EQ(out, "a\uFFFD\uFFFD\uFFFDb\uFFFDc\uFFFD\uFFFDd");
  for (const char* bad : {"\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF5"}) {
    EXPECT_FALSE(is_valid_utf8(bad));
  }
}

}  // namespace
}  // namespace tern::text
