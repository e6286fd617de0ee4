#include "analyzer/study/judge/criteria.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "analyzer/fit/distributions.h"
#include "analyzer/study/judge/statistics.h"
#include "analyzer/study/spec/quantity.h"
#include "analyzer/study/spec/target.h"
#include "analyzer/study/spec/units.h"

namespace mallogram::study {
namespace {

// A figure to hold against a target.
struct Figure {
  double value = 0;
  Interval interval;
  bool exact = false;  // no interval
};

enum class Format { kBytes, kNumber, kShare };

std::string FormatAs(Format format, double value) {
  switch (format) {
    case Format::kBytes:
      return FormatSignedBytes(value);
    case Format::kNumber:
      return FormatNumber(value);
    case Format::kShare:
      break;
  }
  return FormatShare(value);
}

void Judge(const Figure& figure, const Target& target, Format format,
           CriterionResult* out) {
  out->measured = FormatAs(format, figure.value);
  if (!figure.exact) {
    out->interval = absl::StrCat(FormatAs(format, figure.interval.low), " to ",
                                 FormatAs(format, figure.interval.high));
  }
  const bool low = Holds(figure.interval.low, target.comparison, target.value);
  const bool high = Holds(figure.interval.high, target.comparison, target.value);
  if (target.comparison == Comparison::kEqual) {
    if (figure.exact) {
      out->status = low ? Status::kPass : Status::kFail;
    } else if (figure.interval.low > target.value ||
               figure.interval.high < target.value) {
      out->status = Status::kFail;
    } else {
      out->reason = "not shown: the target is within the interval";
    }
    return;
  }
  if (low == high) {
    out->status = low ? Status::kPass : Status::kFail;
  } else {
    out->reason = "not shown: the target is within the interval";
  }
}

// The way a criterion's figures are written: bytes, unless bytes were divided by
// bytes or the target is a share or a plain number of something else.
Format FormatOf(const CriterionSpec& criterion) {
  if (absl::StrContains(criterion.target, "%")) return Format::kShare;
  if (absl::EndsWith(criterion.target, "B")) return Format::kBytes;
  const absl::StatusOr<Expression> expression = Expression::Parse(criterion.value);
  if (!expression.ok()) return Format::kNumber;
  // A quotient of two amounts of memory is a ratio.
  const size_t slash = criterion.value.find('/');
  const bool counts = absl::StrContains(criterion.value, "calls");
  if (counts) return Format::kNumber;
  if (slash == std::string::npos) {
    const bool of_heap = std::any_of(
        expression->names().begin(), expression->names().end(),
        [](const std::string& name) { return !absl::StartsWith(name, "truth"); });
    return of_heap ? Format::kBytes : Format::kNumber;
  }
  const std::string divisor = criterion.value.substr(slash + 1);
  const bool by_bytes = absl::StrContains(divisor, "bytes") ||
                        absl::StrContains(divisor, "peak") ||
                        absl::StrContains(divisor, "at.");
  return by_bytes ? Format::kNumber : Format::kBytes;
}

class VariantJudge {
 public:
  VariantJudge(const StudyResult& result, const TableResult& table,
               const VariantResult& variant, const VariantMeasures& measures)
      : result_(result), table_(table), variant_(variant), measures_(measures) {}

  absl::StatusOr<CriterionResult> Judge(const CriterionSpec& criterion) const {
    CriterionResult out;
    out.spec = criterion;
    out.spec.variant = variant_.name;
    switch (criterion.what) {
      case CriterionSpec::What::kValue:
        return JudgeValue(criterion, criterion.value, std::move(out));
      case CriterionSpec::What::kResidual:
        return JudgeValue(criterion, ResidualShare(*table_.spec.residual),
                          std::move(out));
      case CriterionSpec::What::kLaw: {
        const LawJudgement law = JudgeLaw(variant_.value_fit, criterion.target);
        out.measured = VerdictText(variant_.value_fit);
        out.status = law.status;
        out.reason = law.reason;
        return out;
      }
      case CriterionSpec::What::kCv:
        return JudgeCv(criterion, std::move(out));
    }
    return out;
  }

 private:
  absl::StatusOr<Statistics> At(const Quantity& quantity, double n) const {
    std::vector<double> values;
    for (const RunMeasures& run : measures_.runs) {
      if (run.n != n) continue;
      absl::StatusOr<double> value = Evaluate(quantity, result_.spec, run);
      if (!value.ok()) return value.status();
      values.push_back(*value);
    }
    return Summarize(std::move(values));
  }

  bool Measured(double n) const {
    return std::any_of(variant_.rows.begin(), variant_.rows.end(),
                       [n](const Row& row) { return row.n == n; });
  }

  absl::StatusOr<CriterionResult> JudgeValue(const CriterionSpec& criterion,
                                             const Quantity& quantity,
                                             CriterionResult out) const {
    absl::StatusOr<Target> target = ParseValueTarget(criterion.target);
    if (!target.ok()) return target.status();
    const bool residual = criterion.what == CriterionSpec::What::kResidual;
    const Format format = residual ? Format::kShare : FormatOf(criterion);
    if (criterion.n.has_value() && !Measured(*criterion.n)) {
      return Predict(quantity, *criterion.n, *target, format, std::move(out));
    }
    // Without a size the worst of all counts.
    std::optional<CriterionResult> worst;
    for (const Row& row : variant_.rows) {
      if (criterion.n.has_value() && row.n != *criterion.n) continue;
      absl::StatusOr<Statistics> statistics = At(quantity, row.n);
      CriterionResult one = out;
      if (absl::IsOutOfRange(statistics.status())) {  // divided by zero
        one.reason = std::string(statistics.status().message());
      } else if (!statistics.ok()) {
        return statistics.status();
      } else {
        JudgeRow(*statistics, quantity, *target, format, &one);
      }
      if (!criterion.n.has_value() && variant_.rows.size() > 1) {
        absl::StrAppend(&one.measured, " at n = ", FormatSize(row.n));
      }
      if (!worst.has_value() || Worse(one, *worst)) worst = std::move(one);
    }
    return *worst;
  }

  // `a` is later, so that of equal ones the largest size stands for all.
  static bool Worse(const CriterionResult& a, const CriterionResult& b) {
    const auto rank = [](Status status) {
      return status == Status::kPass ? 0 : status == Status::kUndecided ? 1 : 2;
    };
    return rank(a.status) >= rank(b.status);
  }

  void JudgeRow(const Statistics& statistics, const Quantity& quantity,
                const Target& target, Format format, CriterionResult* out) const {
    const bool resident = absl::StrContains(quantity, "rss");
    const Figure figure{statistics.mean, IntervalOfMean(statistics),
                        statistics.sd.value_or(0) == 0};
    study::Judge(figure, target, format, out);
    if (resident && statistics.count < 2) {
      out->status = Status::kUndecided;
      out->reason = "not shown: a resident set needs replicates";
    }
  }

  absl::StatusOr<CriterionResult> Predict(const Quantity& quantity, double n,
                                          const Target& target, Format format,
                                          CriterionResult out) const {
    std::vector<fit::Measurement> values;
    for (const Row& row : variant_.rows) {
      absl::StatusOr<Statistics> statistics = At(quantity, row.n);
      if (!statistics.ok()) return statistics.status();
      for (const double value : statistics->values) {
        values.push_back({row.n, std::max(0.0, value)});
      }
    }
    fit::FitRequest request;
    request.predict = {n};
    const double quantum = quantity == "rss" ? 4096 : 0;
    const fit::SeriesFit fit = fit::FitSeries(std::move(values), quantum, request);
    if (!fit.predictions.empty()) {
      const fit::Prediction& prediction = fit.predictions.front();
      study::Judge({prediction.value, {prediction.low, prediction.high}, false},
                   target, format, &out);
      absl::StrAppend(&out.measured, " (predicted)");
      return out;
    }
    out.measured = "no figure";
    out.reason = absl::StrCat("n = ", FormatSize(n), " was not measured, and ",
                              !fit.refused.empty()  ? fit.refused.front().reason
                              : fit.refusal.empty() ? "there is no law"
                                                    : fit.refusal);
    return out;
  }

  absl::StatusOr<CriterionResult> JudgeCv(const CriterionSpec& criterion,
                                          CriterionResult out) const {
    absl::StatusOr<Target> target = ParseValueTarget(criterion.target);
    if (!target.ok()) return target.status();
    const fit::Series& series = variant_.value_fit.series;
    if (!series.cv.has_value()) {
      out.measured = "single runs";
      out.reason = "no replicates: a single run has no CV";
      return out;
    }
    // Squares of normal errors are a gamma variable.
    const double cv = *series.cv;
    double freedom = 0;
    for (const fit::SizeStats& size : series.sizes) {
      freedom += static_cast<double>(size.replicates - 1);
    }
    const auto bound = [&](double p) {
      return cv * std::sqrt(freedom / fit::GammaQuantile(p, freedom / 2, 2));
    };
    study::Judge(
        {cv, cv == 0 ? Interval{0, 0} : Interval{bound(0.975), bound(0.025)},
         cv == 0},
        *target, Format::kShare, &out);
    return out;
  }

  const StudyResult& result_;
  const TableResult& table_;
  const VariantResult& variant_;
  const VariantMeasures& measures_;
};

bool NoSteeper(fit::Growth growth, const Target& target) {
  return Holds(static_cast<double>(growth), target.comparison,
               static_cast<double>(target.growth));
}

bool Firm(fit::Word word) {
  return word == fit::Word::kHigh || word == fit::Word::kLikely;
}

}  // namespace

Quantity ResidualShare(const TableSpec::Residual& residual) {
  return absl::StrCat("((", residual.after, ") - (", residual.before, ")) / ((",
                      residual.high, ") - (", residual.before, "))");
}

std::string VerdictText(const fit::SeriesFit& fit) {
  if (fit.word == fit::Word::kNotEnoughData) {
    return std::string(fit::WordName(fit.word));
  }
  if (fit.growth == fit::Growth::kUndetermined && fit.group.has_value() &&
      Firm(fit.group_word)) {
    return absl::StrCat(fit::GroupName(*fit.group), " or near it (",
                        fit::WordName(fit.group_word), ")");
  }
  if (!fit::IsGrowthLaw(fit.growth))
    return std::string(fit::GrowthName(fit.growth));
  return absl::StrCat(fit::GrowthName(fit.growth), " (", fit::WordName(fit.word),
                      ")");
}

LawJudgement JudgeLaw(const fit::SeriesFit& fit, absl::string_view text) {
  const absl::StatusOr<Target> target = ParseLawTarget(text);
  if (!target.ok()) return {Status::kUndecided, target.status().ToString()};
  const auto decide = [](bool holds) {
    return LawJudgement{holds ? Status::kPass : Status::kFail, ""};
  };
  // Nothing at all, or less and less, is below every law.
  if (fit.growth == fit::Growth::kZero || fit.growth == fit::Growth::kDecreasing) {
    return decide(target->comparison == Comparison::kLess ||
                  target->comparison == Comparison::kAtMost);
  }
  if (fit::IsGrowthLaw(fit.growth) && Firm(fit.word)) {
    return decide(NoSteeper(fit.growth, *target));
  }
  // The class is too close to call, but all that it may be are on one side.
  if (fit.growth == fit::Growth::kUndetermined && fit.group.has_value() &&
      Firm(fit.group_word)) {
    bool all = true, none = true;
    for (size_t i = 0; i < fit::kGrowthLaws; ++i) {
      const fit::Growth growth = static_cast<fit::Growth>(i);
      if (fit::GroupOf(growth) != *fit.group) continue;
      const bool holds = NoSteeper(growth, *target);
      all &= holds;
      none &= !holds;
    }
    if (all || none) return decide(all);
  }
  return {
      Status::kUndecided,
      absl::StrCat("not shown: ",
                   fit.refusal.empty() ? "the law is undetermined" : fit.refusal)};
}

absl::StatusOr<std::vector<CriterionResult>> JudgeCriteria(
    const StudyResult& result, const StudyMeasures& measures) {
  std::vector<CriterionResult> out;
  for (const CriterionSpec& criterion : result.spec.criteria) {
    for (size_t t = 0; t < result.tables.size(); ++t) {
      const TableResult& table = result.tables[t];
      if (table.spec.id != criterion.table) continue;
      for (size_t v = 0; v < table.variants.size(); ++v) {
        const VariantResult& variant = table.variants[v];
        if (!criterion.variant.empty() && variant.name != criterion.variant)
          continue;
        absl::StatusOr<CriterionResult> judged =
            VariantJudge(result, table, variant, measures[t][v]).Judge(criterion);
        if (!judged.ok()) {
          return absl::Status(
              judged.status().code(),
              absl::StrCat(result.spec.file, ": criterion \"", criterion.name,
                           "\": ", judged.status().message()));
        }
        out.push_back(*std::move(judged));
      }
    }
  }
  return out;
}

}  // namespace mallogram::study
