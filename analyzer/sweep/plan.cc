#include "analyzer/sweep/plan.h"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "analyzer/command/cli.h"
#include "analyzer/command/format.h"
#include "analyzer/sweep/sizes.h"

namespace mallogram {
namespace {

constexpr uint32_t kMostReps = 1000, kMostJobs = 256;
constexpr absl::string_view kRep = "rep", kDirectory = "dir";

using Names = std::map<std::string, std::string, std::less<>>;

Names NamesOf(const SweepPlan& plan, const RunKey& key) {
  Names names(plan.constants.begin(), plan.constants.end());
  names[std::string(kRep)] = absl::StrCat(key.rep);
  std::error_code ignored;
  names[std::string(kDirectory)] =
      std::filesystem::absolute(RunDirectory(plan, key), ignored).string();
  names[plan.parameter] = key.size;
  return names;
}

// Replaces {NAME} of every known name, in one pass; all other text stays, so that
// awk '{print}', find -exec {} and JSON need no escapes.
std::string Substitute(absl::string_view text, const Names& names) {
  std::string result;
  for (size_t i = 0; i < text.size();) {
    if (text[i] == '{') {
      const size_t end = text.find('}', i);
      const auto name =
          end == absl::string_view::npos
              ? names.end()
              : names.find(std::string(text.substr(i + 1, end - i - 1)));
      if (name != names.end()) {
        result += name->second;
        i = end + 1;
        continue;
      }
    }
    result += text[i++];
  }
  return result;
}

bool Occurs(const SweepPlan& plan, absl::string_view name) {
  const std::string braces = absl::StrCat("{", name, "}");
  return plan.input.find(braces) != std::string::npos ||
         std::any_of(plan.command.begin(), plan.command.end(),
                     [&braces](const std::string& argument) {
                       return argument.find(braces) != std::string::npos;
                     });
}

absl::Status CheckNames(const SweepPlan& plan) {
  if (!IsParameterName(plan.parameter)) {
    return UsageError(
        absl::StrCat("\"", plan.parameter, "\" cannot name a parameter"));
  }
  for (const auto& [name, value] : plan.constants) {
    if (!IsParameterName(name)) {
      return UsageError(absl::StrCat("\"", name, "\" cannot name a constant"));
    }
    if (name == plan.parameter) {
      return UsageError(
          absl::StrCat("\"", name, "\" is both the parameter and a constant"));
    }
    if (!Occurs(plan, name)) {
      return UsageError(absl::StrCat("{", name, "} does not occur in the command"));
    }
  }
  for (const absl::string_view taken : {kRep, kDirectory}) {
    if (plan.parameter == taken || plan.constants.count(std::string(taken)) != 0) {
      return UsageError(absl::StrCat("{", taken, "} is ",
                                     taken == kRep ? "the number of the replicate"
                                                   : "the directory of the run",
                                     "; choose another name"));
    }
  }
  if (!Occurs(plan, plan.parameter)) {
    return UsageError(absl::StrCat("{", plan.parameter, "} does not occur in the ",
                                   "command: write it where the size goes, as in ",
                                   plan.command[0], " --size {", plan.parameter,
                                   "}"));
  }
  return absl::OkStatus();
}

std::string Quoted(const std::string& text) { return absl::StrCat("`", text, "`"); }

std::string ConstantsText(const SweepPlan& plan) {
  return absl::StrJoin(plan.constants, " ", absl::PairFormatter("="));
}

std::string OrNone(const std::string& text) {
  return text.empty() ? "none" : Quoted(text);
}

}  // namespace

absl::StatusOr<SweepPlan> CheckPlan(SweepPlan plan) {
  if (plan.command.empty()) return UsageError("no program is given");
  if (plan.command[0].empty()) return UsageError("the program's name is empty");
  absl::Status status = CheckNames(plan);
  if (!status.ok()) return status;
  absl::StatusOr<std::vector<std::string>> sizes = ExpandSizes(plan.sizes);
  if (!sizes.ok()) return sizes.status();
  plan.sizes = *std::move(sizes);
  if (plan.reps < 1 || plan.reps > kMostReps) {
    return UsageError(absl::StrCat("there can be 1 to ", kMostReps,
                                   " replicates of a size, not ", plan.reps));
  }
  if (plan.jobs < 1 || plan.jobs > kMostJobs) {
    return UsageError(absl::StrCat("1 to ", kMostJobs,
                                   " runs can go on at once, not ", plan.jobs));
  }
  if (plan.directory.empty()) return UsageError("the directory's name is empty");
  while (plan.directory.size() > 1 && plan.directory.back() == '/') {
    plan.directory.pop_back();
  }
  return plan;
}

std::vector<RunKey> RunOrder(const SweepPlan& plan) {
  std::vector<RunKey> order;
  for (uint32_t rep = 1; rep <= plan.reps; ++rep) {
    for (const std::string& size : plan.sizes) order.push_back({size, rep});
  }
  return order;
}

std::string RunName(const SweepPlan& plan, const RunKey& key) {
  return absl::StrCat(plan.parameter, "=", key.size, ",rep=", key.rep);
}

std::string RunTitle(const SweepPlan& plan, const RunKey& key) {
  const std::string size = absl::StrCat(plan.parameter, "=", key.size);
  if (key.rep == kWarmUp) return absl::StrCat(size, " (warm-up)");
  if (plan.reps == 1) return size;
  return absl::StrCat(size, " (replicate ", key.rep, " of ", plan.reps, ")");
}

std::string RunDirectory(const SweepPlan& plan, const RunKey& key) {
  return absl::StrCat(plan.directory, "/", RunName(plan, key));
}

std::vector<std::string> RunCommand(const SweepPlan& plan, const RunKey& key) {
  const Names names = NamesOf(plan, key);
  std::vector<std::string> command;
  for (const std::string& argument : plan.command) {
    command.push_back(Substitute(argument, names));
  }
  return command;
}

std::string RunInput(const SweepPlan& plan, const RunKey& key) {
  return Substitute(plan.input, NamesOf(plan, key));
}

std::string PlanDifference(const SweepPlan& other, const SweepPlan& plan) {
  if (other.command != plan.command) {
    return absl::StrCat("holds runs of ", Quoted(JoinCommand(other.command)),
                        ", not of ", Quoted(JoinCommand(plan.command)));
  }
  if (other.parameter != plan.parameter) {
    return absl::StrCat("holds runs over ", other.parameter, ", not over ",
                        plan.parameter);
  }
  if (other.constants != plan.constants) {
    return absl::StrCat("holds runs with the constants ",
                        OrNone(ConstantsText(other)), ", not ",
                        OrNone(ConstantsText(plan)));
  }
  if (other.input != plan.input) {
    return absl::StrCat("holds runs with the standard input ", OrNone(other.input),
                        ", not ", OrNone(plan.input));
  }
  if (other.record_options != plan.record_options) {
    return absl::StrCat("holds runs recorded with the options ",
                        OrNone(JoinCommand(other.record_options)), ", not ",
                        OrNone(JoinCommand(plan.record_options)));
  }
  if (other.working_directory != plan.working_directory) {
    return absl::StrCat("holds runs made in ", other.working_directory, ", not in ",
                        plan.working_directory);
  }
  for (const std::string& size : other.sizes) {
    if (std::find(plan.sizes.begin(), plan.sizes.end(), size) == plan.sizes.end()) {
      return absl::StrCat("holds runs of ", other.parameter, "=", size,
                          ", which was not asked for now");
    }
  }
  if (other.reps > plan.reps) {
    return absl::StrCat("holds ", other.reps, " replicates of each size, not ",
                        plan.reps);
  }
  return "";
}

}  // namespace mallogram
