#include "analyzer/check/judge.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "analyzer/command/format.h"
#include "analyzer/fit/fit.h"
#include "analyzer/leaks/why.h"

namespace mallogram {
namespace {

// The first points are start-up.
constexpr size_t kStartUpPart = 8;
constexpr size_t kMostTests = 5;

std::string AtMostBytes(uint64_t bytes) {
  return absl::StrCat("at most ", FormatBytes(bytes));
}

std::string Place(const LeakDocument& document, const StackBook& book,
                  const LeakRecord& record) {
  const std::string place = PlaceOf(book, record.node);
  return place.empty() ? "a call stack that is not known" : place;
}

// Which of the processes could not be looked at; empty: all could.
std::string NotJudged(const LeakDocument& document) {
  std::vector<std::string> which;
  for (const LeakProcess& process : document.processes) {
    if (process.classified || process.end == EndReason::kExeced) continue;
    const size_t unclassified = static_cast<size_t>(LeakKind::kUnclassified);
    if (process.sums[unclassified].blocks == 0 && !process.ends_early()) continue;
    which.push_back(absl::StrCat(process.program, " (pid ", process.pid,
                                 ") was not classified: ", process.reason));
  }
  return absl::StrJoin(which, "; ");
}

// "MyTest.Case leaks 96 B: 2 blocks of Make (make.cc:12)", for each of the tests
// that share the record; the rest without a test.
void AddLeak(const LeakDocument& document, const StackBook& book,
             const LeakRecord& record, const std::vector<TestSpan>& tests,
             std::vector<std::string>* culprits) {
  const std::string place = Place(document, book, record);
  const std::string kind = record.kind == LeakKind::kPossible ? " possibly" : "";
  uint64_t blocks = record.blocks, bytes = record.bytes;
  size_t named = 0;
  const std::vector<TestShare> shares =
      ShareAmongTests(tests, record.stacks, record.blocks, record.bytes);
  for (const TestShare& share : shares) {
    if (++named > kMostTests) {
      culprits->push_back(absl::StrCat("and ", shares.size() - kMostTests,
                                       " more tests, at the same place"));
      return;
    }
    // What hangs on the blocks is lost with them; shared out only if all is one's.
    const bool all = share.blocks == record.blocks;
    const uint64_t lost = share.bytes + (all ? record.indirect_bytes : 0);
    culprits->push_back(absl::StrCat(share.name, kind, " leaks ", FormatBytes(lost),
                                     ": ", Plural(share.blocks, "block"), " of ",
                                     place));
    blocks -= share.blocks;
    bytes -= share.bytes;
  }
  if (blocks == 0) return;
  culprits->push_back(absl::StrCat(
      FormatBytes(bytes + (shares.empty() ? record.indirect_bytes : 0)), kind,
      " lost: ", Plural(blocks, "block"), " of ", place));
}

Finding JudgeLeak(const Limits& limits, const LeakDocument& document,
                  const StackBook& book, const std::vector<ProcessRun>& processes) {
  Finding finding{"leak", "", AtMostBytes(*limits.leak), true, {}};
  uint64_t blocks = 0, bytes = 0;
  for (const LeakRecord& record : document.records) {
    const bool counts = record.kind == LeakKind::kDefinite ||
                        (limits.strict && record.kind == LeakKind::kPossible);
    if (!counts || record.suppressed()) continue;
    blocks += record.blocks + record.indirect_blocks;
    bytes += record.lost_bytes();
    AddLeak(document, book, record, processes[record.process].tests,
            &finding.culprits);
  }
  finding.measured = absl::StrCat(
      FormatBytes(bytes), limits.strict ? " lost or possibly lost" : " lost",
      blocks == 0 ? "" : absl::StrCat(" in ", Plural(blocks, "block")));
  finding.kept = bytes <= *limits.leak;
  const std::string not_judged = NotJudged(document);
  if (!not_judged.empty()) {
    finding.kept = false;
    finding.culprits.push_back(not_judged);
  }
  return finding;
}

Finding JudgePeak(uint64_t limit, const std::vector<ProcessRun>& processes) {
  Finding finding{"peak", "", AtMostBytes(limit), true, {}};
  uint64_t highest = 0;
  for (const ProcessRun& process : processes) {
    highest = std::max(highest, process.peak_bytes);
    if (process.peak_bytes <= limit || processes.size() == 1) continue;
    finding.culprits.push_back(
        absl::StrCat(process.name, ": ", FormatBytes(process.peak_bytes)));
  }
  finding.measured = FormatBytes(highest);
  finding.kept = highest <= limit;
  return finding;
}

Finding JudgeAllocations(uint64_t limit, const std::vector<ProcessRun>& processes) {
  uint64_t sum = 0;
  for (const ProcessRun& process : processes) sum += process.allocations;
  return {"allocations",
          FormatCount(sum),
          absl::StrCat("at most ", FormatCount(limit)),
          sum <= limit,
          {}};
}

Finding JudgeGrowth(GrowthLimit limit, const LeakDocument& document,
                    const StackBook& book,
                    const std::vector<ProcessRun>& processes) {
  Finding finding{"growth", "", "", true, {}};
  if (limit == GrowthLimit::kLinear) {
    finding.limit = "at most linear";
    finding.measured = "not faster than linear";
    for (const ProcessRun& process : processes) {
      std::string law;
      if (!GrowsFasterThanLinear(process.heap, &law)) continue;
      finding.kept = false;
      finding.measured = law;
      if (processes.size() > 1)
        finding.culprits.push_back(absl::StrCat(process.name, ": ", law));
    }
    return finding;
  }
  finding.limit = "none";
  size_t growing = 0;
  for (const LeakRecord& record : document.records) {
    if (!record.growth.has_value() || !record.growth->growing ||
        record.suppressed()) {
      continue;
    }
    ++growing;
    finding.culprits.push_back(absl::StrCat(Place(document, book, record),
                                            " grows: ", record.growth->text));
  }
  finding.measured = growing == 0 ? "no call stack grows"
                                  : absl::StrCat(Plural(growing, "call stack"),
                                                 growing == 1 ? " grows" : " grow");
  finding.kept = growing == 0;
  return finding;
}

}  // namespace

bool GrowsFasterThanLinear(const std::vector<HeapPoint>& heap, std::string* law) {
  std::vector<fit::Measurement> points;
  for (size_t i = heap.size() / kStartUpPart; i < heap.size(); ++i) {
    points.push_back({static_cast<double>(heap[i].allocations),
                      static_cast<double>(heap[i].bytes)});
  }
  if (points.size() < fit::kFewestSizes) return false;
  const fit::SeriesFit fit = fit::FitSeries(std::move(points), 1, {});
  if (fit.word != fit::Word::kHigh && fit.word != fit::Word::kLikely) return false;
  if (!fit::SteeperThanLinear(fit.growth)) return false;
  *law = absl::StrCat("the heap grows faster than linear in the allocations: ",
                      std::string(fit::GrowthName(fit.growth)));
  return true;
}

std::vector<Finding> JudgeLimits(const Limits& limits, const LeakDocument& document,
                                 const StackBook& book,
                                 const std::vector<ProcessRun>& processes) {
  std::vector<Finding> findings;
  if (limits.leak) findings.push_back(JudgeLeak(limits, document, book, processes));
  if (limits.peak) findings.push_back(JudgePeak(*limits.peak, processes));
  if (limits.growth) {
    findings.push_back(JudgeGrowth(*limits.growth, document, book, processes));
  }
  if (limits.allocations)
    findings.push_back(JudgeAllocations(*limits.allocations, processes));
  // A limit that is kept up to there may be broken after.
  for (const LeakProcess& process : document.processes) {
    if (!process.ends_early()) continue;
    for (Finding& finding : findings) {
      const bool told = finding.name == "leak";  // by NotJudged
      finding.kept = false;
      if (told) continue;
      finding.culprits.push_back(
          absl::StrCat(process.program, " (pid ", process.pid,
                       ") cannot be judged: ", process.reason));
    }
  }
  return findings;
}

}  // namespace mallogram
