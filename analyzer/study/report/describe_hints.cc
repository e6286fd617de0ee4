// What the measurements suggest to look at: growth without a limit, temporary and
// tiny blocks, unused capacity, memory beyond the heap. A few lines, each with the
// figure that it rests on.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "analyzer/stacks/names.h"
#include "analyzer/study/report/describe.h"
#include "analyzer/study/spec/units.h"

namespace mallogram::study {
namespace {

constexpr size_t kMostHints = 8;
// Smaller sites are not worth a line.
constexpr double kLeastShare = 0.02;

double Last(const fit::SeriesFit& fit) {
  return fit.series.sizes.empty() ? 0 : fit.series.sizes.back().median;
}

class HintFinder {
 public:
  HintFinder(const TableSpec& spec, const VariantResult& variant)
      : spec_(spec), variant_(variant) {}

  std::vector<std::string> Find() {
    if (variant_.rows.empty()) return {};
    for (const SiteScaling& site : variant_.scaling.sites) {
      if (site.site < variant_.call_sites.size()) LookAt(site);
    }
    LookAtProgram();
    if (hints_.size() > kMostHints) hints_.resize(kMostHints);
    return hints_;
  }

 private:
  const fit::SeriesFit& Of(const SiteScaling& site, Metric metric) const {
    return site.metrics[static_cast<size_t>(metric)].fit;
  }
  double Program(Metric metric) const {
    return variant_.rows.back().metrics[static_cast<size_t>(metric)].median;
  }
  static bool Grows(const fit::SeriesFit& fit) {
    return fit::IsGrowthLaw(fit.growth) && fit.growth > fit::Growth::kBounded &&
           (fit.word == fit::Word::kHigh || fit.word == fit::Word::kLikely);
  }

  void LookAt(const SiteScaling& site) {
    const CallSite& place = variant_.call_sites[site.site];
    std::string name = ShortName(place.function, 60, true);
    if (!place.file.empty()) {
      absl::StrAppend(&name, " (", Basename(place.file), ":", place.line, ")");
    }
    const fit::SeriesFit& peak = Of(site, Metric::kPeak);
    const fit::SeriesFit& live = Of(site, Metric::kLive);
    const double held = Last(peak), made = Last(Of(site, Metric::kAllocated)),
                 calls = Last(Of(site, Metric::kCalls));
    const double program = std::max(1.0, Program(Metric::kPeak));
    if (Grows(live) && Last(live) > kLeastShare * program) {
      Say("unbounded growth", name,
          absl::StrCat(FormatSignedBytes(Last(live)), " still held at the end, ",
                       fit::GrowthName(live.growth),
                       " in n: a leak, or a container ", "without a limit"));
    }
    if (site.metrics[static_cast<size_t>(Metric::kPeak)].alarm) {
      Say("steeper than linear", name,
          absl::StrCat(fit::GrowthName(peak.growth), " in n: it will dominate"));
    }
    if (held < kLeastShare * program) {
      if (made > 0.2 * Program(Metric::kAllocated) && calls > 1000) {
        Say("temporary blocks", name,
            absl::StrCat(FormatSignedBytes(made), " in ", FormatNumber(calls),
                         " allocations, of which ", FormatSignedBytes(held),
                         " are held at the peak: reuse a buffer"));
      }
      return;
    }
    if (peak.law.has_value() && peak.law->form == fit::Form::kSteps &&
        fit::IsGrowthLaw(peak.growth)) {
      Say("over-capacity", name,
          absl::StrCat(absl::StrFormat("grows in steps of ×%.2g", peak.law->ratio),
                       ": a container that doubles, up to half of it unused; "
                       "reserve() or shrink_to_fit()"));
    }
    if (calls > 1000 && made / calls < 32) {
      Say("tiny blocks", name,
          absl::StrCat(absl::StrFormat("%.0f bytes a block", made / calls), " in ",
                       FormatNumber(calls),
                       " allocations: the allocator's own 8 to "
                       "16 bytes for each are not in these figures"));
    }
  }

  void LookAtProgram() {
    const std::optional<fit::Decomposition>& sum = variant_.scaling.decomposition;
    const double peak = Program(Metric::kPeak), rss = Program(Metric::kRss);
    if (variant_.scaling.sizes.size() >= 4 && peak > 0 && sum.has_value() &&
        sum->constant > 0.5 * peak) {
      Say("constant part", "the program",
          absl::StrCat(FormatSignedBytes(sum->constant), " do not depend on ",
                       spec_.words.parameter,
                       ": more than half of the largest run"));
    }
    if (peak > 1e6 && rss > 2 * peak + 20e6) {
      Say("resident beyond the heap", "the program",
          absl::StrCat(FormatSignedBytes(rss - peak),
                       " of resident memory are not heap: "
                       "code, stacks, mappings, or a fragmented heap"));
    }
  }

  void Say(absl::string_view what, absl::string_view where, absl::string_view why) {
    hints_.push_back(absl::StrCat(what, ", ", where, ": ", why, "."));
  }

  const TableSpec& spec_;
  const VariantResult& variant_;
  std::vector<std::string> hints_;
};

}  // namespace

std::vector<std::string> Hints(const TableSpec& spec,
                               const VariantResult& variant) {
  return HintFinder(spec, variant).Find();
}

}  // namespace mallogram::study
