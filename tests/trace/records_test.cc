// Records and the summary: what is written is read, and no payload, however
// damaged, does more than fail.
#include "preload/trace/records.h"

#include <gtest/gtest.h>

#include <cstring>

#include "preload/trace/summary.h"
#include "tests/trace/damage.h"

namespace mallogram {
namespace {

RunInfo SomeRun() {
  RunInfo run;
  run.mallogram_version = "0.1.0";
  run.host = "host";
  run.os = "Linux 6.1 x86_64";
  run.executable = "/bin/true";
  run.argv = {"true", "", "two words"};
  run.cwd = "/";
  run.pid = 42;
  run.ppid = -1;
  run.start_unix_ns = 1'700'000'000'000'000'000;
  run.tsc_hz = 2'000'000'000;
  run.on_full = "wait";
  run.parent_trace = "p.mgram";
  return run;
}

std::vector<Module> SomeModules() {
  Module a{
      1, "/lib/a.so", std::string("\0\xff", 2), 0x7f0000000000, 1, UINT64_MAX, 5,
      0};
  Module b{2, "", "", 0, 0, 0, 0, 9};
  return {a, b};
}

std::vector<Stack> SomeStacks() {
  return {{0, 1, 0x1000}, {4, 0, UINT64_MAX}, {1, 2, 0}, {5, 2, 0x400}};
}

Summary SomeSummary() {
  Summary summary;
  // Every field its own value, so that a swapped pair is seen.
  uint64_t next = 100;
  for (uint64_t* field = &summary.totals.allocations;
       field <= &summary.totals.duration_ns; ++field) {
    *field = next++;
  }
  for (uint64_t* field = &summary.loss.events_lost;
       field <= &summary.loss.damaged_chunks; ++field) {
    *field = next++;
  }
  for (uint64_t* field = &summary.self.events;
       field <= &summary.self.verify_checked; ++field) {
    *field = next++;
  }
  summary.self.verify_classes = {1, 2, 3};
  summary.end = EndReason::kSignalled;
  summary.end_detail = 9;
  summary.detail_text = "why";
  for (uint32_t i = 0; i < 3; ++i) {
    SiteTotals site;
    site.stack = 77 + i;
    for (uint64_t* field = &site.calls; field <= &site.lost_bytes; ++field) {
      *field = next++;
    }
    summary.sites.push_back(site);
  }
  summary.sizes.resize(kSizeBuckets);
  summary.sizes[4] = {1, 2, 3, 4, 5};
  summary.timeline = {{1, 2, 3, 4}, {5, 6, 7, 8}};
  return summary;
}

TEST(Records, RoundTrip) {
  const RunInfo run = DecodeRunInfo(EncodeRunInfo(SomeRun())).value();
  EXPECT_EQ(EncodeRunInfo(run), EncodeRunInfo(SomeRun()));
  EXPECT_EQ(run.argv, SomeRun().argv);
  EXPECT_EQ(run.ppid, -1);
  EXPECT_EQ(run.parent_trace, "p.mgram");

  const std::vector<Module> modules =
      DecodeModules(EncodeModules(SomeModules())).value();
  ASSERT_EQ(modules.size(), 2u);
  EXPECT_EQ(modules[0].build_id, SomeModules()[0].build_id);
  EXPECT_EQ(modules[0].end, UINT64_MAX);
  EXPECT_EQ(modules[1].unload_ns, 9u);

  const std::vector<ModuleFile> files =
      DecodeModuleFiles(EncodeModuleFiles({{2, 4096, UINT64_MAX}, {1, 0, 7}}))
          .value();
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(files[0].module, 2u);
  EXPECT_EQ(files[0].bytes, 4096u);
  EXPECT_EQ(files[0].modified_ns, UINT64_MAX);
  EXPECT_EQ(files[1].modified_ns, 7u);

  uint32_t first = 0;
  const std::vector<Stack> stacks =
      DecodeStacks(EncodeStacks(4, SomeStacks()), &first).value();
  EXPECT_EQ(first, 4u);
  ASSERT_EQ(stacks.size(), 4u);
  EXPECT_EQ(stacks[1].parent, 4u);
  EXPECT_EQ(stacks[1].offset, UINT64_MAX);
  EXPECT_EQ(stacks[2].parent, 1u);
  EXPECT_EQ(stacks[3].offset, 0x400u);
  EXPECT_EQ(stacks[3].module, 2u);

  const std::vector<Thread> threads =
      DecodeThreads(EncodeThreads({{0, 1234, "main", 5}, {7, -3, "", 0}})).value();
  ASSERT_EQ(threads.size(), 2u);
  EXPECT_EQ(threads[0].name, "main");
  EXPECT_EQ(threads[1].index, 7u);
  EXPECT_EQ(threads[1].tid, -3);

  const std::vector<Sample> samples =
      DecodeSamples(EncodeSamples({{10, 1, 2, 3}, {20, 4, 5, 6}})).value();
  ASSERT_EQ(samples.size(), 2u);
  EXPECT_EQ(samples[1].time_ns, 20u);
  EXPECT_EQ(samples[1].rss_bytes, 6u);

  const std::vector<IndexEntry> index =
      DecodeIndex(EncodeIndex({{ChunkType::kEvents, 1, 2, 3, 4, 5}})).value();
  ASSERT_EQ(index.size(), 1u);
  EXPECT_EQ(index[0].type, ChunkType::kEvents);
  EXPECT_EQ(index[0].end_ns, 5u);
}

TEST(Records, SummaryRoundTrips) {
  const Summary in = SomeSummary();
  const Summary out = DecodeSummary(EncodeSummary(in)).value();
  EXPECT_EQ(EncodeSummary(out), EncodeSummary(in));
  // Every field of the plain structs, whatever the codec lists.
  EXPECT_EQ(std::memcmp(&out.totals, &in.totals, sizeof(Totals)), 0);
  EXPECT_EQ(std::memcmp(&out.loss, &in.loss, sizeof(Loss)), 0);
  EXPECT_EQ(std::memcmp(&out.self, &in.self, offsetof(SelfReport, verify_classes)),
            0);
  for (size_t i = 0; i < in.sites.size(); ++i) {
    EXPECT_EQ(std::memcmp(&out.sites.at(i).calls, &in.sites[i].calls,
                          sizeof(SiteTotals) - offsetof(SiteTotals, calls)),
              0);
  }
  EXPECT_EQ(out.self.verify_classes, in.self.verify_classes);
  EXPECT_EQ(out.end, EndReason::kSignalled);
  EXPECT_EQ(out.sites.at(2).lost_bytes, in.sites[2].lost_bytes);
  EXPECT_EQ(out.sites.at(1).stack, 78u);
  EXPECT_EQ(out.sizes.at(4).temporary, 5u);
  EXPECT_EQ(out.timeline.at(1).heap_max_bytes, 7u);
}

// A parent is always an earlier node: no cycle can be written.
TEST(Records, StackParentsComeFirst) {
  EXPECT_FALSE(DecodeStacks(EncodeStacks(4, {{4, 1, 0}})).ok());  // itself
  EXPECT_FALSE(DecodeStacks(EncodeStacks(4, {{9, 1, 0}})).ok());  // later
  EXPECT_TRUE(DecodeStacks(EncodeStacks(9, {{8, 1, 0}})).ok());   // other chunk
  EXPECT_FALSE(DecodeStacks(EncodeStacks(3, {{0, 1, 0}})).ok());  // a root's id
}

// Cut payloads fail; changed ones fail or decode to something else, bounded by
// the payload's length (what a hostile count would allocate is checked by Count).
TEST(Records, SurviveEveryDamage) {
  const auto check = [](const std::string& payload, auto decode) {
    ASSERT_TRUE(decode(payload).ok());
    EXPECT_FALSE(decode(payload + '\0').ok());
    ForEachDamage(payload, [&](const std::string& damaged) {
      const auto result = decode(damaged);
      if (damaged.size() < payload.size()) {
        EXPECT_FALSE(result.ok());
      }
    });
  };
  check(EncodeRunInfo(SomeRun()),
        [](std::string_view p) { return DecodeRunInfo(p); });
  check(EncodeModules(SomeModules()),
        [](std::string_view p) { return DecodeModules(p); });
  check(EncodeModuleFiles({{2, 4096, 9}}),
        [](std::string_view p) { return DecodeModuleFiles(p); });
  check(EncodeStacks(4, SomeStacks()),
        [](std::string_view p) { return DecodeStacks(p); });
  check(EncodeThreads({{0, 1234, "main", 5}}),
        [](std::string_view p) { return DecodeThreads(p); });
  check(EncodeSamples({{10, 1, 2, 3}, {20, 4, 5, 6}}),
        [](std::string_view p) { return DecodeSamples(p); });
  check(EncodeIndex({{ChunkType::kEvents, 1, 2, 3, 4, 5}}),
        [](std::string_view p) { return DecodeIndex(p); });
  check(EncodeSummary(SomeSummary()),
        [](std::string_view p) { return DecodeSummary(p); });
}

}  // namespace
}  // namespace mallogram
