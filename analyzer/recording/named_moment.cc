#include "analyzer/recording/named_moment.h"

#include <cmath>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "analyzer/command/cli.h"

namespace mallogram {

std::optional<uint64_t> ParseTime(absl::string_view text) {
  constexpr std::pair<absl::string_view, double> kUnits[] = {
      {"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
  double scale = 1e9;
  for (const auto& [unit, ns] : kUnits) {
    if (!absl::EndsWith(text, unit)) continue;
    text.remove_suffix(unit.size());
    scale = ns;
    break;
  }
  double value = 0;
  if (!absl::SimpleAtod(text, &value) || !(value >= 0) || value * scale > 1e18)
    return std::nullopt;
  return static_cast<uint64_t>(std::llround(value * scale));
}

absl::StatusOr<NamedMoment> FindMoment(absl::string_view option,
                                       absl::string_view word,
                                       const std::vector<Phase>& phases,
                                       absl::string_view path, bool marks_given) {
  const std::string name(word);
  if (const Phase* phase = FindPhase(phases, word)) return {{name, phase->moment}};
  if (word == "start") return {{name, {0, 0}}};
  if (word == "end") return {{name, {0, Moment::kByTime - 1}}};
  if (const std::optional<uint64_t> time = ParseTime(word))
    return {{name, {*time}}};
  std::vector<absl::string_view> names;
  for (const Phase& phase : phases) names.push_back(phase.name);
  if (names.empty()) {
    return UsageError(
        absl::StrCat(option, " takes a time (1.5s), start, end, or a phase; ", path,
                     marks_given ? " and --marks have no phases"
                                 : " has no phases, and --marks was not given",
                     ": not \"", word, "\""));
  }
  return UsageError(absl::StrCat(option, ": no phase \"", word, "\" in ", path,
                                 "; it has ", absl::StrJoin(names, ", "),
                                 DidYouMean(word, names)));
}

}  // namespace mallogram
