// Helpers of the published reports: figures into sentences. Private to them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/types/span.h"
#include "analyzer/fit/fit.h"
#include "analyzer/fit/regression.h"
#include "analyzer/study/report/describe.h"
#include "workloads/published/published.h"

namespace mallogram::published {

using Values = std::vector<double>;

// Claims of one report; figures are kept in the order in which they are given.
class Claims {
 public:
  explicit Claims(std::string report) : report_(std::move(report)) {}

  // `supports` is a format of the figures, one % each.
  template <typename... Figures>
  void Add(Support support, const std::string& id, std::string said,
           const absl::FormatSpec<Figures...>& supports, Figures... figures) {
    claims_.push_back({report_ + "." + id,
                       std::move(said),
                       absl::StrFormat(supports, figures...),
                       support,
                       {static_cast<double>(figures)...}});
  }

  std::vector<Claim> Take() { return std::move(claims_); }

 private:
  const std::string report_;
  std::vector<Claim> claims_;
};

inline Values Times(absl::Span<const double> a, absl::Span<const double> b) {
  Values product;
  for (size_t i = 0; i < a.size(); ++i) product.push_back(a[i] * b[i]);
  return product;
}

inline double Mean(absl::Span<const double> values) {
  double sum = 0;
  for (double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

// "Title: sentence"; what our engine says of a published table.
inline std::string EngineVerdict(const std::string& title, const Values& n,
                                 const Values& bytes, absl::string_view parameter,
                                 absl::string_view unit,
                                 const fit::FitRequest& request = {}) {
  std::vector<fit::Measurement> points;
  for (size_t i = 0; i < n.size(); ++i) points.push_back({n[i], bytes[i]});
  const fit::SeriesFit fitted = fit::FitSeries(std::move(points), 1, request);
  std::string text = title + ": " + study::LawSentence(fitted, parameter, unit);
  for (const fit::Flag& flag : fitted.flags) {
    if (flag.name == "drift" || flag.name == "non-monotone") {
      text += " Also: " + flag.text + ".";
    }
  }
  if (!fitted.refusal.empty() && fitted.word != fit::Word::kNotEnoughData) {
    text += " " + fitted.refusal + ".";
  }
  return text;
}

}  // namespace mallogram::published
