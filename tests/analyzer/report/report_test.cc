// From hand-built traces to results and text: merging, ranking, folding, trees, and
// whole reports against golden files. MALLOGRAM_UPDATE_GOLDENS=1 writes them anew.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "analyzer/report/analyses.h"
#include "analyzer/report/render.h"
#include "analyzer/report/report_builder.h"
#include "tests/golden.h"

namespace mallogram {
namespace {

// A report built frame by frame, without any file.
class Maker {
 public:
  Maker() {
    report.sizes.resize(kSizeBuckets);
    book->AddModule("/usr/bin/app", "\x01\x02");
    book->AddModule("/lib/libstdc++.so.6", "");
    Process process;
    process.file = "app.7.mgram";
    process.program = "app";
    process.argv = {"app", "--fast", "big file"};
    process.host = "somewhere";
    process.pid = 7;
    process.start_unix_ns = 1'700'000'000'000'000'000;
    process.end = EndReason::kExited;
    process.end_detail = 0;
    report.processes.push_back(process);
  }

  // Frames of one address, innermost first: "function:line", "~" before one that is
  // inlined, "" for an unknown one.
  uint32_t Call(uint32_t parent, std::vector<std::string> texts,
                uint32_t module = 0) {
    std::vector<Frame> frames;
    for (std::string text : texts) {
      Frame frame;
      frame.inlined = !text.empty() && text[0] == '~';
      if (frame.inlined) text = text.substr(1);
      const size_t colon = text.rfind('@');
      frame.function = text.substr(0, colon);
      if (colon != std::string::npos) {
        frame.file = "/src/app/main.cc";
        frame.line = static_cast<uint32_t>(std::stoul(text.substr(colon + 1)));
      }
      frames.push_back(frame);
    }
    const uint64_t offset = 0x1000 + 0x10 * book->location_count();
    return book->Child(parent, book->AddLocation(module, offset, frames));
  }

  void Allocate(uint32_t node, uint64_t calls, uint64_t bytes, uint64_t live = 0) {
    SiteTotals totals;
    totals.calls = calls;
    totals.bytes_allocated = bytes;
    totals.peak_bytes = bytes / 2;
    totals.peak_blocks = calls / 2;
    totals.live_bytes = live;
    totals.live_blocks = live != 0 ? 1 : 0;
    totals.frees = calls - totals.live_blocks;
    totals.temporary = calls / 4;
    report.sites.push_back({node, node, totals});
    Totals& sum = report.totals;
    sum.allocations += calls;
    sum.frees += totals.frees;
    sum.bytes_allocated += bytes;
    sum.peak_heap_bytes += totals.peak_bytes;
    sum.peak_heap_blocks += totals.peak_blocks;
    sum.live_bytes += live;
    sum.live_blocks += totals.live_blocks;
    sum.temporary += totals.temporary;
    SizeClass& size = report.sizes[static_cast<size_t>(SizeBucket(bytes / calls))];
    size.calls += calls;
    size.bytes += bytes;
    size.live_bytes += live;
    size.temporary += totals.temporary;
  }

  // Equal frames at several addresses stay apart.
  std::unique_ptr<StackBook> book =
      std::make_unique<StackBook>(SameLocation::kByAddress);
  Report report;
};

const char kNew[] = "operator new(unsigned long)";
const char kGrow[] = "~void std::vector<int>::_M_realloc_insert<int>(int*)@70";

// main → Load → { Parse ×depth → vector growth, Copy }, main → Leak, a stripped
// library, a stack that stops.
Maker Realistic() {
  Maker maker;
  const uint32_t start = maker.Call(0, {"_start"});
  const uint32_t main = maker.Call(start, {"main@10"});
  const uint32_t load =
      maker.Call(main, {"~app::Read(int)@21", "app::Load(char*)@20"});
  uint32_t parse = load;
  for (int depth = 0; depth < 3; ++depth) {
    parse = maker.Call(parse, {"app::Parser<std::vector<int> >::Parse(int)@30"});
    const uint32_t grow =
        maker.Call(parse, {kGrow, "app::Parser<std::vector<int> >::Add(int)@40"});
    maker.Allocate(maker.Call(grow, {kNew}, 1), 100 << depth, 4096 << depth);
  }
  maker.Allocate(maker.Call(load, {"app::Copy()@50"}), 10, 6000);
  maker.Allocate(maker.Call(maker.Call(main, {"app::Leak()@60"}), {kNew}, 1), 1,
                 1024, 1024);
  maker.Allocate(maker.Call(main, {""}, 1), 2, 300);
  maker.Allocate(maker.Call(2, {"entry"}), 1, 200);
  maker.Allocate(3, 1, 100);  // nothing known

  Report& report = maker.report;
  report.totals.duration_ns = 2'000'000'000;
  report.totals.peak_time_ns = 1'500'000'000;
  report.totals.peak_rss_bytes = 3 << 20;
  report.processes[0].totals = report.totals;
  for (uint64_t i = 0; i <= 20; ++i) {
    report.timeline.push_back(
        {i * 100'000'000, i < 15 ? i * 1000 : 21'000 - i * 1000,
         i < 15 ? i * 1000 + 100 : 0, i == 0 ? 0 : (1 << 20) + i * 100'000});
  }
  report.loss.truncated_stacks = 2;
  SelfReport& self = report.self;
  self.events = 1430;
  self.event_file_bytes = 700;
  self.file_bytes = 2000;
  self.stack_nodes = 20;
  self.sites = 9;
  self.threads = 1;
  self.walks = 715;
  self.frames_walked = 1500;
  self.image_bytes = 1 << 20;
  self.collector_rss_bytes = 5 << 20;
  self.collector_cpu_ns = 3'000'000;
  return maker;
}

TEST(TopSites, FoldsPlumbingAndMergesRecursion) {
  const Maker maker = Realistic();
  const StackBook& book = *maker.book;
  const TopSites top = FindTopSites(maker.report, book, Measure::kCalls,
                                    SiteIdentity::kLine, 100, 0, 0);
  ASSERT_EQ(top.count, 6u);  // Add, Copy, Leak, unknown, entry, nothing
  const TopSite& add = top.sites[0];
  EXPECT_EQ(book.frame(add.frame.frame).function,
            "app::Parser<std::vector<int> >::Add(int)");
  EXPECT_EQ(add.stacks, 3u);
  EXPECT_EQ(add.totals.calls, 700u);
  EXPECT_EQ(book.frame(add.via).function,
            "void std::vector<int>::_M_realloc_insert<int>(int*)");
  // Parse (recursive), Read (inlined), Load, main, _start.
  ASSERT_EQ(add.callers.size(), 5u);
  EXPECT_TRUE(add.callers[0].recursive);
  EXPECT_TRUE(add.callers[1].inlined);
  EXPECT_EQ(book.frame(add.callers[4].frame).function, "_start");
  for (const CallerLine& line : add.callers) EXPECT_EQ(line.level, 0);
}

TEST(TopSites, RanksByEachMeasure) {
  const Maker maker = Realistic();
  const StackBook& book = *maker.book;
  const auto first = [&](Measure by) {
    const TopSites top =
        FindTopSites(maker.report, book, by, SiteIdentity::kLine, 1, 0, 0);
    return top.sites.empty() ? "" : book.frame(top.sites[0].frame.frame).function;
  };
  EXPECT_EQ(first(Measure::kLive), "app::Leak()");
  EXPECT_EQ(first(Measure::kAllocated), "app::Parser<std::vector<int> >::Add(int)");
  const TopSites leaked = FindTopSites(maker.report, book, Measure::kLive,
                                       SiteIdentity::kLine, 9, 0, 0);
  EXPECT_EQ(leaked.count, 1u);  // sites without any are not listed
  EXPECT_DOUBLE_EQ(leaked.sites[0].share, 1);
}

TEST(TopSites, BranchesAndDepth) {
  Maker maker;
  const uint32_t main = maker.Call(0, {"main@1"});
  for (int i = 0; i < 5; ++i) {
    const uint32_t caller =
        maker.Call(main, {absl::StrCat("caller", i, "@", 10 + i)});
    uint32_t node = maker.Call(caller, {"middle@2"});
    maker.Allocate(maker.Call(node, {"leaf@3"}), 10, i == 4 ? 40 : 1000);
  }
  const StackBook& book = *maker.book;
  TopSites top = FindTopSites(maker.report, book, Measure::kAllocated,
                              SiteIdentity::kLine, 9, 0, 0);
  ASSERT_EQ(top.sites.size(), 1u);
  // middle; three of five callers, each with main.
  ASSERT_EQ(top.sites[0].callers.size(), 7u);
  EXPECT_TRUE(top.sites[0].callers[1].branch);
  EXPECT_EQ(top.sites[0].callers[1].level, 1);
  EXPECT_NEAR(top.sites[0].callers[1].share, 1000.0 / 4040, 1e-9);
  top = FindTopSites(maker.report, book, Measure::kAllocated, SiteIdentity::kLine,
                     9, 0, 1);
  ASSERT_EQ(top.sites[0].callers.size(), 2u);
  EXPECT_EQ(top.sites[0].callers[1].cut, 2u);
}

TEST(CallTree, SumsUpAndCuts) {
  const Maker maker = Realistic();
  const StackBook& book = *maker.book;
  const std::vector<TreeRow> rows =
      BuildCallTree(maker.report, book, Measure::kAllocated, 0.01, 0);
  ASSERT_GT(rows.size(), 5u);
  EXPECT_EQ(rows[0].value, maker.report.totals.bytes_allocated);
  EXPECT_EQ(rows[0].calls, maker.report.totals.allocations);
  EXPECT_EQ(book.frame(rows[1].frame).function, "_start");
  for (const TreeRow& row : rows) {
    EXPECT_TRUE(row.cut != 0 || row.share >= 0.01);
  }
  EXPECT_TRUE(
      BuildCallTree(Maker().report, book, Measure::kAllocated, 0.01, 0).empty());
}

TEST(Curve, KeepsThePeakInEveryWidth) {
  std::vector<Sample> timeline;
  for (uint64_t i = 0; i < 1000; ++i)
    timeline.push_back({i, 10, i == 777 ? 9999 : 10u, 0});
  for (const size_t columns : {1, 7, 80, 3000}) {
    const Curve curve = Resample(timeline, 1000, columns);
    EXPECT_EQ(curve.heap.size(), columns);
    EXPECT_EQ(curve.heap_max, 9999u);
    EXPECT_EQ(curve.heap.back(), columns == 1 ? 9999u : 10u);
  }
  EXPECT_TRUE(Resample({}, 1000, 80).heap.empty());
}

// Two made traces through the builder: what is equal is merged, times line up.
TEST(Builder, MergesProcesses) {
  const auto trace = [](const std::string& path, int64_t pid, uint64_t start_s) {
    Trace made;
    made.path = path;
    made.run.executable = "/usr/bin/prog";
    made.run.pid = pid;
    made.run.start_unix_ns = start_s * 1'000'000'000;
    made.modules.push_back({3, "/nonexistent/lib.so", "id", 0, 0, 0, 0, 0});
    made.stacks[kFirstStackId] = {0, 3, 0x100};
    made.stacks[kFirstStackId + 1] = {kFirstStackId, 3, 0x200};
    made.summary.sizes.resize(kSizeBuckets);
    SiteTotals site;
    site.stack = kFirstStackId + 1;
    site.calls = 5;
    site.peak_bytes = 100;
    made.summary.sites = {site};
    made.summary.totals.allocations = 5;
    made.summary.totals.peak_heap_bytes = 100;
    made.summary.totals.duration_ns = 4'000'000'000;
    made.summary.timeline = {{0, 50, 50, 10}, {2'000'000'000, 100, 100, 20}};
    return made;
  };
  StackBook book(SameLocation::kByAddress);
  ReportBuilder builder(&book);
  const auto none = [](uint64_t, uint64_t) {};
  builder.Add(trace("b", 2, 1003), none);  // the later one first
  builder.Add(trace("a", 1, 1000), none);
  const Report report = builder.Finish();
  ASSERT_EQ(report.processes.size(), 2u);
  EXPECT_EQ(report.processes[0].pid, 1);
  EXPECT_EQ(report.totals.peak_heap_bytes, 200u);
  EXPECT_EQ(report.totals.duration_ns, 7'000'000'000u);
  ASSERT_EQ(report.sites.size(), 1u);
  EXPECT_EQ(report.sites[0].totals.calls, 10u);
  // 0 s: 50; 2 s: 100; 3 s: + 50; 4 s: the first ends; 5 s: 100; 7 s: none.
  std::string curve;
  for (const Sample& sample : report.timeline) {
    absl::StrAppend(&curve, sample.time_ns / 1'000'000'000, ":", sample.heap_bytes,
                    " ");
  }
  EXPECT_EQ(curve, "0:50 2:100 3:150 4:50 5:100 7:0 ");
}

TEST(Builder, NodesOfLostStacks) {
  Trace trace;
  trace.summary.sizes.resize(kSizeBuckets);
  SiteTotals site;
  site.stack = 77;
  site.calls = 1;
  trace.summary.sites = {site};
  StackBook book(SameLocation::kByText);
  ReportBuilder builder(&book);
  builder.Add(trace, [](uint64_t, uint64_t) {});
  const Report report = builder.Finish();
  ASSERT_EQ(report.sites.size(), 1u);
  EXPECT_EQ(report.sites[0].node, 3u);
}

// ---- golden texts ----------------------------------------------------------

std::string Render(const Maker& maker, const TextOptions& options) {
  const Report& report = maker.report;
  const StackBook& book = *maker.book;
  TextInput input{report, book, {}, {}, {}, EstimateCost(report)};
  if (options.tree) {
    input.tree = BuildCallTree(report, book, options.by, 0.01, 0);
  } else {
    input.top =
        FindTopSites(report, book, options.by, SiteIdentity::kLine, 10, 0.001, 8);
  }
  input.curve = Resample(report.timeline, report.totals.duration_ns,
                         CurveColumns(options.style));
  return RenderReport(input, options);
}

TEST(Golden, Report) {
  setenv("TZ", "UTC", 1);
  TextOptions options;
  options.style = {false, true, 100};
  ExpectGolden("peak.txt", Render(Realistic(), options));
  options.by = Measure::kCalls;
  options.tree = true;
  ExpectGolden("tree.txt", Render(Realistic(), options));
  options.style = {false, false, 80};
  options.tree = false;
  options.by = Measure::kLive;
  options.full_names = true;
  const std::string ascii = Render(Realistic(), options);
  for (const char c : ascii) ASSERT_LT(static_cast<unsigned char>(c), 0x80);
  ExpectGolden("leaked_ascii.txt", ascii);
}

TEST(Golden, LossAndTroubleStandOut) {
  setenv("TZ", "UTC", 1);
  Maker maker = Realistic();
  maker.report.loss.events_lost = 1234;
  maker.report.loss.bytes_lost = 99'999;
  maker.report.loss.order_violations = 1;
  maker.report.totals.unknown_frees = 3;
  maker.report.processes[0].end = EndReason::kSignalled;
  maker.report.processes[0].end_detail = 9;
  maker.report.warnings = {"app.7.mgram: \x1b[2Jsomething"};
  TextOptions options;
  options.style = {true, true, 100};
  ExpectGolden("trouble_color.txt", Render(maker, options));
}

TEST(Golden, Json) {
  const Maker maker = Realistic();
  std::string json;
  RenderReportJson(
      maker.report, *maker.book, EstimateCost(maker.report), Measure::kPeak, 0,
      [&json](absl::string_view piece) { absl::StrAppend(&json, piece); });
  ExpectGolden("report.json", json);
}

TEST(Json, BrokenNamesDoNotThrow) {
  Maker maker = Realistic();
  maker.Allocate(maker.Call(0, {"bad \xff\xfe name"}), 1, 1);
  maker.report.processes[0].argv = {"\x80"};
  std::string json;
  RenderReportJson(
      maker.report, *maker.book, CostEstimate(), Measure::kPeak, 0,
      [&json](absl::string_view piece) { absl::StrAppend(&json, piece); });
  EXPECT_TRUE(absl::StrContains(json, "bad \xef\xbf\xbd"));
}

TEST(Golden, Info) {
  setenv("TZ", "UTC", 1);
  Trace trace;
  trace.path = "app.7.mgram";
  trace.file_bytes = 5000;
  trace.run.argv = {"app"};
  trace.run.executable = "/usr/bin/app";
  trace.run.host = "somewhere";
  trace.run.pid = 7;
  trace.run.tsc_hz = 2'000'000'000;
  trace.run.max_depth = 30;
  trace.run.on_full = "drop";
  trace.index = IndexState::kFolded;
  trace.warnings = {"no footer"};
  trace.chunks = {{ChunkType::kEvents, 3, 4000, 90'000}};
  trace.threads = {{0, 7, "app", 0}};
  trace.modules = {
      {1, "/usr/bin/app", "\x01\xff", 0x400000, 0x400000, 0x500000, 0, 0},
      {2, "/lib/plugin.so", "", 0, 0x700000000000, 0x700000010000, 1'000'000,
       2'000'000'000}};
  ExpectGolden("info.txt", RenderInfo(trace, {false, true, 100}));
}

}  // namespace
}  // namespace mallogram
