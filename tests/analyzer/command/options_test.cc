// Rows of options: what the parser stores and refuses, and the help that they make.
#include "analyzer/command/options.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "analyzer/command/exit.h"

namespace mallogram {
namespace {

enum class Fruit { kApple, kPear, kPlum };
constexpr absl::string_view kFruits[] = {"apple", "pear", "plum"};

struct Wishes {
  bool quiet = false, plots = true, json = false;
  std::string output, json_file;
  std::vector<std::string> names;
  std::optional<uint64_t> top;
  uint32_t jobs = 1;
  std::optional<uint64_t> leak, size;
  Fruit fruit = Fruit::kApple;
  std::optional<Fruit> other;
};

// A group that a verb appends to its own rows.
std::vector<Option> SharedRows(Wishes* wishes) {
  return {{"--size", 0, "BYTES", "blocks of this size", Bytes(&wishes->size)}};
}

std::vector<Option> Rows(Wishes* wishes) {
  std::vector<Option> rows = {
      {"--output", 'o', "FILE", "write to FILE", Store(&wishes->output)},
      {"--quiet", 'q', "", "say less", Store(&wishes->quiet)},
      {"--no-plots", 0, "", "draw nothing", Clear(&wishes->plots)},
      {"--name", 0, "NAME", "one more", Store(&wishes->names)},
      {"--top", 0, "N", "show N", Number(&wishes->top)},
      {"--jobs", 'j', "N", "N at once", Number(&wishes->jobs, 1, 64)},
      {"--max-leak", 0, "BYTES", "a limit", Bytes(&wishes->leak)},
      {"--fruit", 0, "FRUIT", "which\n  apple  a", OneOf(kFruits, &wishes->fruit)},
      {"--other-fruit-than-that", 0, "FRUIT", "another",
       OneOf(kFruits, &wishes->other)},
      {"--json", 0, "[=FILE]", "as JSON",
       [wishes](absl::string_view, absl::string_view value) {
         wishes->json = true;
         wishes->json_file = std::string(value);
         return absl::OkStatus();
       }},
      {"--old-name", 0, "NAME", "", Store(&wishes->names)}};
  Append(SharedRows(wishes), &rows);
  return rows;
}

// The words as a command line has them, a nullptr behind the last.
class Line {
 public:
  explicit Line(std::vector<std::string> words) : words_(std::move(words)) {
    for (std::string& word : words_) argv_.push_back(word.data());
    argv_.push_back(nullptr);
  }
  Arguments arguments() const { return Arguments(argv_.data(), words_.size()); }

 private:
  std::vector<std::string> words_;
  std::vector<char*> argv_;
};

absl::StatusOr<Words> Parse(
    const std::vector<std::string>& words, Wishes* wishes,
    const std::function<bool(const std::string&)>& begins_program = nullptr) {
  // The program's words are looked at after the parser is gone.
  static std::vector<std::unique_ptr<Line>> lines;
  lines.push_back(std::make_unique<Line>(words));
  return ParseOptions(lines.back()->arguments(), Rows(wishes), begins_program);
}

void ExpectRefused(const std::vector<std::string>& words, const std::string& text) {
  Wishes wishes;
  const absl::Status status = Parse(words, &wishes).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), text))
      << "\"" << text << "\" is not in \"" << status.message() << "\"";
  EXPECT_EQ(ExitOf(status), kUsage);
}

TEST(Options, FillTheFields) {
  Wishes wishes;
  const absl::StatusOr<Words> words =
      Parse({"one", "--top", "7", "--max-leak=64KiB", "--fruit", "plum", "two",
             "--other-fruit-than-that=pear", "--name", "a", "--name=b",
             "--no-plots", "--", "--top"},
            &wishes);
  ASSERT_TRUE(words.ok()) << words.status();
  EXPECT_EQ(words->operands, (std::vector<std::string>{"one", "two", "--top"}));
  EXPECT_TRUE(words->program.empty());
  EXPECT_EQ(wishes.top, 7);
  EXPECT_EQ(wishes.leak, 65536);
  EXPECT_EQ(wishes.fruit, Fruit::kPlum);
  EXPECT_EQ(wishes.other, Fruit::kPear);
  EXPECT_EQ(wishes.names, (std::vector<std::string>{"a", "b"}));
  EXPECT_FALSE(wishes.plots);
  EXPECT_FALSE(wishes.quiet);
  EXPECT_EQ(words->given,
            (std::vector<std::string>{"--top", "--max-leak", "--fruit",
                                      "--other-fruit-than-that", "--name", "--name",
                                      "--no-plots"}));
}

TEST(Options, LettersTakeTheirValueEitherWay) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{
           {"-q", "-o", "f", "-j4"},
           {"-qof", "-j=4"},
           {"-qo", "f", "-j", "4"},
           {"--quiet", "--output=f", "--jobs=4"}}) {
    Wishes wishes;
    const absl::StatusOr<Words> parsed = Parse(words, &wishes);
    ASSERT_TRUE(parsed.ok()) << words[0] << ": " << parsed.status();
    EXPECT_TRUE(wishes.quiet);
    EXPECT_EQ(wishes.output, "f");
    EXPECT_EQ(wishes.jobs, 4);
    EXPECT_TRUE(parsed->operands.empty());
  }
}

TEST(Options, AValueThatMayBeMissingIsNeverTheNextWord) {
  Wishes bare, with;
  EXPECT_EQ(Parse({"--json", "x"}, &bare)->operands, std::vector<std::string>{"x"});
  EXPECT_TRUE(bare.json);
  EXPECT_EQ(bare.json_file, "");
  EXPECT_TRUE(Parse({"--json=x"}, &with)->operands.empty());
  EXPECT_EQ(with.json_file, "x");
}

TEST(Options, AProgramKeepsItsOwnOptions) {
  const auto program = [](const std::string& word) { return word == "sh"; };
  for (const char* const first : {"sh", "--"}) {
    Wishes wishes;
    const absl::StatusOr<Words> words =
        Parse({"-q", "FILE", first, "--top", "x", "-z"}, &wishes, program);
    ASSERT_TRUE(words.ok()) << words.status();
    EXPECT_EQ(words->operands, std::vector<std::string>{"FILE"});
    const bool named = std::string(first) == "sh";
    ASSERT_EQ(words->program.size(), named ? 4 : 3);
    EXPECT_STREQ(words->program[named ? 1 : 0], "--top");
    // execvp takes them as they are.
    EXPECT_EQ(*(words->program.data() + words->program.size()), nullptr);
    EXPECT_FALSE(wishes.top.has_value());
  }
  Wishes wishes;
  EXPECT_TRUE(Parse({"-q", "--"}, &wishes, program)->program.empty());
}

TEST(Options, MistakesAreNamed) {
  ExpectRefused({"--tpo", "3"}, "unknown option --tpo (did you mean --top?)");
  ExpectRefused({"--other", "x"}, "did you mean --other-fruit-than-that?");
  ExpectRefused({"-z"}, "unknown option -z");
  ExpectRefused({"-qz"}, "unknown option -z");
  ExpectRefused({"--top"}, "option --top needs a value");
  ExpectRefused({"-o"}, "option -o needs a value");
  ExpectRefused({"--output="}, "option --output needs a value");
  ExpectRefused({"--top", "x"}, "option --top needs a number, not \"x\"");
  ExpectRefused({"-j0"}, "option -j needs a number from 1 to 64, not \"0\"");
  ExpectRefused({"--jobs", "65"}, "from 1 to 64");
  ExpectRefused({"--quiet=1"}, "option --quiet takes no value");
  ExpectRefused({"--max-leak", "x"}, "takes bytes");
  ExpectRefused(
      {"--fruit", "peer"},
      "--fruit takes apple, pear or plum; not \"peer\" (did you mean pear?)");
  // What the help hides is not proposed.
  ExpectRefused({"--old-nam", "x"}, "unknown option --old-nam");
  Wishes wishes;
  EXPECT_TRUE(Parse({"--old-name", "x"}, &wishes).ok());
}

TEST(Options, HelpIsNoRow) {
  for (const char* const word : {"--help", "-h", "-qh"}) {
    Wishes wishes;
    const absl::Status status = Parse({word, "--nonsense"}, &wishes).status();
    EXPECT_TRUE(IsHelpAsked(status)) << word << status;
  }
  Wishes wishes;
  EXPECT_TRUE(Parse({"sh", "--help"}, &wishes, [](const std::string&) {
                return true;
              }).ok());
}

TEST(Options, HelpIsMadeOfTheRows) {
  Wishes wishes;
  EXPECT_EQ(DescribeOptions(Rows(&wishes)),
            R"(  -o, --output FILE     write to FILE
  -q, --quiet           say less
  --no-plots            draw nothing
  --name NAME           one more
  --top N               show N
  -j, --jobs N          N at once
  --max-leak BYTES      a limit
  --fruit FRUIT         which
                          apple  a
  --other-fruit-than-that FRUIT
                        another
  --json[=FILE]         as JSON
  --size BYTES          blocks of this size
)");
}

TEST(Exit, AnErrorCarriesItsStatus) {
  EXPECT_EQ(ExitOf(absl::NotFoundError("x")), kFailure);
  EXPECT_EQ(ExitOf(UsageError("x")), kUsage);
  EXPECT_EQ(ExitOf(WithExit(UsageError("x"), kOwnFailure)), kOwnFailure);
  const absl::Status input = InputError(absl::NotFoundError("x"));
  EXPECT_EQ(ExitOf(input), kUsage);
  EXPECT_FALSE(absl::IsInvalidArgument(input));  // no help would help
  EXPECT_EQ(InterruptingSignal(Interrupted(15, "x")), 15);
  EXPECT_EQ(InterruptingSignal(input), 0);
  EXPECT_FALSE(IsHelpAsked(input));
}

}  // namespace
}  // namespace mallogram
