#include "analyzer/study/judge/compare.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "analyzer/fit/distributions.h"
#include "analyzer/study/judge/statistics.h"

namespace mallogram::study {
namespace {

const TableResult* FindTable(const StudyResult& result, const std::string& id) {
  for (const TableResult& table : result.tables) {
    if (table.spec.id == id) return &table;
  }
  return nullptr;
}

const Row* FindRow(const VariantResult& variant, double n) {
  for (const Row& row : variant.rows) {
    if (row.n == n) return &row;
  }
  return nullptr;
}

// Sums of all sizes, replicate by replicate.
void AddTo(std::vector<double>* sums, const std::vector<double>& values) {
  if (sums->empty()) {
    *sums = values;
    return;
  }
  if (values.size() < sums->size()) sums->resize(values.size());
  for (size_t i = 0; i < sums->size(); ++i) (*sums)[i] += values[i];
}

VariantComparison CompareVariant(const TableSpec& table,
                                 const VariantResult& before,
                                 const VariantResult& after,
                                 const Runs& sites_before,
                                 const Runs& sites_after) {
  VariantComparison out;
  out.table = table.id;
  out.title = table.words.title;
  out.variant = after.name;
  out.value_title = table.words.value_title;
  std::vector<double> sum_before, sum_after;
  for (const Row& row : before.rows) {
    const Row* other = FindRow(after, row.n);
    if (other == nullptr) {
      out.only_before.push_back(row.n);
      continue;
    }
    out.sizes.push_back(
        {row.n, CompareValues(row.value.values, other->value.values)});
    AddTo(&sum_before, row.value.values);
    AddTo(&sum_after, other->value.values);
  }
  for (const Row& row : after.rows) {
    if (FindRow(before, row.n) == nullptr) out.only_after.push_back(row.n);
  }
  if (!sum_before.empty()) out.total = CompareValues(sum_before, sum_after);
  out.law = CompareLaws(&before.value_fit, &after.value_fit);
  out.sites = CompareSites(sites_before, sites_after);
  return out;
}

}  // namespace

Change CompareValues(const std::vector<double>& before,
                     const std::vector<double>& after) {
  const Statistics a = Summarize(before), b = Summarize(after);
  Change out;
  out.before = a.mean;
  out.after = b.mean;
  out.difference = out.low = out.high = b.mean - a.mean;
  out.single = a.count < 2 || b.count < 2;
  const double count_a = static_cast<double>(a.count);
  const double count_b = static_cast<double>(b.count);
  const double va = a.sd.value_or(0) * a.sd.value_or(0) / count_a;
  const double vb = b.sd.value_or(0) * b.sd.value_or(0) / count_b;
  out.exact = va + vb == 0;
  if (!out.exact && !out.single) {
    // Welch and Satterthwaite: the two variances need not be the same.
    const double freedom =
        (va + vb) * (va + vb) / (va * va / (count_a - 1) + vb * vb / (count_b - 1));
    const double half = fit::StudentTQuantile(0.975, freedom) * std::sqrt(va + vb);
    out.low -= half;
    out.high += half;
  }
  if (a.mean > 0) {
    out.share = out.difference / a.mean;
    out.share_low = out.low / a.mean;
    out.share_high = out.high / a.mean;
  }
  return out;
}

StudyComparison CompareStudies(const ComparedStudy& before,
                               const ComparedStudy& after) {
  StudyComparison out;
  out.before = before.directory;
  out.after = after.directory;
  for (size_t t = 0; t < after.result.tables.size(); ++t) {
    const TableResult& table = after.result.tables[t];
    const TableResult* old = FindTable(before.result, table.spec.id);
    if (old == nullptr) {
      out.warnings.push_back(
          absl::StrCat(before.directory, " has no table ", table.spec.id));
      continue;
    }
    if (old->spec.value != table.spec.value) {
      out.warnings.push_back(
          absl::StrCat("table ", table.spec.id, ": the value was ", old->spec.value,
                       " and is ", table.spec.value, ": these are not the same"));
    }
    const size_t old_index = static_cast<size_t>(old - before.result.tables.data());
    for (size_t v = 0; v < table.variants.size(); ++v) {
      const VariantResult& variant = table.variants[v];
      const auto at = std::find_if(
          old->variants.begin(), old->variants.end(),
          [&](const VariantResult& other) { return other.name == variant.name; });
      if (at == old->variants.end()) {
        out.warnings.push_back(absl::StrCat(before.directory, ": table ",
                                            table.spec.id, " has no variant ",
                                            variant.name));
        continue;
      }
      const size_t old_variant = static_cast<size_t>(at - old->variants.begin());
      out.variants.push_back(CompareVariant(
          table.spec, *at, variant, before.measures[old_index][old_variant].sites,
          after.measures[t][v].sites));
    }
  }
  for (const TableResult& table : before.result.tables) {
    if (FindTable(after.result, table.spec.id) == nullptr) {
      out.warnings.push_back(
          absl::StrCat(after.directory, " has no table ", table.spec.id));
    }
  }
  return out;
}

}  // namespace mallogram::study
