#include "analyzer/study/judge/fail_on.h"

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "analyzer/command/cli.h"
#include "analyzer/study/judge/criteria.h"
#include "analyzer/study/spec/target.h"
#include "analyzer/study/spec/units.h"

namespace mallogram::study {
namespace {

using What = Failure::What;

absl::StatusOr<Failure> ParseOne(absl::string_view text) {
  constexpr struct {
    absl::string_view name;
    What what;
  } kWords[] = {{"budget", What::kBudget},       {"criteria", What::kCriteria},
                {"undecided", What::kUndecided}, {"law", What::kLaw},
                {"residual", What::kResidual},   {"cv", What::kCv},
                {"alarm", What::kAlarm}};
  const std::vector<absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits('>', 1));
  const absl::string_view word = absl::StripAsciiWhitespace(parts[0]);
  std::vector<absl::string_view> names;
  Failure failure;
  bool found = false;
  for (const auto& known : kWords) {
    names.push_back(known.name);
    if (known.name != word) continue;
    failure.what = known.what;
    found = true;
  }
  if (!found) {
    return UsageError(absl::StrCat("--fail-on: no \"", word, "\"",
                                   DidYouMean(word, names),
                                   "; there are budget, criteria, undecided, "
                                   "law>CLASS, residual>P%, cv>P%, alarm"));
  }
  const bool takes_limit = failure.what == What::kLaw ||
                           failure.what == What::kResidual ||
                           failure.what == What::kCv;
  if (takes_limit != (parts.size() == 2)) {
    return UsageError(absl::StrCat("--fail-on: ", word,
                                   !takes_limit ? " takes no limit"
                                   : failure.what == What::kLaw
                                       ? " takes a class, as law>linear"
                                       : " takes a share, as residual>10%"));
  }
  if (!takes_limit) return failure;
  absl::string_view limit = absl::StripAsciiWhitespace(parts[1]);
  if (failure.what == What::kLaw) {
    absl::StatusOr<fit::Growth> growth = ParseGrowth(limit);
    if (!growth.ok()) {
      return UsageError(absl::StrCat("--fail-on: ", growth.status().message()));
    }
    failure.growth = *growth;
    return failure;
  }
  const std::string whole(limit);
  if (!absl::ConsumeSuffix(&limit, "%") ||
      !absl::SimpleAtod(limit, &failure.share) || failure.share < 0) {
    return UsageError(absl::StrCat("--fail-on: ", word,
                                   "> takes a share, as 10%, not \"", whole, "\""));
  }
  failure.share /= 100;
  return failure;
}

class Finder {
 public:
  explicit Finder(const Failure& failure, std::vector<std::string>* found)
      : failure_(failure), found_(found) {}

  void Find(const TableSpec& table, const VariantResult& variant) {
    name_ = variant.name.empty() ? table.id
                                 : absl::StrCat(table.id, ", ", variant.name);
    switch (failure_.what) {
      case What::kBudget:
        return FindBudget(table, variant);
      case What::kLaw:
        return FindLaw(variant);
      case What::kResidual:
        return FindResidual(variant);
      case What::kCv: {
        const std::optional<double>& cv = variant.value_fit.series.cv;
        if (cv.has_value() && *cv > failure_.share) {
          Add("cv", absl::StrCat("CV ", FormatShare(*cv), " is above ",
                                 FormatShare(failure_.share)));
        }
        return;
      }
      case What::kAlarm:
        return FindAlarms(variant);
      case What::kCriteria:
      case What::kUndecided:
        return;  // of the study, not of a table
    }
  }

 private:
  void Add(absl::string_view word, absl::string_view text) {
    found_->push_back(absl::StrCat(word, ": ", name_, ": ", text));
  }

  void FindBudget(const TableSpec& table, const VariantResult& variant) {
    for (const Row& row : variant.rows) {
      if (table.budget.has_value() && row.value.median > *table.budget) {
        Add("budget", absl::StrCat(FormatSignedBytes(row.value.median), " at ",
                                   table.words.parameter, " = ", FormatSize(row.n),
                                   " is above ", FormatSignedBytes(*table.budget)));
      }
      if (table.unit_budget.has_value() && row.per_unit.has_value() &&
          *row.per_unit > *table.unit_budget) {
        Add("budget",
            absl::StrCat(FormatSignedBytes(*row.per_unit), " a ", table.unit,
                         " at ", table.words.parameter, " = ", FormatSize(row.n),
                         " is above ", FormatSignedBytes(*table.unit_budget)));
      }
    }
  }

  void FindLaw(const VariantResult& variant) {
    const std::string limit(fit::GrowthName(failure_.growth));
    const LawJudgement judged =
        JudgeLaw(variant.value_fit, absl::StrCat("<= ", limit));
    if (judged.status != Status::kFail) return;
    Add("law",
        absl::StrCat(VerdictText(variant.value_fit), " is steeper than ", limit));
  }

  void FindResidual(const VariantResult& variant) {
    for (const Row& row : variant.rows) {
      if (row.residual_share.value_or(0) <= failure_.share) continue;
      Add("residual", absl::StrCat(FormatShare(*row.residual_share),
                                   " at n = ", FormatSize(row.n), " is above ",
                                   FormatShare(failure_.share)));
    }
  }

  void FindAlarms(const VariantResult& variant) {
    for (const SiteScaling& site : variant.scaling.sites) {
      for (size_t m = 0; m < kSiteMetrics; ++m) {
        if (!site.metrics[m].alarm) continue;
        const std::string function = site.site == SiteScaling::kOthers
                                         ? "small call sites together"
                                         : variant.call_sites[site.site].function;
        Add("alarm",
            absl::StrCat(function, ": ", MetricText(static_cast<Metric>(m)), ": ",
                         VerdictText(site.metrics[m].fit)));
        break;  // once a site
      }
    }
  }

  const Failure& failure_;
  std::vector<std::string>* const found_;
  std::string name_;
};

}  // namespace

absl::StatusOr<std::vector<Failure>> ParseFailOn(absl::string_view text) {
  std::vector<Failure> failures;
  for (absl::string_view part : absl::StrSplit(text, ',')) {
    absl::StatusOr<Failure> failure = ParseOne(absl::StripAsciiWhitespace(part));
    if (!failure.ok()) return failure.status();
    failures.push_back(*failure);
  }
  return failures;
}

std::vector<std::string> FindFailures(const StudyResult& result,
                                      const std::vector<Failure>& failures) {
  std::vector<std::string> found;
  for (const Failure& failure : failures) {
    Finder finder(failure, &found);
    for (const TableResult& table : result.tables) {
      for (const VariantResult& variant : table.variants) {
        finder.Find(table.spec, variant);
      }
    }
    for (const CriterionResult& criterion : result.criteria) {
      const bool failed =
          failure.what == What::kCriteria && criterion.status == Status::kFail;
      const bool undecided = failure.what == What::kUndecided &&
                             criterion.status == Status::kUndecided;
      if (!failed && !undecided) continue;
      found.push_back(absl::StrCat(
          failed ? "criteria: \"" : "undecided: \"", criterion.spec.name, "\"",
          criterion.spec.variant.empty() ? "" : ", ", criterion.spec.variant, ": ",
          criterion.measured, ", target ", criterion.spec.target,
          criterion.reason.empty() ? "" : "; ", criterion.reason));
    }
  }
  return found;
}

}  // namespace mallogram::study
