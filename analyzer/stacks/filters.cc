#include "analyzer/stacks/filters.h"

#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "analyzer/command/cli.h"
#include "analyzer/command/files.h"
#include "analyzer/command/format.h"
#include "analyzer/recording/named_moment.h"

namespace mallogram {
namespace {

std::optional<uint64_t> ByteCount(absl::string_view text) {
  const std::optional<double> bytes = BytesOf(text);
  if (!bytes.has_value() || *bytes < 0 || *bytes > 1e18) return std::nullopt;
  return static_cast<uint64_t>(std::llround(*bytes));
}

// "MIN..MAX", either may be missing; a single value is both.
absl::Status AddBounds(absl::string_view option, absl::string_view value,
                       std::optional<uint64_t> (*parse)(absl::string_view),
                       absl::string_view example, Bounds* bounds) {
  const size_t dots = value.find("..");
  const bool is_range = dots != absl::string_view::npos;
  const absl::string_view low = value.substr(0, dots),
                          high = is_range ? value.substr(dots + 2) : low;
  const std::optional<uint64_t> least = low.empty() ? bounds->low : parse(low),
                                most = high.empty() ? bounds->high : parse(high);
  if (!least.has_value() || !most.has_value() || (low.empty() && high.empty())) {
    return UsageError(absl::StrCat(option, " takes MIN..MAX, as in ", example,
                                   ", not \"", value, "\""));
  }
  if (*least > *most) {
    return UsageError(absl::StrCat(option, " ", value,
                                   ": the first number is larger than the second"));
  }
  *bounds = {*least, *most};
  return absl::OkStatus();
}

// Keeps the words, to say later what was asked.
Setter Remember(Filters* filters, Setter set) {
  return [filters, set](absl::string_view name, absl::string_view value) {
    filters->words.emplace_back(name);
    filters->words.emplace_back(value);
    return set(name, value);
  };
}

Setter Rule(Filters* filters, absl::string_view word) {
  return [filters, word](absl::string_view, absl::string_view value) {
    const absl::Status status = filters->stacks.Add(word, value);
    return status.ok() ? status : UsageError(absl::StrCat("--", status.message()));
  };
}

Setter RuleFile(Filters* filters) {
  return [filters](absl::string_view, absl::string_view value) -> absl::Status {
    const absl::StatusOr<std::string> text = ReadTextFile(std::string(value));
    if (!text.ok()) return text.status();
    const absl::Status status = filters->stacks.AddRules(*text, value);
    return status.ok() ? status : UsageError(status.message());
  };
}

Setter MarksFile(BlockFilter* blocks) {
  return [blocks](absl::string_view, absl::string_view value) -> absl::Status {
    absl::StatusOr<std::string> text = ReadTextFile(std::string(value));
    if (!text.ok()) return text.status();
    blocks->marks = *std::move(text);
    blocks->marks_given = true;
    return absl::OkStatus();
  };
}

Setter Range(std::optional<uint64_t> (*parse)(absl::string_view),
             absl::string_view example, Bounds* bounds) {
  return [=](absl::string_view name, absl::string_view value) {
    return AddBounds(name, value, parse, example, bounds);
  };
}

}  // namespace

std::string Filters::Text() const { return JoinCommand(words); }

std::vector<Option> FilterRows(Filters* filters, bool with_moments) {
  BlockFilter* const blocks = &filters->blocks;
  std::vector<Option> rows = {
      {"--focus", 0, "REGEX", "only stacks with a frame that matches",
       Rule(filters, "focus")},
      {"--ignore", 0, "REGEX", "no stacks with a frame that matches",
       Rule(filters, "ignore")},
      {"--hide", 0, "REGEX",
       "leave out frames that match: their callers take their\nplace",
       Rule(filters, "hide")},
      {"--show", 0, "REGEX", "leave out all frames that do not match",
       Rule(filters, "show")},
      {"--module", 0, "REGEX", "only call sites in modules that match",
       Rule(filters, "module")},
      {"--rules", 0, "FILE", "more of these from FILE, a line each: hide ^xmalloc$",
       RuleFile(filters)},
      {"--thread", 0, "NAME",
       "only blocks that threads of this name allocated (REGEX, a\n"
       "tid, or main)",
       Store(&blocks->thread)}};
  if (with_moments) {
    Append({{"--from", 0, "MOMENT",
             "only blocks allocated after a moment: 1.5s, or a phase",
             Store(&blocks->from)},
            {"--to", 0, "MOMENT", "the heap until then", Store(&blocks->to)},
            {"--marks", 0, "FILE", "the program's standard error, for phases",
             MarksFile(blocks)}},
           &rows);
  }
  Append({{"--size", 0, "MIN..MAX",
           "only blocks of so many bytes: 64..1KiB, 1MiB.., ..100",
           Range(ByteCount, "64..1KiB", &blocks->bytes)},
          {"--lifetime", 0, "MIN..MAX",
           "only blocks that lived so long: ..1ms, 10s.. (those never\n"
           "freed: until the end)",
           Range(ParseTime, "1ms..10s", &blocks->lifetime_ns)}},
         &rows);
  for (Option& row : rows) row.set = Remember(filters, std::move(row.set));
  return rows;
}

std::string FilterHelp(bool with_moments) {
  Filters none;
  return absl::StrCat(
      "\nFilters. REGEX is looked for in a frame's function, file and module; an\n"
      "option may be given again: any of its expressions will do.\n",
      DescribeOptions(FilterRows(&none, with_moments)));
}

}  // namespace mallogram
