// Text that arrives in pieces: UTF-8 across token borders, stop strings across piece borders.
#include <gtest/gtest.h>

#include "text/detokenizer.h"
#include "text/stop.h"

namespace tern::text {
namespace {

TEST(Utf8Stream, HoldsBackIncompleteSequences) {
  Utf8Stream stream;
  EXPECT_EQ(stream.push("a\xF0\x9F"), "a");
  EXPECT_EQ(stream.push("\x98"), "");
  EXPECT_EQ(stream.push("\x80!"), "\U0001F600!");
  EXPECT_EQ(stream.flush(), "");
  EXPECT_EQ(stream.push("\xE2\x82"), "");
  EXPECT_EQ(stream.flush(), "\uFFFD");
}

TEST(Utf8Stream, ReplacesWhatCannotBecomeValid) {
  Utf8Stream stream;
  EXPECT_EQ(stream.push("\xFF"), "\uFFFD");
  EXPECT_EQ(stream.push("\xE2\x82"), "");
  EXPECT_EQ(stream.push("x"), "\uFFFDx");
  EXPECT_EQ(stream.push("\xED"), "");
  EXPECT_EQ(stream.push("\xA0"), "\uFFFD\uFFFD");  // a surrogate is no character
}

TEST(Detokenizer, ShowsControlTokensOnlyWhenAsked) {
  TokenizerSpec spec;
  spec.kind = "bpe";
  spec.tokens = {"ð", "Ł", "ĺ", "Ģ", "<end>"};  // GPT-2's spelling of the bytes F0 9F 98 80
  spec.types.assign(5, TokenType::kNormal);
  spec.types[4] = TokenType::kControl;
  const auto t = make_tokenizer(spec);
  ASSERT_TRUE(t) << t.error().to_string();
  Detokenizer plain(**t), shown(**t, true);
  std::string text, shown_text;
  for (const int32_t id : {0, 1, 2, 3, 4, 0, 4}) {
    text += plain.push(id);
    shown_text += shown.push(id);
  }
  EXPECT_EQ(text + plain.flush(), "\U0001F600\uFFFD");
  EXPECT_EQ(shown_text + shown.flush(), "\U0001F600<end>\uFFFD<end>");
}

struct StopCase {
  std::vector<std::string> stops, pieces;
  std::string shown;  // all that comes out before a hit
  std::optional<size_t> hit;
};

TEST(StopMatcher, Cases) {
  const StopCase cases[] = {
      {{"END"}, {"text EN", "D more"}, "text ", 0},
      {{"END"}, {"text EN", "DURE? no: E", "N", "D"}, "text ", 0},
      {{"END"}, {"EN"}, "EN", std::nullopt},
      {{"aab"}, {"aa", "aa", "b"}, "aa", 0},  // a naive matcher misses the overlap
      {{"abcd", "bc"}, {"xab", "c"}, "xa", 1},
      {{"bc", "abc"}, {"xab", "c"}, "x", 1},  // both end here: the longer
      {{"\n\nUser:"}, {"Hi.\n", "\nUse", "r:"}, "Hi.", 0},
      {{"\n\nUser:"}, {"Hi.\n", "\nUse", " it"}, "Hi.\n\nUse it", std::nullopt},
      {{""}, {"abc"}, "abc", std::nullopt},
      {{}, {"abc"}, "abc", std::nullopt},
      {{"abab"}, {"a", "b", "a", "c", "a", "b", "a", "b", "a"}, "abac", 0},
  };
  for (const StopCase& c : cases) {
    StopMatcher matcher(c.stops);
    std::string shown;
    std::optional<size_t> hit;
    for (const std::string& piece : c.pieces) {
      const StopMatcher::Output out = matcher.push(piece);
      shown += out.text;
      if (out.stop) hit = out.stop;
    }
    shown += matcher.flush();
    EXPECT_EQ(shown, c.shown);
    EXPECT_EQ(hit, c.hit) << c.shown;
  }
}

TEST(StopMatcher, HoldsBackNoMoreThanItMust) {
  StopMatcher matcher({"<|end|>"});
  EXPECT_EQ(matcher.push("a<b").text, "a<b");
  EXPECT_EQ(matcher.push("c<|e").text, "c");
  EXPECT_EQ(matcher.push("x").text, "<|ex");
}

// Re-scanning what is held back would be quadratic here.
TEST(StopMatcher, LongStopStringsStayLinear) {
  StopMatcher matcher({std::string(100'000, 'a') + "b"});
  size_t shown = 0;
  for (int i = 0; i < 400'000; ++i) shown += matcher.push("a").text.size();
  EXPECT_EQ(shown + matcher.flush().size(), 400'000u);
}

}  // namespace
}  // namespace tern::text
