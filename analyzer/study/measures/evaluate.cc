// Names of quantities, looked up in a run.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "analyzer/command/cli.h"
#include "analyzer/study/measures/measures.h"
#include "analyzer/study/spec/quantity.h"

namespace mallogram::study {
namespace {

// Index of the phase.
absl::StatusOr<size_t> FindPhase(const RunMeasures& run, absl::string_view name) {
  std::vector<std::string> names;
  for (size_t i = 0; i < run.phases.size(); ++i) {
    names.push_back(QuantityName(run.phases[i].name));
    if (names.back() == name) return i;
  }
  if (names.empty()) {
    return absl::NotFoundError(
        absl::StrCat("at.", name, ": the program printed no phases (\"phase NAME ",
                     "SECONDS\" on standard error)"));
  }
  return absl::NotFoundError(absl::StrCat("no phase \"", name, "\"; there are ",
                                          absl::StrJoin(names, ", ")));
}

absl::StatusOr<double> LookUpGroup(const StudySpec& spec, const RunMeasures& run,
                                   const std::vector<std::string>& parts) {
  for (size_t i = 0; i < spec.groups.size() && i < run.groups.size(); ++i) {
    if (QuantityName(spec.groups[i].name) != parts[1]) continue;
    const GroupMeasure& group = run.groups[i];
    if (parts.size() == 4) {
      absl::StatusOr<size_t> phase = FindPhase(run, parts[3]);
      if (!phase.ok()) return phase.status();
      return static_cast<double>(group.phases[*phase]);
    }
    const std::string metric = parts.size() == 3 ? parts[2] : "peak";
    for (size_t m = 0; m < kSiteMetrics; ++m) {
      if (MetricName(static_cast<Metric>(m)) == metric) {
        return static_cast<double>(group.values[m]);
      }
    }
  }
  return absl::NotFoundError(
      absl::StrCat("no quantity ", absl::StrJoin(parts, "."), " in this run"));
}

absl::StatusOr<double> LookUpTruth(const RunMeasures& run, absl::string_view path) {
  const auto at = run.truth.find(std::string(path));
  if (at != run.truth.end()) return at->second;
  if (run.truth.empty()) {
    return absl::NotFoundError(absl::StrCat(
        "truth.", path, ": the program printed no JSON object on standard output"));
  }
  std::vector<absl::string_view> names;
  for (const auto& [name, value] : run.truth) names.push_back(name);
  return absl::NotFoundError(absl::StrCat("no number truth.", path,
                                          DidYouMean(path, names), " in what ",
                                          "the program printed"));
}

absl::StatusOr<double> LookUp(const StudySpec& spec, const RunMeasures& run,
                              const std::string& name) {
  if (name == "n") return run.n;
  for (size_t m = 0; m < kProgramMetrics; ++m) {
    if (MetricName(static_cast<Metric>(m)) == name) {
      return static_cast<double>(run.program[m]);
    }
  }
  absl::string_view rest = name;
  if (absl::ConsumePrefix(&rest, "truth.")) return LookUpTruth(run, rest);
  if (absl::ConsumePrefix(&rest, "at.")) {
    absl::StatusOr<size_t> phase = FindPhase(run, rest);
    if (!phase.ok()) return phase.status();
    return static_cast<double>(run.phases[*phase].bytes);
  }
  return LookUpGroup(spec, run, absl::StrSplit(name, '.'));
}

void Flatten(const nlohmann::json& json, const std::string& path,
             std::map<std::string, double>* numbers) {
  const auto inside = [&path](const std::string& name) {
    return path.empty() ? name : absl::StrCat(path, ".", name);
  };
  if (json.is_number()) {
    (*numbers)[path] = json.get<double>();
  } else if (json.is_object()) {
    for (const auto& [key, value] : json.items()) {
      Flatten(value, inside(QuantityName(key)), numbers);
    }
  } else if (json.is_array()) {
    for (size_t i = 0; i < json.size(); ++i) {
      Flatten(json[i], inside(absl::StrCat(i)), numbers);
    }
  }
}

}  // namespace

absl::StatusOr<double> Evaluate(const Quantity& quantity, const StudySpec& spec,
                                const RunMeasures& run) {
  absl::StatusOr<Expression> expression = Expression::Parse(quantity);
  if (!expression.ok()) return expression.status();
  absl::StatusOr<double> value = expression->Evaluate(
      [&](const std::string& name) { return LookUp(spec, run, name); });
  if (value.ok()) return value;
  return absl::Status(value.status().code(),
                      absl::StrCat("n = ", run.size, ", replicate ", run.rep, ": ",
                                   value.status().message()));
}

std::map<std::string, double> ReadTruth(absl::string_view standard_output) {
  std::map<std::string, double> numbers;
  const auto parse = [](absl::string_view text) {
    return nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
  };
  nlohmann::json json = parse(standard_output);
  if (!json.is_object()) {  // the last line that is an object
    const std::vector<absl::string_view> lines =
        absl::StrSplit(standard_output, '\n', absl::SkipWhitespace());
    for (size_t i = lines.size(); i-- > 0 && !json.is_object();) {
      if (absl::StartsWith(absl::StripLeadingAsciiWhitespace(lines[i]), "{")) {
        json = parse(lines[i]);
      }
    }
  }
  if (json.is_object()) Flatten(json, "", &numbers);
  return numbers;
}

}  // namespace mallogram::study
