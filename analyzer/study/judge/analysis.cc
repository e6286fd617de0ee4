#include "analyzer/study/judge/analysis.h"

#include <algorithm>
#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "analyzer/command/format.h"
#include "analyzer/study/judge/criteria.h"
#include "analyzer/study/judge/statistics.h"
#include "analyzer/study/spec/units.h"

namespace mallogram::study {
namespace {

class TableAnalysis {
 public:
  TableAnalysis(const StudySpec& spec, const TableSpec& table, StudyResult* result)
      : spec_(spec), table_(table), result_(result) {}

  absl::StatusOr<VariantResult> Analyze(const Variant& variant,
                                        const VariantMeasures& measures) {
    VariantResult out;
    out.name = variant.name;
    out.command = measures.command;
    out.directory = measures.directory;
    name_ = variant.name.empty() ? table_.id
                                 : absl::StrCat(table_.id, ", ", variant.name);
    for (const PhaseMeasure& phase : measures.runs.front().phases) {
      out.phases.push_back(phase.name);
    }
    for (const std::vector<const RunMeasures*>& runs : BySize(measures.runs)) {
      absl::StatusOr<Row> row = MakeRow(runs);
      if (!row.ok()) return row.status();
      out.rows.push_back(*std::move(row));
    }
    absl::Status status = Fit(measures, &out);
    if (!status.ok()) return status;
    WarnOfPhases(measures);
    for (const std::string& warning : measures.sites.warnings) Warn(warning);
    ScalingRequest request;
    request.predict = table_.predict;
    if (table_.value == "peak") request.budget = table_.budget;
    out.scaling = AnalyzeScaling(measures.sites, request);
    out.call_sites = measures.sites.sites;
    return out;
  }

 private:
  static std::vector<std::vector<const RunMeasures*>> BySize(
      const std::vector<RunMeasures>& runs) {
    std::vector<const RunMeasures*> sorted;
    for (const RunMeasures& run : runs) sorted.push_back(&run);
    std::stable_sort(
        sorted.begin(), sorted.end(),
        [](const RunMeasures* a, const RunMeasures* b) { return a->n < b->n; });
    std::vector<std::vector<const RunMeasures*>> sizes;
    for (const RunMeasures* run : sorted) {
      if (sizes.empty() || sizes.back().front()->n != run->n) sizes.emplace_back();
      sizes.back().push_back(run);
    }
    return sizes;
  }

  void Warn(absl::string_view text) {
    const std::string warning = absl::StrCat(name_, ": ", text);
    std::vector<std::string>& all = result_->warnings;
    if (std::find(all.begin(), all.end(), warning) == all.end()) {
      all.push_back(warning);
    }
  }

  absl::StatusOr<std::vector<double>> Values(
      const Quantity& quantity, const std::vector<const RunMeasures*>& runs) const {
    std::vector<double> values;
    for (const RunMeasures* run : runs) {
      absl::StatusOr<double> value = Evaluate(quantity, spec_, *run);
      if (!value.ok()) {
        return absl::Status(value.status().code(),
                            absl::StrCat(spec_.file, ": table ", name_, ", ",
                                         value.status().message()));
      }
      values.push_back(*value);
    }
    return values;
  }

  absl::StatusOr<Statistics> Of(const Quantity& quantity,
                                const std::vector<const RunMeasures*>& runs) const {
    absl::StatusOr<std::vector<double>> values = Values(quantity, runs);
    if (!values.ok()) return values.status();
    return Summarize(*std::move(values));
  }

  absl::StatusOr<Row> MakeRow(const std::vector<const RunMeasures*>& runs) {
    Row row;
    row.size = runs.front()->size;
    row.n = runs.front()->n;
    absl::StatusOr<Statistics> value = Of(table_.value, runs);
    if (!value.ok()) return value.status();
    row.value = *value;
    for (size_t m = 0; m < kProgramMetrics; ++m) {
      std::vector<double> values;
      for (const RunMeasures* run : runs) {
        values.push_back(static_cast<double>(run->program[m]));
      }
      row.metrics[m] = Summarize(std::move(values));
    }
    absl::Status status = AddUnits(runs, &row);
    for (const Column& column : table_.columns) {
      if (status.ok()) status = AddColumn(column, runs, &row.columns);
    }
    for (const Column& ratio : table_.ratios) {
      if (status.ok()) status = AddColumn(ratio, runs, &row.ratios);
    }
    if (status.ok() && table_.residual.has_value())
      status = AddResidual(runs, &row);
    if (!status.ok()) return status;
    AddPhasesAndGroups(runs, &row);
    for (const PublishedRow& published : table_.published) {
      if (published.n == row.n) row.published = published.value;
    }
    return row;
  }

  absl::Status AddColumn(const Column& column,
                         const std::vector<const RunMeasures*>& runs,
                         std::vector<Statistics>* columns) {
    absl::StatusOr<Statistics> statistics = Of(column.value, runs);
    if (statistics.ok()) columns->push_back(*std::move(statistics));
    return statistics.status();
  }

  absl::Status AddUnits(const std::vector<const RunMeasures*>& runs, Row* row) {
    if (table_.unit.empty()) return absl::OkStatus();
    absl::StatusOr<Statistics> units = Of(table_.units, runs);
    if (!units.ok()) return units.status();
    row->units = units->median;
    if (row->units > 0) row->per_unit = row->value.median / row->units;
    return absl::OkStatus();
  }

  absl::Status AddResidual(const std::vector<const RunMeasures*>& runs, Row* row) {
    const TableSpec::Residual& residual = *table_.residual;
    absl::StatusOr<Statistics> bytes =
        Of(absl::StrCat("(", residual.after, ") - (", residual.before, ")"), runs);
    if (!bytes.ok()) return bytes.status();
    row->residual = bytes->median;
    absl::StatusOr<Statistics> share = Of(ResidualShare(residual), runs);
    // Nothing came on top of the baseline: there is no share.
    if (share.ok()) row->residual_share = share->median;
    return absl::IsOutOfRange(share.status()) ? absl::OkStatus() : share.status();
  }

  void AddPhasesAndGroups(const std::vector<const RunMeasures*>& runs, Row* row) {
    std::map<std::string, std::vector<double>> phases, groups;
    for (const RunMeasures* run : runs) {
      for (const PhaseMeasure& phase : run->phases) {
        phases[phase.name].push_back(static_cast<double>(phase.bytes));
      }
      for (size_t i = 0; i < run->groups.size(); ++i) {
        groups[spec_.groups[i].name].push_back(static_cast<double>(
            run->groups[i].values[static_cast<size_t>(Metric::kPeak)]));
      }
    }
    for (auto& [name, values] : phases) row->phases[name] = Summarize(values);
    for (auto& [name, values] : groups) row->groups[name] = Summarize(values);
  }

  absl::Status Fit(const VariantMeasures& measures, VariantResult* out) {
    std::vector<fit::Measurement> values, residuals;
    bool negative = false;
    for (const Row& row : out->rows) {
      for (const double value : row.value.values) {
        negative |= value < 0;
        values.push_back({row.n, std::max(0.0, value)});
      }
      // What came back below the baseline is no residual.
      if (row.residual.has_value()) {
        residuals.push_back({row.n, std::max(0.0, *row.residual)});
      }
    }
    if (negative) {
      Warn(absl::StrCat(table_.value, " is negative in some runs: fitted as 0"));
    }
    fit::FitRequest request;
    request.predict = table_.predict;
    request.budget = table_.budget;
    // The kernel counts pages.
    const double quantum = table_.value == "rss" ? 4096 : 0;
    out->value_fit = fit::FitSeries(std::move(values), quantum, request);
    if (!residuals.empty()) {
      out->residual_fit = fit::FitSeries(std::move(residuals), 0, {});
    }
    return absl::OkStatus();
  }

  void WarnOfPhases(const VariantMeasures& measures) {
    for (const RunMeasures& run : measures.runs) {
      for (const PhaseMeasure& phase : run.phases) {
        if (phase.high - phase.low <= phase.bytes / 100) continue;
        Warn(absl::StrCat("phase ", phase.name, " at n = ", run.size, ": ",
                          FormatSignedBytes(static_cast<double>(phase.low)), " to ",
                          FormatSignedBytes(static_cast<double>(phase.high)),
                          ", as its time is not known to the event"));
        return;
      }
    }
  }

  const StudySpec& spec_;
  const TableSpec& table_;
  StudyResult* const result_;
  std::string name_;
};

}  // namespace

absl::StatusOr<StudyResult> Analyze(const StudySpec& spec,
                                    const StudyMeasures& measures) {
  StudyResult result;
  result.spec = spec;
  for (size_t t = 0; t < measures.size(); ++t) {
    TableResult table;
    table.spec = spec.tables[t];
    TableAnalysis analysis(spec, spec.tables[t], &result);
    for (size_t v = 0; v < measures[t].size(); ++v) {
      absl::StatusOr<VariantResult> variant =
          analysis.Analyze(spec.tables[t].runs.variants[v], measures[t][v]);
      if (!variant.ok()) return variant.status();
      for (const RunMeasures& run : measures[t][v].runs) {
        result.seconds += run.seconds;
      }
      table.variants.push_back(*std::move(variant));
    }
    result.tables.push_back(std::move(table));
  }
  absl::StatusOr<std::vector<CriterionResult>> criteria =
      JudgeCriteria(result, measures);
  if (!criteria.ok()) return criteria.status();
  result.criteria = *std::move(criteria);
  return result;
}

void SetConfiguration(const StudyMeasures& measures, StudyResult* result) {
  size_t runs = 0;
  for (const std::vector<VariantMeasures>& table : measures) {
    for (const VariantMeasures& variant : table) {
      for (const auto& [name, value] : variant.machine) {
        result->configuration.try_emplace(name, value);
      }
      runs += variant.runs.size();
    }
  }
  result->configuration["runs"] = FormatCount(runs);
}

}  // namespace mallogram::study
