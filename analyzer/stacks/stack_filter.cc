#include "analyzer/stacks/stack_filter.h"

#include <re2/re2.h>

#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace mallogram {
namespace {

constexpr struct {
  absl::string_view word;
  FrameMarks mark;
} kWords[] = {{"focus", kFocusFrame},
              {"ignore", kIgnoredFrame},
              {"hide", kHiddenFrame},
              {"show", kShownFrame},
              {"module", kModuleFrame}};

bool Matches(const std::string& text, const RE2& expression) {
  return !text.empty() && RE2::PartialMatch(text, expression);
}

}  // namespace

absl::Status StackFilter::Add(absl::string_view word,
                              absl::string_view expression) {
  for (const auto& [known, mark] : kWords) {
    if (known != word) continue;
    auto compiled = std::make_shared<const RE2>(
        re2::StringPiece(expression.data(), expression.size()), RE2::Quiet);
    if (!compiled->ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(word, ": \"", expression,
                       "\" is no regular expression: ", compiled->error()));
    }
    rules_.push_back({mark, std::move(compiled)});
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "no rule \"", word, "\": there are focus, ignore, hide, show, module"));
}

absl::Status StackFilter::AddRules(absl::string_view text, absl::string_view name) {
  size_t number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line[0] == '#') continue;
    const size_t end = line.find_first_of(" \t");
    const absl::string_view expression =
        end == absl::string_view::npos
            ? absl::string_view()
            : absl::StripLeadingAsciiWhitespace(line.substr(end));
    const absl::Status status =
        expression.empty()
            ? absl::InvalidArgumentError("a rule is a word and an expression")
            : Add(line.substr(0, end), expression);
    if (!status.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, ":", number, ": ", status.message()));
    }
  }
  return absl::OkStatus();
}

bool StackFilter::Any(FrameMarks mark) const {
  for (const Rule& rule : rules_) {
    if (rule.mark == mark) return true;
  }
  return false;
}

FrameMarks StackFilter::MarksOf(const CodeFrame& frame) const {
  FrameMarks marks = 0;
  for (const Rule& rule : rules_) {
    const bool only_module = rule.mark == kModuleFrame;
    if (Matches(frame.module, *rule.expression) ||
        (!only_module && (Matches(frame.function, *rule.expression) ||
                          Matches(frame.file, *rule.expression)))) {
      marks |= rule.mark;
    }
  }
  if ((marks & kHiddenFrame) == 0 && !shows()) marks |= kShownFrame;
  if ((marks & kHiddenFrame) != 0) marks &= static_cast<FrameMarks>(~kShownFrame);
  if ((marks & kShownFrame) == 0) marks |= kHiddenFrame;
  return marks;
}

std::vector<std::pair<std::string, std::string>> StackFilter::Rules() const {
  std::vector<std::pair<std::string, std::string>> rules;
  for (const Rule& rule : rules_) {
    for (const auto& [word, mark] : kWords) {
      if (mark == rule.mark)
        rules.emplace_back(std::string(word), rule.expression->pattern());
    }
  }
  return rules;
}

}  // namespace mallogram
