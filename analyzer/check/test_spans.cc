#include "analyzer/check/test_spans.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "analyzer/recording/live_at.h"
#include "analyzer/recording/phase_marks.h"

namespace mallogram {
namespace {

// What the second heap has more than the first.
std::vector<TestGain> Gains(const LiveHeap& begin, const LiveHeap& end) {
  std::vector<TestGain> gains;
  size_t i = 0;
  for (const LiveSite& site : end.sites) {
    while (i < begin.sites.size() && begin.sites[i].stack < site.stack) ++i;
    TestGain gain{site.stack, site.blocks, site.bytes};
    if (i < begin.sites.size() && begin.sites[i].stack == site.stack) {
      gain.blocks -= std::min(gain.blocks, begin.sites[i].blocks);
      gain.bytes -= std::min(gain.bytes, begin.sites[i].bytes);
    }
    if (gain.blocks != 0) gains.push_back(gain);
  }
  return gains;
}

}  // namespace

std::vector<TestSpan> FindTests(const Marks& marks) {
  std::vector<TestSpan> tests;
  bool open = false;
  for (const Mark& mark : marks.marks) {
    const std::string rest = mark.name.size() > 2 ? mark.name.substr(2) : "";
    if (absl::StartsWith(mark.name, "T{")) {
      if (open) tests.back().end_events = mark.events;
      tests.push_back({rest, mark.events, Moment::kByTime - 1, {}});
      open = true;
    } else if (absl::StartsWith(mark.name, "T+") && open) {
      absl::StrAppend(&tests.back().name, rest);
    } else if (mark.name == "T}" && open) {
      tests.back().end_events = mark.events;
      open = false;
    }
  }
  return tests;
}

absl::StatusOr<std::vector<TestSpan>> ReadTests(Recording& recording,
                                                ProgressFn progress) {
  const absl::StatusOr<Marks> marks = recording.ReadMarks();
  if (!marks.ok()) return marks.status();
  std::vector<TestSpan> tests = FindTests(*marks);
  if (tests.empty()) return tests;
  std::vector<Moment> moments;
  for (const TestSpan& test : tests) {
    moments.push_back({0, test.begin_events});
    moments.push_back({0, test.end_events});
  }
  const absl::StatusOr<std::vector<LiveHeap>> heaps =
      LiveAt(recording, moments, progress);
  if (!heaps.ok()) return heaps.status();
  for (size_t i = 0; i < tests.size(); ++i) {
    tests[i].gains = Gains((*heaps)[2 * i], (*heaps)[2 * i + 1]);
  }
  return tests;
}

std::vector<TestShare> ShareAmongTests(const std::vector<TestSpan>& tests,
                                       const std::vector<uint32_t>& stacks,
                                       uint64_t blocks, uint64_t bytes) {
  std::vector<TestShare> shares;
  for (const TestSpan& test : tests) {
    TestShare share{test.name, 0, 0};
    for (const uint32_t stack : stacks) {
      const auto gain = std::lower_bound(
          test.gains.begin(), test.gains.end(), stack,
          [](const TestGain& a, uint32_t wanted) { return a.stack < wanted; });
      if (gain == test.gains.end() || gain->stack != stack) continue;
      share.blocks += gain->blocks;
      share.bytes += gain->bytes;
    }
    // Some of what was alive at a test's end may have been freed since.
    share.blocks = std::min(share.blocks, blocks);
    share.bytes = std::min(share.bytes, bytes);
    blocks -= share.blocks;
    bytes -= share.bytes;
    if (share.blocks != 0) shares.push_back(share);
  }
  std::stable_sort(
      shares.begin(), shares.end(),
      [](const TestShare& a, const TestShare& b) { return a.bytes > b.bytes; });
  return shares;
}

}  // namespace mallogram
