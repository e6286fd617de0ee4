// Byte figures in both unit systems, and lines that are broken to a width.
#include "analyzer/command/format.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <clocale>
#include <string>

#include "absl/strings/str_split.h"

namespace mallogram {
namespace {

// Wide signs are known to a locale of UTF-8 alone.
class WrapLinesTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(setlocale(LC_ALL, "C.UTF-8"), nullptr); }
};

size_t Widest(const std::string& text) {
  size_t widest = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n'))
    widest = std::max(widest, DisplayWidth(line));
  return widest;
}

TEST_F(WrapLinesTest, LinesThatFitStayAsTheyAre) {
  const std::string text = "  exactly twenty col\n\n\ttab\nno newline  ";
  EXPECT_EQ(WrapLines(text, 20), text);
  EXPECT_EQ(WrapLines("", 20), "");
}

TEST_F(WrapLinesTest, LongLinesBreakAtSpacesAndGoOnFurtherIn) {
  EXPECT_EQ(WrapLines("one two three four five six\n", 20),
            "one two three four\n    five six\n");
  EXPECT_EQ(WrapLines("  one two three four five\n", 20),
            "  one two three four\n      five\n");
}

TEST_F(WrapLinesTest, TheTextBehindALabelStaysBelowItself) {
  EXPECT_EQ(WrapLines("--name  what it is good for\n", 20),
            "--name  what it is\n        good for\n");
}

TEST_F(WrapLinesTest, OneWordIsBrokenOnlyIfALineCannotHoldIt) {
  const std::string wrapped = WrapLines(std::string(50, 'x') + " y\n", 20);
  EXPECT_EQ(Widest(wrapped), 20u);
  std::string letters;
  for (char c : wrapped)
    if (c == 'x' || c == 'y') letters.push_back(c);
  EXPECT_EQ(letters, std::string(50, 'x') + "y");
}

TEST_F(WrapLinesTest, ColumnsAreCountedAndNotBytes) {
  const std::string accents = "éééé éééé éééé éééé\n";  // 19 columns, 35 bytes
  EXPECT_EQ(WrapLines(accents, 20), accents);
  const std::string wide = "一一一一一一 一一一一一一\n";  // 25 columns
  EXPECT_EQ(WrapLines(wide, 20), "一一一一一一\n    一一一一一一\n");
  const std::string combining = "e\u0301e\u0301e\u0301e\u0301 e\u0301e\u0301\n";
  EXPECT_EQ(WrapLines(combining, 7), combining);
}

TEST_F(WrapLinesTest, ColoursTakeNoColumnAndAllOfThemStay) {
  const std::string bold = "\x1b[1mexactly twenty cols.\x1b[0m\n";
  EXPECT_EQ(WrapLines(bold, 20), bold);
  const std::string wrapped =
      WrapLines("\x1b[1mone two three four five\x1b[0m\n", 20);
  EXPECT_LE(Widest(wrapped), 20u);
  EXPECT_EQ(wrapped.find("\x1b[1m"), 0u);
  EXPECT_NE(wrapped.find("\x1b[0m"), std::string::npos);
}

TEST_F(WrapLinesTest, EveryWordOfEveryWidthStays) {
  const std::string text =
      "    12.  a_function_of_some_length(int)   3.81 MiB  file.cc:12\n";
  for (size_t width = 20; width <= 70; ++width) {
    const std::string wrapped = WrapLines(text, width);
    EXPECT_LE(Widest(wrapped), width);
    std::string before = text, after = wrapped;
    for (std::string* part : {&before, &after})
      std::erase_if(*part, [](char c) { return c == ' ' || c == '\n'; });
    EXPECT_EQ(after, before) << width;
  }
}

}  // namespace
}  // namespace mallogram
