#include "analyzer/leaks/suppressions.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "analyzer/command/files.h"

namespace mallogram {
namespace {

// Reads one text line by line.
class Parser {
 public:
  Parser(absl::string_view text, absl::string_view source, bool built_in)
      : lines_(absl::StrSplit(text, '\n')), source_(source), built_in_(built_in) {}

  absl::Status Parse(std::vector<Suppression>* all) {
    for (absl::string_view line; Next(&line);) {
      absl::Status status;
      if (line == "{") {
        status = ParseBlock(all);
      } else if (absl::ConsumePrefix(&line, "leak:")) {
        status = ParseLine(line, all);
      } else {
        status =
            Error(absl::StrCat("expected leak:PATTERN or {, not \"", line, "\""));
      }
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

 private:
  // The next line with something on it.
  bool Next(absl::string_view* line) {
    while (number_ < lines_.size()) {
      *line = absl::StripAsciiWhitespace(lines_[number_++]);
      if (!line->empty() && line->front() != '#') return true;
    }
    return false;
  }

  std::string Place(size_t number) const {
    return built_in_ ? source_ : absl::StrCat(source_, ":", number);
  }
  absl::Status Error(absl::string_view message) const {
    return absl::InvalidArgumentError(absl::StrCat(Place(number_), ": ", message));
  }

  absl::Status ParseLine(absl::string_view pattern, std::vector<Suppression>* all) {
    pattern = absl::StripAsciiWhitespace(pattern);
    if (pattern.empty()) return Error("leak: needs a pattern");
    Suppression suppression;
    suppression.name = absl::StrCat("leak:", pattern);
    suppression.source = Place(number_);
    suppression.built_in = built_in_;
    suppression.any_frame = true;
    suppression.patterns.push_back(
        {SuppressionPattern::Of::kAnyPart, std::string(pattern)});
    all->push_back(std::move(suppression));
    return absl::OkStatus();
  }

  absl::Status ParseBlock(std::vector<Suppression>* all) {
    const size_t begin = number_;
    Suppression suppression;
    suppression.source = Place(begin);
    suppression.built_in = built_in_;
    absl::string_view line;
    const auto unclosed = [&] {
      number_ = begin;
      return Error("this { has no }");
    };
    if (!Next(&line)) return unclosed();
    if (line == "}") return Error("a suppression needs a name");
    suppression.name = std::string(line);
    if (!Next(&line)) return unclosed();
    // "Memcheck,Other:Leak"
    const size_t colon = line.find(':');
    if (colon == absl::string_view::npos)
      return Error(absl::StrCat("expected Memcheck:Leak, not \"", line, "\""));
    const std::vector<absl::string_view> tools =
        absl::StrSplit(line.substr(0, colon), ',');
    const absl::string_view error = line.substr(colon + 1);
    suppression.of_frees = error == "Free";
    if (suppression.of_frees) suppression.kinds = 0;
    const bool ours =
        std::find(tools.begin(), tools.end(), "Memcheck") != tools.end() &&
        (error == "Leak" || suppression.of_frees);
    for (;;) {
      if (!Next(&line)) return unclosed();
      if (line == "}") break;
      if (!ours) continue;
      const absl::Status status = ParseFrame(line, &suppression);
      if (!status.ok()) return status;
    }
    if (!ours) return absl::OkStatus();
    if (suppression.patterns.empty() && suppression.root.empty())
      return Error("a suppression needs a frame (fun:, obj:, src: or ...)");
    all->push_back(std::move(suppression));
    return absl::OkStatus();
  }

  absl::Status ParseFrame(absl::string_view line, Suppression* suppression) {
    using Of = SuppressionPattern::Of;
    if (absl::ConsumePrefix(&line, "match-leak-kinds:"))
      return ParseKinds(line, suppression);
    if (line == "...") {
      suppression->patterns.push_back({Of::kEllipsis, ""});
      return absl::OkStatus();
    }
    if (absl::ConsumePrefix(&line, "root:")) {
      suppression->root = std::string(absl::StripAsciiWhitespace(line));
      return absl::OkStatus();
    }
    constexpr struct {
      absl::string_view prefix;
      Of of;
    } kFrames[] = {
        {"fun:", Of::kFunction}, {"obj:", Of::kObject}, {"src:", Of::kSource}};
    for (const auto& frame : kFrames) {
      if (!absl::ConsumePrefix(&line, frame.prefix)) continue;
      if (line.empty())
        return Error(absl::StrCat(frame.prefix, " needs a pattern"));
      suppression->patterns.push_back({frame.of, std::string(line)});
      return absl::OkStatus();
    }
    return Error(
        absl::StrCat("expected fun:, obj:, src: or ..., not \"", line, "\""));
  }

  absl::Status ParseKinds(absl::string_view text, Suppression* suppression) {
    suppression->kinds = 0;
    for (absl::string_view word : absl::StrSplit(text, ',')) {
      word = absl::StripAsciiWhitespace(word);
      if (word == "all") {
        suppression->kinds = kAllKinds;
      } else if (word == "definite") {
        suppression->kinds |= SetOf(LeakKind::kDefinite);
      } else if (word == "indirect") {
        suppression->kinds |= SetOf(LeakKind::kIndirect);
      } else if (word == "possible") {
        suppression->kinds |= SetOf(LeakKind::kPossible);
      } else if (word == "reachable") {
        // What the libraries keep on purpose does not grow on purpose. Of what is
        // not classified, the stack tells.
        suppression->kinds |=
            SetOf(LeakKind::kReachable) |
            SetOf(built_in_ ? LeakKind::kUnclassified : LeakKind::kGrowth);
      } else if (word != "none") {
        return Error(absl::StrCat("no kind of leak: \"", word, "\""));
      }
    }
    return absl::OkStatus();
  }

  const std::vector<absl::string_view> lines_;
  const std::string source_;
  const bool built_in_;
  size_t number_ = 0;  // of the line read last, from 1
};

// `any`: the sign for one character; '\0': none.
bool Glob(absl::string_view pattern, absl::string_view text, char any) {
  size_t p = 0, t = 0, star = absl::string_view::npos, mark = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.size() &&
               (pattern[p] == text[t] || (any != '\0' && pattern[p] == any))) {
      ++p;
      ++t;
    } else if (star != absl::string_view::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace

bool MatchesPart(absl::string_view pattern, absl::string_view text) {
  const bool from_begin = absl::ConsumePrefix(&pattern, "^");
  const bool to_end = absl::ConsumeSuffix(&pattern, "$");
  const std::string whole =
      absl::StrCat(from_begin ? "" : "*", pattern, to_end ? "" : "*");
  return Glob(whole, text, '\0');
}

bool MatchesWhole(absl::string_view pattern, absl::string_view text) {
  return Glob(pattern, text, '?');
}

absl::Status SuppressionSet::Add(absl::string_view text, absl::string_view source,
                                 bool built_in) {
  return Parser(text, source, built_in).Parse(&all_);
}

absl::Status LoadSuppressions(const std::vector<std::string>& files, bool built_in,
                              SuppressionSet* set) {
  for (const std::string& file : files) {
    const absl::StatusOr<std::string> text = ReadTextFile(file);
    if (!text.ok()) return text.status();
    const absl::Status status = set->Add(*text, file, /*built_in=*/false);
    if (!status.ok()) return status;
  }
  if (!built_in) return absl::OkStatus();
  return set->Add(kBuiltInSuppressions, "built-in", /*built_in=*/true);
}

}  // namespace mallogram
