// Numbers and names as plots show them, scripts without gnuplot, and what is done
// to gnuplot's files.
#include "analyzer/plot/plots.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "analyzer/command/format.h"
#include "analyzer/plot/axis.h"
#include "analyzer/plot/image.h"
#include "analyzer/plot/scripts.h"
#include "analyzer/plot/series.h"
#include "analyzer/plot/text.h"
#include "tests/analyzer/plot/samples.h"

namespace mallogram::plot {
namespace {

std::vector<std::string> LabelsOf(const Axis& axis) {
  std::vector<std::string> labels;
  for (const Tick& tick : axis.ticks) {
    if (!tick.label.empty()) labels.push_back(tick.label);
  }
  return labels;
}

using Strings = std::vector<std::string>;

TEST(Axis, Numbers) {
  EXPECT_EQ(NumberText(0, Unit::kBytes), "0 B");
  EXPECT_EQ(NumberText(999, Unit::kBytes), "999 B");
  EXPECT_EQ(NumberText(1550, Unit::kBytes), "1.55 kB");
  EXPECT_EQ(NumberText(999990, Unit::kBytes), "1 MB");
  EXPECT_EQ(NumberText(1e8, Unit::kBytes), "100 MB");
  EXPECT_EQ(NumberText(-2500, Unit::kBytes), "-2.5 kB");
  EXPECT_EQ(NumberText(10000, Unit::kPlain), "10,000");
  EXPECT_EQ(NumberText(1e8, Unit::kPlain), "100 M");
  EXPECT_EQ(NumberText(0.017, Unit::kPlain), "0.017");
  EXPECT_EQ(NumberText(51.112e6, Unit::kBytes, 1000), "51.112 MB");
  EXPECT_EQ(PercentText(0.25), "0.25 %");
  EXPECT_EQ(SizeText(31600, Unit::kPlain), "31,600");
  EXPECT_EQ(SizeText(999999, Unit::kPlain), "999,999");
  EXPECT_EQ(SizeText(2.5, Unit::kPlain), "2.5");
}

TEST(Axis, TicksOfDecades) {
  const Axis wide = LogAxis({1, 1e8}, Unit::kPlain, 4);
  EXPECT_EQ(LabelsOf(wide), (Strings{"1", "10", "100", "1,000", "10,000", "100,000",
                                     "1 M", "10 M", "100 M"}));
  EXPECT_LT(wide.low, 1);
  EXPECT_GT(wide.high, 1e8);
  EXPECT_LE(LabelsOf(LogAxis({1, 1e30}, Unit::kBytes, 4)).size(), 10u);
}

TEST(Axis, TicksWithinADecade) {
  const Strings labels = LabelsOf(LogAxis({50.0e6, 51.5e6}, Unit::kBytes, 1));
  EXPECT_GE(labels.size(), 3u);
  EXPECT_EQ(labels.front(), "50 MB");
}

TEST(Axis, WithoutAUsableValue) {
  for (const Axis& axis :
       {LogAxis({}, Unit::kBytes, 6), LogAxis({0, -1}, Unit::kBytes, 6),
        LinearAxis({}, Unit::kBytes, false), PercentAxis({0, 0}),
        ValueAxis({0, 0}, Unit::kBytes), SlotAxis({}, Unit::kPlain, 9)}) {
    EXPECT_LT(axis.low, axis.high);
  }
}

TEST(Axis, LogForDecadesOnly) {
  EXPECT_TRUE(ValueAxis({1, 1000, 0}, Unit::kBytes).log);
  EXPECT_FALSE(ValueAxis({100, 300}, Unit::kBytes).log);
  EXPECT_FALSE(ValueAxis({-1, 1, 1000}, Unit::kBytes).log);
  const Axis flat = ValueAxis({1e6, 1e6}, Unit::kBytes);
  EXPECT_GT(flat.high - flat.low, 0.03e6);  // equal values are not spread out
}

TEST(Text, Clean) {
  EXPECT_EQ(CleanText("a\nb\x1b[31m"), "a?b?[31m");
  EXPECT_EQ(CleanText("Δ ≤ n² → ½ „Ж“"), "Δ ≤ n² → ½ „Ж“");
  EXPECT_EQ(CleanText("漢 🐘 \xe2\x80\xae"), "? ? ?");  // the last turns text around
  EXPECT_EQ(CleanText("caf\xc3\xa9 \xff \xef\xbf\xbf"), "caf\xc3\xa9 ? ?");
}

TEST(Text, ShortNames) {
  EXPECT_EQ(NameInLetters("f(int)", 10), "f(int)");
  EXPECT_EQ(
      NameInLetters("std::vector<A, std::allocator<A> >::push_back(A const&)", 40),
      "std::vector<…>::push_back(A const&)");
  EXPECT_EQ(
      NameInLetters("std::vector<A, std::allocator<A> >::push_back(A const&)", 30),
      "std::vector<…>::push_back(…)");
  EXPECT_EQ(
      NameInLetters("bool a::operator<(Long<int> const&, Long<int> const&)", 50),
      "bool a::operator<(Long<…> const&, Long<…> const&)");
  EXPECT_EQ(
      NameInLetters("a::(anonymous namespace)::B::operator()(int, int) const", 50),
      "a::(anonymous namespace)::B::operator()(…) const");
  for (size_t letters : {1u, 2u, 5u, 20u}) {
    EXPECT_LE(
        DisplayWidth(NameInLetters("ééé<ééé<((>>>->ééé::operator->(é)", letters)),
        letters);
  }
}

// Every line of text is behind our sign, whatever it holds; no other line has it.
TEST(Script, NamesAreDataOnly) {
  ScalingPlot plot = SessionsScaling();
  plot.labels = {kHostileName, kHostileName, kHostileName};
  plot.curves[0].name = "END_OF_TEXTS\nsystem('touch pwned')";
  plot.curves[0].law_text = "`touch pwned`";
  const std::string script = Draft(plot).Script();
  bool texts = false;
  size_t found = 0;
  for (absl::string_view line : absl::StrSplit(script, '\n')) {
    if (line == "$texts << END_OF_TEXTS") {
      texts = true;
    } else if (line == "END_OF_TEXTS") {
      texts = false;
    } else if (texts) {
      EXPECT_EQ(line.substr(0, 1), "|") << line;
    }
    const bool hostile = line.find("pwned") != absl::string_view::npos;
    EXPECT_TRUE(texts || !hostile) << line;
    found += hostile ? 1 : 0;
  }
  EXPECT_FALSE(texts);
  EXPECT_EQ(found, 4u);
}

TEST(Script, SameForTheSamePlot) {
  EXPECT_EQ(Draft(ChunksScaling()).Script(), Draft(ChunksScaling()).Script());
  EXPECT_EQ(Draft(ChunksDecomposition()).Script(),
            Draft(ChunksDecomposition()).Script());
}

TEST(Script, NothingButNumbersInData) {
  for (const std::string& script :
       {Draft(ChunksScaling()).Script(), Draft(ChunksResidual()).Script()}) {
    EXPECT_EQ(script.find("nan"), std::string::npos);
    EXPECT_EQ(script.find("inf"), std::string::npos);
  }
}

TEST(Points, SingleRunsHaveNoCv) {
  EXPECT_FALSE(CvPercent({10, 100, 5, 1}).has_value());
  EXPECT_DOUBLE_EQ(CvPercent({10, 100, 5, 3}).value(), 5);
  EXPECT_FALSE(CvPercent({10, 0, 0, 3}).has_value());
}

TEST(Image, ResolutionOfNoPng) {
  EXPECT_FALSE(WithResolution("", 300).ok());
  EXPECT_FALSE(
      WithResolution("no PNG, but long enough to hold a header", 300).ok());
}

TEST(Image, TidySvg) {
  EXPECT_EQ(TidySvg("<svg \n a \n"), "<svg\n a\n");
  EXPECT_EQ(TidySvg("a]]>b\n"), "a]]&gt;b\n");
  EXPECT_NE(TidySvg("<g font-family=\"DejaVu Sans\"/>").find("sans-serif"),
            std::string::npos);
}

}  // namespace
}  // namespace mallogram::plot
