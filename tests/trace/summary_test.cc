// Sums of summary.h: every field with a value of its own, so that one that is left
// out, or added to another, shows.
#include "preload/trace/summary.h"

#include <gtest/gtest.h>

#include <cstring>

namespace mallogram {
namespace {

// A struct of 64-bit counts, the i-th being `factor` * (i + 1).
template <typename T>
T Counted(uint64_t factor) {
  static_assert(sizeof(T) % sizeof(uint64_t) == 0);
  uint64_t fields[sizeof(T) / sizeof(uint64_t)];
  uint64_t i = 0;
  for (uint64_t& field : fields) field = factor * ++i;
  T result;
  memcpy(static_cast<void*>(&result), fields, sizeof(result));
  return result;
}

template <typename T>
void ExpectEqual(const T& a, const T& b) {
  EXPECT_EQ(memcmp(&a, &b, sizeof(T)), 0);
}

TEST(Sums, Loss) {
  Loss sum = Counted<Loss>(1);
  ExpectEqual(sum += Counted<Loss>(100), Counted<Loss>(101));
}

TEST(Sums, SizeClass) {
  SizeClass sum = Counted<SizeClass>(1);
  ExpectEqual(sum += Counted<SizeClass>(100), Counted<SizeClass>(101));
}

TEST(Sums, SiteTotalsKeepTheirStack) {
  SiteTotals sum = Counted<SiteTotals>(1);
  SiteTotals expected = Counted<SiteTotals>(101);
  memcpy(static_cast<void*>(&expected), &sum, sizeof(uint64_t));  // stack
  ExpectEqual(sum += Counted<SiteTotals>(100), expected);
}

TEST(Sums, TotalsWithoutTimes) {
  Totals sum = Counted<Totals>(1);
  Totals expected = Counted<Totals>(101);
  expected.peak_time_ns = sum.peak_time_ns;
  expected.duration_ns = sum.duration_ns;
  ExpectEqual(sum += Counted<Totals>(100), expected);
}

TEST(Sums, SelfReportHasOneCollector) {
  SelfReport sum, more;
  sum.events = 1, more.events = 10;
  sum.event_file_bytes = 2, more.event_file_bytes = 20;
  sum.file_bytes = 3, more.file_bytes = 30;
  sum.stack_nodes = 4, more.stack_nodes = 40;
  sum.sites = 5, more.sites = 50;
  sum.threads = 6, more.threads = 60;
  sum.walks = 7, more.walks = 70;
  sum.frames_walked = 8, more.frames_walked = 80;
  sum.full_walks = 9, more.full_walks = 90;
  sum.image_bytes = 11, more.image_bytes = 110;
  sum.private_bytes = 12, more.private_bytes = 120;
  sum.verify_checked = 13, more.verify_checked = 130;
  sum.collector_cpu_ns = 500, more.collector_cpu_ns = 400;
  sum.collector_rss_bytes = 300, more.collector_rss_bytes = 600;
  sum.verify_classes = {1}, more.verify_classes = {10, 20};
  sum += more;
  EXPECT_EQ(sum.events, 11u);
  EXPECT_EQ(sum.event_file_bytes, 22u);
  EXPECT_EQ(sum.file_bytes, 33u);
  EXPECT_EQ(sum.stack_nodes, 44u);
  EXPECT_EQ(sum.sites, 55u);
  EXPECT_EQ(sum.threads, 66u);
  EXPECT_EQ(sum.walks, 77u);
  EXPECT_EQ(sum.frames_walked, 88u);
  EXPECT_EQ(sum.full_walks, 99u);
  EXPECT_EQ(sum.image_bytes, 121u);
  EXPECT_EQ(sum.private_bytes, 132u);
  EXPECT_EQ(sum.verify_checked, 143u);
  EXPECT_EQ(sum.collector_cpu_ns, 500u);
  EXPECT_EQ(sum.collector_rss_bytes, 600u);
  EXPECT_EQ(sum.verify_classes, (std::vector<uint64_t>{11, 20}));
}

}  // namespace
}  // namespace mallogram
