// Study files: what is read, and what is said of mistakes.
#include "analyzer/study/spec/spec.h"

#include <gtest/gtest.h>

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "analyzer/command/cli.h"
#include "analyzer/command/format.h"
#include "analyzer/study/spec/quantity.h"
#include "analyzer/study/spec/target.h"
#include "analyzer/study/spec/units.h"

namespace mallogram::study {
namespace {

constexpr char kStudy[] = R"toml(title = "A study"
program = "prog"

[[group]]
name = "chunk-texts"
match = "Chunk(Text|Name)"

[[table]]
id = "scaling"
arguments = ["--n", "{n}"]
n = [10, 1000, 100]
reps = 3
value = "at.stored - at.baseline"
unit = "chunk"
units = "truth.count"
budget = "100MB"
unit-budget = "1.5kB"
residual = {before = "at.baseline", after = "at.closed"}
columns = [{title = "texts", value = "group.chunk_texts.at.stored"}]
variants = [{name = "a", arguments = []}, {name = "b", arguments = ["-b"]}]
baseline = "a"
published = {text = "them", rows = [{n = 10, value = "1.5kB"}]}

[[criterion]]
name = "small"
table = "scaling"
variant = "b"
value = "peak / n"
n = 10
target = "< 2kB"
)toml";

TEST(Spec, ReadsEverything) {
  const absl::StatusOr<StudySpec> spec = ParseStudy(kStudy, "dir/thing.toml");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->name, "thing");
  ASSERT_EQ(spec->tables.size(), 1u);
  const TableSpec& table = spec->tables[0];
  EXPECT_EQ(table.runs.sizes, (std::vector<std::string>{"10", "100", "1000"}));
  EXPECT_EQ(table.runs.reps, 3u);
  EXPECT_EQ(*table.budget, 100e6);
  EXPECT_EQ(*table.unit_budget, 1500);
  EXPECT_EQ(table.residual->high, "peak");
  EXPECT_EQ(table.runs.variants.size(), 2u);
  EXPECT_EQ(table.published[0].value, 1500);
  EXPECT_EQ(spec->criteria[0].what, CriterionSpec::What::kValue);
}

TEST(Spec, NamesStudyFilesAfterTheirDirectory) {
  EXPECT_EQ(StudyName("workloads/session/study.toml"), "session");
  EXPECT_EQ(StudyName("x/session-study/study.toml"), "session");
  EXPECT_EQ(StudyName("x/mine.toml"), "mine");
}

struct Mistake {
  const char *before, *after, *said;
};

TEST(Spec, SaysWhatIsWrongAndWhere) {
  const Mistake kMistakes[] = {
      {"reps = 3", "rep = 3",
       "f.toml:12: unknown key \"rep\" in table (did you mean"},
      {"reps = 3", "reps = \"3\"",
       "f.toml:12: reps must be a number, not a string"},
      {"reps = 3", "reps = 0", "f.toml:12: reps must be a whole number"},
      {"[10, 1000, 100]", "[10, \"many\"]", "f.toml:11: n: many is no size"},
      {"[10, 1000, 100]", "[10, -5]", "f.toml:11: n: -5 is no size"},
      {"[10, 1000, 100]", "[10, 10]", "f.toml:11: n: 10 is there twice"},
      {"[10, 1000, 100]", "[]", "f.toml:11: [[table]] scaling needs n"},
      {"program = \"prog\"", "", "f.toml:1: the study needs program"},
      {"table = \"scaling\"", "table = \"scalin\"", "did you mean scaling?"},
      {"variant = \"b\"", "variant = \"c\"", "has no variant \"c\""},
      {"(Text|Name)", "(Text", "is no regular expression"},
      {"at.baseline\"\nunit", "att.baseline\"\nunit",
       "no quantity \"att.baseline\""},
      {"at.baseline\"\nunit", "\"\nunit", "ends too early"},
      {"group.chunk_texts", "group.chunk_text", "did you mean chunk_texts?"},
      {"group.chunk_texts.at.stored", "group.chunk_texts.peek", "of a group"},
      {"\"100MB\"", "\"100MG\"", "is no number of bytes"},
      {"\"< 2kB\"", "\"2kB\"", "a target begins with"},
      {"\"< 2kB\"", "\"< two\"", "is no amount"},
      {"value = \"peak / n\"", "law = true", "goes with value or residual"},
      {"\"{n}\"", "\"n\"", "has {n}"},
      {"\"{n}\"", "\"{input}\"", "needs prepare"},
      {"title = \"A study\"", "title = 7", "title must be a string, not a number"},
      {"title = \"A study\"", "title = \"A", "f.toml:1: "},
      {"unit = \"chunk\"", "", "without unit"},
  };
  for (const Mistake& mistake : kMistakes) {
    const std::string text =
        absl::StrReplaceAll(kStudy, {{mistake.before, mistake.after}});
    ASSERT_NE(text, kStudy) << mistake.before;
    const absl::StatusOr<StudySpec> spec = ParseStudy(text, "f.toml");
    ASSERT_FALSE(spec.ok()) << mistake.after;
    const std::string said(spec.status().message());
    EXPECT_NE(said.find(mistake.said), std::string::npos)
        << said << "\n  expected: " << mistake.said;
    EXPECT_EQ(said.find("f.toml:"), 0u) << said;
    EXPECT_EQ(said.find('\n'), std::string::npos) << said;
  }
}

TEST(Spec, LawCriteria) {
  const std::string text = absl::StrReplaceAll(
      kStudy, {{"value = \"peak / n\"\nn = 10\ntarget = \"< 2kB\"",
                "law = true\ntarget = \"<= liner\""}});
  EXPECT_NE(ParseStudy(text, "f").status().message().find("did you mean linear?"),
            absl::string_view::npos);
  EXPECT_TRUE(
      ParseStudy(absl::StrReplaceAll(text, {{"liner", "linear"}}), "f").ok());
}

double Value(const std::string& text) {
  const absl::StatusOr<Expression> expression = Expression::Parse(text);
  EXPECT_TRUE(expression.ok()) << expression.status();
  if (!expression.ok()) return 0;
  const absl::StatusOr<double> value =
      expression->Evaluate([](const std::string& name) -> absl::StatusOr<double> {
        if (name == "n") return 8;
        if (name == "at.stored") return 100;
        return absl::NotFoundError(name);
      });
  EXPECT_TRUE(value.ok()) << value.status();
  return value.value_or(0);
}

TEST(Quantity, Computes) {
  EXPECT_EQ(Value("n"), 8);
  EXPECT_EQ(Value("1 + 2 * 3 - 4"), 3);
  EXPECT_EQ(Value("10 - 4 - 3"), 3);
  EXPECT_EQ(Value("64 / 4 / 2"), 8);
  EXPECT_EQ(Value("(at.stored - 20) / n"), 10);
  EXPECT_EQ(Value("-n + 2"), -6);
  EXPECT_EQ(Value("2 * -n"), -16);
  EXPECT_EQ(Value("1.5e2 - 1e-1 * 10"), 149);
}

TEST(Quantity, Refuses) {
  for (const char* text :
       {"", "1 +", "(1", "1)", "1 2", "a $ b", "1..2", "*3", "()"}) {
    EXPECT_FALSE(Expression::Parse(text).ok()) << text;
  }
  EXPECT_NE(Expression::Parse("peak $ 2").status().message().find("character 6"),
            absl::string_view::npos);
  EXPECT_FALSE(Expression::Parse(std::string(10000, '(')).ok());
  const absl::StatusOr<Expression> zero = Expression::Parse("1 / (n - n)");
  ASSERT_TRUE(zero.ok());
  EXPECT_TRUE(absl::IsOutOfRange(
      zero->Evaluate([](const std::string&) { return 3.0; }).status()));
}

TEST(Units, BytesAreReadInBothSystems) {
  EXPECT_EQ(*BytesOf("1.55kB"), 1550);
  EXPECT_EQ(*BytesOf("64 MiB"), 64.0 * 1024 * 1024);
  EXPECT_EQ(*BytesOf("12"), 12);
  for (const char* text : {"64KiB", "64Ki", "64k", "64K", "64 kib"})
    EXPECT_EQ(*BytesOf(text), 65536) << text;
  EXPECT_EQ(*BytesOf("64MB"), 64e6);
  EXPECT_EQ(*BytesOf("1e3"), 1000);
  for (const char* text : {"", "KiB", "nan", "inf", "1KiB1", "12parsec"})
    EXPECT_FALSE(BytesOf(text).has_value()) << text;
  EXPECT_FALSE(BytesOf("12 XB").has_value());
  EXPECT_EQ(FormatShare(0.2439), "24.4 %");
}

TEST(Units, BytesAreWrittenInOneUnitSystem) {
  for (const double whole : {0.0, 512.0, 999.0})
    EXPECT_EQ(FormatSignedBytes(whole), absl::StrCat(whole, " B"));
  EXPECT_EQ(FormatSignedBytes(0.25), "0.25 B");
  EXPECT_EQ(FormatSignedBytes(-0.25), "0.25 B");
  EXPECT_EQ(FormatSignedBytes(-12.5), "-12.5 B");
  EXPECT_EQ(FormatSignedBytes(1000), "1000 B");
  EXPECT_EQ(FormatSignedBytes(1023.7), "1.00 KiB");
  EXPECT_EQ(FormatSignedBytes(15520000), "14.8 MiB");
  EXPECT_EQ(FormatSignedBytes(-1234), "-1.21 KiB");
  EXPECT_EQ(FormatSignedBytes(std::nan("")), "-");
  SetSi();
  EXPECT_EQ(FormatSignedBytes(999.7), "1.00 kB");
  EXPECT_EQ(FormatSignedBytes(15520000), "15.5 MB");
  EXPECT_EQ(FormatSignedBytes(-1234), "-1.23 kB");
  SetSi(false);
}

}  // namespace
}  // namespace mallogram::study
