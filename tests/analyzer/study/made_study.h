// Studies of programs that never ran: a study file, and what each run is to have
// measured.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "analyzer/study/judge/analysis.h"
#include "analyzer/study/measures/measures.h"
#include "analyzer/study/spec/spec.h"

namespace mallogram::study {

struct MadeSite {
  std::string function;
  std::function<double(double n, uint32_t rep)> peak;
  std::string caller = "main";
};

inline StudySpec MadeSpec(const std::string& text) {
  absl::StatusOr<StudySpec> spec = ParseStudy(text, "made.toml");
  if (!spec.ok()) {
    ADD_FAILURE() << spec.status();
    return {};
  }
  return *spec;
}

// The program's peak is the sum of its sites'; it has a phase `stored` with all of
// it, and `closed`, with what `left` says of it.
inline VariantMeasures MadeVariant(const TableSpec& table,
                                   const std::vector<MadeSite>& sites,
                                   double left = 0) {
  VariantMeasures out;
  for (const MadeSite& made : sites) {
    CallSite site;
    site.id = absl::StrCat(made.function, "<", made.caller);
    site.function = made.function;
    site.stack = {{"operator new", "", 0, true},
                  {made.function, "made.cc", 7, false},
                  {made.caller, "made.cc", 70, false}};
    out.sites.sites.push_back(site);
  }
  for (const std::string& size : table.runs.sizes) {
    for (uint32_t rep = 1; rep <= table.runs.reps; ++rep) {
      RunMeasures run;
      run.size = size;
      run.n = std::stod(size);
      run.rep = rep;
      Run values;
      values.n = run.n;
      values.rep = rep;
      for (size_t i = 0; i < sites.size(); ++i) {
        const auto bytes = static_cast<uint64_t>(sites[i].peak(run.n, rep));
        SiteValues site;
        site.site = static_cast<uint32_t>(i);
        site.values = {bytes, 0, bytes, 1};
        values.sites.push_back(site);
        for (size_t m = 0; m < kSiteMetrics; ++m)
          values.values[m] += site.values[m];
      }
      values.values[static_cast<size_t>(Metric::kRss)] = 4096 * 1000;
      run.program = values.values;
      const uint64_t stored = run.program[0];
      const auto closed = static_cast<uint64_t>(left * static_cast<double>(stored));
      run.phases = {{"stored", 1, stored, stored, stored},
                    {"closed", 2, closed, closed, closed}};
      run.truth["payload"] = run.n * 100;
      out.runs.push_back(run);
      out.sites.runs.push_back(values);
    }
  }
  return out;
}

inline StudyResult MadeResult(const StudySpec& spec,
                              const StudyMeasures& measures) {
  absl::StatusOr<StudyResult> result = Analyze(spec, measures);
  if (!result.ok()) {
    ADD_FAILURE() << result.status();
    return {};
  }
  return *result;
}

}  // namespace mallogram::study
