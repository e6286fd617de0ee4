#include "analyzer/command/options.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "analyzer/command/exit.h"

namespace mallogram {
namespace {

constexpr size_t kHelpColumn = 24;

bool MayHaveValue(const Option& row) { return absl::StartsWith(row.value, "["); }
bool NeedsValue(const Option& row) {
  return !row.value.empty() && !MayHaveValue(row);
}

class Parser {
 public:
  Parser(Arguments arguments, const std::vector<Option>& rows)
      : arguments_(arguments), rows_(rows) {}

  absl::StatusOr<Words> Parse(
      const std::function<bool(const std::string&)>& begins_program) {
    for (; next_ < arguments_.size(); ++next_) {
      const absl::string_view word = arguments_[next_];
      if (word == "--") {
        ++next_;
        if (begins_program != nullptr) break;
        for (; next_ < arguments_.size(); ++next_)
          words_.operands.emplace_back(arguments_[next_]);
        break;
      }
      if (word.size() >= 2 && word[0] == '-') {
        const absl::Status status =
            word[1] == '-' ? TakeLong(word) : TakeLetters(word);
        if (!status.ok()) return status;
        continue;
      }
      if (begins_program != nullptr && begins_program(std::string(word))) break;
      words_.operands.emplace_back(word);
    }
    words_.program = arguments_.subspan(std::min(next_, arguments_.size()));
    return std::move(words_);
  }

 private:
  absl::Status Unknown(absl::string_view name) const {
    std::vector<absl::string_view> names;
    for (const Option& row : rows_) {
      // What getopt_long would have completed.
      if (name.size() > 3 && absl::StartsWith(row.name, name)) {
        return UsageError(absl::StrCat("unknown option ", name, " (did you mean ",
                                       row.name, "?)"));
      }
      if (!row.help.empty()) names.push_back(row.name);
    }
    return UsageError(
        absl::StrCat("unknown option ", name, DidYouMean(name, names)));
  }

  absl::Status TakeLong(absl::string_view word) {
    const size_t equals = word.find('=');
    const absl::string_view name = word.substr(0, equals);
    const auto row =
        std::find_if(rows_.begin(), rows_.end(),
                     [name](const Option& known) { return known.name == name; });
    if (row == rows_.end()) return name == "--help" ? HelpAsked() : Unknown(name);
    if (equals == absl::string_view::npos) return Take(*row, name, std::nullopt);
    return Take(*row, name, word.substr(equals + 1));
  }

  // "-q", "-oFILE", "-o=FILE", "-qoFILE".
  absl::Status TakeLetters(absl::string_view word) {
    for (size_t i = 1; i < word.size(); ++i) {
      const char letter = word[i];
      const std::string name = {'-', letter};
      const auto row = std::find_if(
          rows_.begin(), rows_.end(),
          [letter](const Option& known) { return known.letter == letter; });
      if (row == rows_.end()) return letter == 'h' ? HelpAsked() : Unknown(name);
      const absl::string_view rest = word.substr(i + 1);
      const bool equals = absl::StartsWith(rest, "=");
      if (!rest.empty() && (equals || NeedsValue(*row)))
        return Take(*row, name, rest.substr(equals ? 1 : 0));
      const absl::Status status = Take(*row, name, std::nullopt);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status Take(const Option& row, absl::string_view name,
                    std::optional<absl::string_view> value) {
    if (row.value.empty() && value.has_value())
      return UsageError(absl::StrCat("option ", name, " takes no value"));
    if (NeedsValue(row) && !value.has_value()) {
      if (next_ + 1 >= arguments_.size())
        return UsageError(absl::StrCat("option ", name, " needs a value"));
      value = arguments_[++next_];
    }
    words_.given.emplace_back(row.name);
    return row.set(name, value.value_or(""));
  }

  const Arguments arguments_;
  const std::vector<Option>& rows_;
  size_t next_ = 0;
  Words words_;
};

std::string WordList(absl::Span<const absl::string_view> words) {
  if (words.size() < 2) return absl::StrJoin(words, "");
  return absl::StrCat(absl::StrJoin(words.subspan(0, words.size() - 1), ", "),
                      " or ", words.back());
}

}  // namespace

void Append(std::vector<Option> group, std::vector<Option>* rows) {
  rows->insert(rows->end(), std::make_move_iterator(group.begin()),
               std::make_move_iterator(group.end()));
}

absl::StatusOr<Words> ParseOptions(
    Arguments arguments, const std::vector<Option>& rows,
    const std::function<bool(const std::string& operand)>& begins_program) {
  return Parser(arguments, rows).Parse(begins_program);
}

std::string DescribeOptions(const std::vector<Option>& rows) {
  std::string text;
  for (const Option& row : rows) {
    if (row.help.empty()) continue;
    std::string line = "  ";
    if (row.letter != 0) absl::StrAppend(&line, "-", std::string{row.letter}, ", ");
    absl::StrAppend(&line, row.name,
                    row.value.empty() || MayHaveValue(row) ? "" : " ", row.value);
    for (const absl::string_view help : absl::StrSplit(row.help, '\n')) {
      if (line.size() + 1 >= kHelpColumn) {
        absl::StrAppend(&text, line, "\n");
        line.clear();
      }
      line.resize(kHelpColumn, ' ');
      absl::StrAppend(&text, line, help, "\n");
      line.clear();
    }
  }
  return text;
}

Setter Store(bool* on) {
  return [on](absl::string_view, absl::string_view) {
    *on = true;
    return absl::OkStatus();
  };
}

Setter Clear(bool* on) {
  return [on](absl::string_view, absl::string_view) {
    *on = false;
    return absl::OkStatus();
  };
}

namespace {

template <typename Take>
Setter Text(Take take) {
  return [take](absl::string_view name, absl::string_view value) {
    if (value.empty())
      return UsageError(absl::StrCat("option ", name, " needs a value"));
    take(value);
    return absl::OkStatus();
  };
}

}  // namespace

Setter Store(std::string* text) {
  return Text([text](absl::string_view value) { *text = std::string(value); });
}

Setter Store(std::optional<std::string>* text) {
  return Text([text](absl::string_view value) { *text = std::string(value); });
}

Setter Store(std::vector<std::string>* all) {
  return Text([all](absl::string_view value) { all->emplace_back(value); });
}

absl::StatusOr<uint64_t> ParseNumber(absl::string_view name,
                                     absl::string_view value, uint64_t low,
                                     uint64_t high) {
  uint64_t number = 0;
  if (absl::SimpleAtoi(value, &number) && number >= low && number <= high)
    return number;
  constexpr uint64_t kUnbounded = std::numeric_limits<uint32_t>::max();
  const std::string bounds = high < kUnbounded
                                 ? absl::StrCat(" from ", low, " to ", high)
                             : low > 0 ? absl::StrCat(" above ", low - 1)
                                       : "";
  return UsageError(absl::StrCat("option ", name, " needs a number", bounds,
                                 ", not \"", value, "\""));
}

Setter Bytes(std::optional<uint64_t>* bytes, uint64_t low) {
  return [bytes, low](absl::string_view name, absl::string_view value) {
    const std::optional<double> parsed = BytesOf(value);
    if (!parsed.has_value() || *parsed < static_cast<double>(low) ||
        *parsed >= 0x1p63) {
      return UsageError(absl::StrCat("option ", name, " takes bytes, as in ",
                                     low == 0 ? "0, " : "", "4096 or 64MiB; not \"",
                                     value, "\""));
    }
    *bytes = static_cast<uint64_t>(*parsed);
    return absl::OkStatus();
  };
}

Setter Bytes(std::optional<double>* bytes) {
  return [bytes](absl::string_view name, absl::string_view value) {
    const absl::StatusOr<double> parsed = ParseBytes(name, value);
    if (parsed.ok()) *bytes = *parsed;
    return parsed.status();
  };
}

absl::StatusOr<size_t> FindWord(absl::string_view name, absl::string_view value,
                                absl::Span<const absl::string_view> words) {
  const auto found = std::find(words.begin(), words.end(), value);
  if (found != words.end()) return static_cast<size_t>(found - words.begin());
  return UsageError(absl::StrCat(name, " takes ", WordList(words), "; not \"",
                                 value, "\"", DidYouMean(value, words)));
}

}  // namespace mallogram
