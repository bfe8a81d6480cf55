#include "io/text.h"

#include <vector>

#include "io/support.h"

namespace tern::io {
namespace {

TEST(Text, Grouped) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(UINT64_MAX), "18,446,744,073,709,551,615");
}

TEST(Text, ShapeText) {
  EXPECT_EQ(shape_text(std::vector<int>{}), "[]");
  EXPECT_EQ(shape_text(std::vector<int>{4096, 128}), "[4096, 128]");
}

TEST(Text, PrintableKeepsVisibleCharacters) {
  const std::string text = "blk.0 na\xc3\xafve \xc4\xa0 \xe2\x9c\x93 \xf0\x9f\x98\x80";
  EXPECT_EQ(printable(text), text);
}

TEST(Text, PrintableEscapesWhatATerminalWouldObeyOrIsNoUtf8) {
  EXPECT_EQ(printable("\x1b[2J\n\x7f"), "\\x1b[2J\\x0a\\x7f");
  EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b");                    // C1 control
  EXPECT_EQ(printable("\xe2\x80\xae"), "\\xe2\\x80\\xae");           // right-to-left override
  EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf");                    // overlong
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");           // surrogate
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // beyond Unicode
  EXPECT_EQ(printable("a\xe2\x9c"), "a\\xe2\\x9c");                  // cut short
}

TEST(Text, PrintableCutsLongTexts) {
  EXPECT_EQ(printable(std::string(100, 'x')), std::string(100, 'x'));
  EXPECT_EQ(printable(std::string(101, 'x')), std::string(100, 'x') + "...");
  EXPECT_EQ(printable(std::string(99, 'x') + "\xc3\xaf"), std::string(99, 'x') + "...");  // not inside a character
}

}  // namespace
}  // namespace tern::io
