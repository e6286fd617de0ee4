#include "analyzer/stacks/filters.h"

#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
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

}  // namespace

const char kFilterHelp[] =
    R"(Filters (REGEX: a regular expression, looked for in a frame's function, file and
module; an option may be given several times, any of them will do):
  --focus REGEX         only stacks with a frame that matches
  --ignore REGEX        no stacks with a frame that matches
  --hide REGEX          leave out frames that match: their callers take their place
  --show REGEX          leave out all other frames
  --module REGEX        only call sites in modules that match
  --rules FILE          more of these, a line each: `hide ^xmalloc$`
  --thread NAME         only blocks allocated by threads of that name (a regular
                        expression), by a tid, or by `main`
  --from MOMENT         only blocks allocated after this moment: a time since the
  --to MOMENT           start (1.5s), start, end, or a phase; `live` and `peak` are
                        those of this time
  --marks FILE          the program's standard error, for phases
  --size MIN..MAX       only blocks of that many bytes (64..1KiB, 1MiB.., ..100)
  --lifetime MIN..MAX   only blocks that lived that long (..1ms, 10s..); those never
                        freed, until the end
)";

std::string Filters::Text() const { return JoinCommand(words); }

absl::Status AddFilter(absl::string_view option, absl::string_view value,
                       Filters* filters) {
  filters->words.emplace_back(option);
  filters->words.emplace_back(value);
  BlockFilter& blocks = filters->blocks;
  if (option == "--thread") {
    blocks.thread = std::string(value);
    return absl::OkStatus();
  }
  if (option == "--from" || option == "--to") {
    (option == "--from" ? blocks.from : blocks.to) = std::string(value);
    return absl::OkStatus();
  }
  if (option == "--marks") {
    absl::StatusOr<std::string> text = ReadTextFile(std::string(value));
    if (!text.ok()) return text.status();
    blocks.marks = *std::move(text);
    blocks.marks_given = true;
    return absl::OkStatus();
  }
  if (option == "--size")
    return AddBounds(option, value, ByteCount, "64..1KiB", &blocks.bytes);
  if (option == "--lifetime")
    return AddBounds(option, value, ParseTime, "1ms..10s", &blocks.lifetime_ns);
  if (option == "--rules") {
    const absl::StatusOr<std::string> text = ReadTextFile(std::string(value));
    if (!text.ok()) return text.status();
    const absl::Status status = filters->stacks.AddRules(*text, value);
    return status.ok() ? status : UsageError(status.message());
  }
  const absl::Status status =
      filters->stacks.Add(absl::StripPrefix(option, "--"), value);
  return status.ok() ? status : UsageError(absl::StrCat("--", status.message()));
}

}  // namespace mallogram
