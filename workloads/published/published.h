// Four published memory reports, claim by claim: what was printed, what the printed
// tables support when they are fitted properly, and what the re-created systems
// measure. The rows are data; every figure beside them is computed here.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "analyzer/study/report/document.h"

namespace mallogram::published {

// Whether the report's own tables carry what it says.
enum class Support {
  kYes,
  kNo,
  kPartly,
  kBeyond,  // the arithmetic is right, but the data cannot carry it
};

struct Claim {
  std::string id;        // for tests: "encoder.slope"
  std::string said;      // by the report
  std::string supports;  // what its tables support, with the figures
  Support support = Support::kNo;
  std::vector<double> figures;  // those in `supports`, in order, for tests
};

// One of the laws that a table was held against, the classical way: residuals of
// ln y, AICc with the variance as a parameter, leave-one-out error.
struct LawScore {
  std::string law;
  double delta = 0;          // AICc less the best one's; infinite: not defined
  double leave_one_out = 0;  // root mean square of ln y, so about a share
};
std::vector<LawScore> CompareModels(absl::Span<const double> n,
                                    absl::Span<const double> y);

struct ModelTable {
  std::string id, title;
  std::vector<LawScore> laws;  // best first
};

struct PublishedReport {
  std::string id;      // of the workload: "session"
  std::string title;   // of the report
  std::string system;  // what it measured
  std::vector<Claim> claims;
  std::vector<std::string> verdicts;  // what our engine says of each table
  std::vector<ModelTable> models;
};

// ---- the reports ----------------------------------------------------------

PublishedReport PublishedSessions();  // sessions.cc
PublishedReport PublishedChunks();    // chunks.cc
PublishedReport PublishedEncoder();   // encoder.cc
PublishedReport PublishedAgents();    // agents.cc

// All four, set beside what the studies in the directories measured (the
// summary.json of each). Errors name the directory.
absl::StatusOr<study::Document> DescribePublished(
    absl::Span<const std::string> study_directories);

}  // namespace mallogram::published
