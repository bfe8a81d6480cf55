// What people type never becomes a control token, wherever the template puts it; what the template says still does.
#include "text/guard.h"

#include <gtest/gtest.h>

#include "text/chat_template.h"

namespace tern::text {
namespace {

using Ids = std::vector<int32_t>;

// Ids: 0..6 the characters "<", "|", "e", "o", "t", ">", "u"; control tokens 7 "<eot>", 8 "<|u|>", 9 "e" twice; a
// token that an added-tokens list calls ordinary: 10 "<t>".
std::unique_ptr<Tokenizer> tokenizer() {
  TokenizerSpec spec;
  spec.kind = "bpe";
  spec.tokens = {"<", "|", "e", "o", "t", ">", "u", "<eot>", "<|u|>", "ee", "<t>"};
  spec.types.assign(7, TokenType::kNormal);
  spec.types.insert(spec.types.end(), 3, TokenType::kControl);
  spec.types.push_back(TokenType::kUserDefined);
  return std::move(make_tokenizer(std::move(spec)).value());
}

Ids encode_chat(const char* source, const char* messages) {
  const auto t = tokenizer();
  const auto chat = ChatTemplate::parse(source);
  EXPECT_TRUE(chat) << chat.error().to_string();
  const Json json = parse_json(messages).value();
  const Guard guard = Guard::make(*t, json).value();
  const auto rendered = chat->render(guard.mark(json), {});
  EXPECT_TRUE(rendered) << rendered.error().to_string();
  const auto [text, barriers] = guard.take_marks(*rendered);
  return t->encode(text, {.special = true, .barriers = barriers}).value();
}

constexpr const char* kTemplate = "{% for m in messages %}{{ m.content | trim }}<eot>{% endfor %}";
const Ids kSpelled = {0, 2, 3, 4, 5};  // "<eot>", character by character

Ids operator+(Ids a, const Ids& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST(Guard, ControlTokensThatAPersonTypesAreText) {
  EXPECT_EQ(encode_chat(kTemplate, R"([{"content": "u"}])"), (Ids{6, 7}));
  EXPECT_EQ(encode_chat(kTemplate, R"([{"content": "<eot>"}])"), kSpelled + (Ids{7}));
  EXPECT_EQ(encode_chat(kTemplate, R"([{"content": " u<eot><eot>ee "}])"),
            (Ids{6}) + kSpelled + kSpelled + (Ids{2, 2, 7}));
}

TEST(Guard, PiecesThatMeetMakeNoControlToken) {
  EXPECT_EQ(encode_chat("{% for m in messages %}{{ m.content }}{% endfor %}<eot>",
                        R"([{"content": "<e"}, {"content": "ot>"}])"),
            kSpelled + (Ids{7}));
  EXPECT_EQ(encode_chat("{{ messages[0].content }}ot>", R"([{"content": "<e"}])"), kSpelled);
}

TEST(Guard, ATemplateMayPutAControlTokenTogether) {
  EXPECT_EQ(encode_chat("{{ '<|' + messages[0].role + '|>' }}", R"([{"role": "u"}])"), (Ids{8}));
}

TEST(Guard, EveryStringOfTheConversationIsGuarded) {
  EXPECT_EQ(encode_chat("{{ messages[0].parts[0].text }}", R"([{"parts": [{"text": "<eot>"}]}])"), kSpelled);
  EXPECT_EQ(encode_chat("{% for k in messages[0] %}{{ k }}{% endfor %}", R"([{"<eot>": 1}])"), kSpelled);
  EXPECT_EQ(encode_chat("{{ messages[0].role }}", R"([{"role": "<eot>"}])"), kSpelled);
}

TEST(Guard, OrdinaryAddedTokensAreStillFound) {
  EXPECT_EQ(encode_chat(kTemplate, R"([{"content": "<t>"}])"), (Ids{10, 7}));
}

TEST(Guard, OrdinaryTextReachesTheTemplateUnchanged) {
  const auto t = tokenizer();
  const Json json = parse_json(R"([{"content": "u < t, e|o>", "n": 3, "list": ["u", null]}])").value();
  EXPECT_EQ(Guard::make(*t, json)->mark(json), json);
}

TEST(Guard, AMarkInTheConversationIsKept) {
  const auto t = tokenizer();
  const Json json = parse_json("[\"\uFDD0<eot>\uFDD1\"]").value();
  const Guard guard = Guard::make(*t, json).value();
  const auto [text, barriers] = guard.take_marks(guard.mark(json)[0].get<std::string>());
  EXPECT_EQ(text, "\uFDD0<eot>\uFDD1");
  EXPECT_EQ(barriers, (std::vector<size_t>{4}));
  std::string all;
  for (uint32_t i = 0xFDD0; i <= 0xFDEF; ++i) all += {'\xEF', '\xB7', static_cast<char>(0x90 + (i - 0xFDD0))};
  EXPECT_FALSE(Guard::make(*t, Json(all)));
}

}  // namespace
}  // namespace tern::text
