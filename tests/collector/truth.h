// What really happened, kept the plainest way: at every new peak every site is
// copied. The oracle of simulate_test.cc and threads_test.cc.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "preload/trace/summary.h"

namespace mallogram {

struct TrueBlock {
  uint32_t site;
  uint64_t size;
  uint32_t thread;
  uint64_t serial;  // number of the allocation within its thread
};

class Truth {
 public:
  TrueBlock Allocate(uint32_t thread, uint32_t site, uint64_t size) {
    SiteTotals& s = sites_[site];
    ++s.calls;
    s.bytes_allocated += size;
    ++s.live_blocks;
    s.live_bytes += size;
    s.own_peak_bytes = std::max(s.own_peak_bytes, s.live_bytes);
    ++totals_.allocations;
    ++totals_.live_blocks;
    totals_.live_bytes += size;
    if (totals_.live_bytes > totals_.peak_heap_bytes) {
      totals_.peak_heap_bytes = totals_.live_bytes;
      totals_.peak_heap_blocks = totals_.live_blocks;
      at_peak_ = sites_;
    }
    return {site, size, thread, ++serials_[thread]};
  }
  void Free(uint32_t thread, const TrueBlock& block) {
    SiteTotals& s = sites_[block.site];
    ++s.frees;
    --s.live_blocks;
    s.live_bytes -= block.size;
    ++totals_.frees;
    --totals_.live_blocks;
    totals_.live_bytes -= block.size;
    if (block.thread == thread && serials_[thread] == block.serial) {
      ++s.temporary;
      ++totals_.temporary;
    }
  }
  TrueBlock Move(uint32_t thread, const TrueBlock& block, uint32_t site,
                 uint64_t size) {
    Free(thread, block);
    ++sites_[site].reallocations;
    ++totals_.reallocations;
    return Allocate(thread, site, size);
  }

  // `image_sites`: of each site, the stack id in the file. `order`: the order of
  // different threads' events is known, so everything that depends on it must
  // agree, too.
  void ExpectEqual(const Summary& got, const std::vector<uint32_t>& file_stacks,
                   bool order) const {
    EXPECT_EQ(got.loss.order_violations, 0u);
    EXPECT_EQ(got.totals.unknown_frees, 0u);
    EXPECT_EQ(got.totals.allocations, totals_.allocations);
    EXPECT_EQ(got.totals.frees, totals_.frees);
    EXPECT_EQ(got.totals.reallocations, totals_.reallocations);
    EXPECT_EQ(got.totals.live_blocks, totals_.live_blocks);
    EXPECT_EQ(got.totals.live_bytes, totals_.live_bytes);
    EXPECT_EQ(got.totals.temporary, totals_.temporary);
    if (order) {
      EXPECT_EQ(got.totals.peak_heap_bytes, totals_.peak_heap_bytes);
      EXPECT_EQ(got.totals.peak_heap_blocks, totals_.peak_heap_blocks);
    }
    EXPECT_EQ(got.sites.size(), sites_.size());
    for (const SiteTotals& g : got.sites) {
      uint32_t site = 0;
      while (site < file_stacks.size() && file_stacks[site] != g.stack) ++site;
      const auto found = sites_.find(site);
      ASSERT_NE(found, sites_.end()) << "no such site: stack " << g.stack;
      const SiteTotals& want = found->second;
      EXPECT_EQ(g.calls, want.calls);
      EXPECT_EQ(g.frees, want.frees);
      EXPECT_EQ(g.reallocations, want.reallocations);
      EXPECT_EQ(g.bytes_allocated, want.bytes_allocated);
      EXPECT_EQ(g.live_blocks, want.live_blocks);
      EXPECT_EQ(g.live_bytes, want.live_bytes);
      EXPECT_EQ(g.temporary, want.temporary);
      if (!order) continue;
      EXPECT_EQ(g.own_peak_bytes, want.own_peak_bytes);
      const auto at_peak = at_peak_.find(site);
      const bool there = at_peak != at_peak_.end();
      EXPECT_EQ(g.peak_bytes, there ? at_peak->second.live_bytes : 0);
      EXPECT_EQ(g.peak_blocks, there ? at_peak->second.live_blocks : 0);
    }
  }

 private:
  std::map<uint32_t, SiteTotals> sites_, at_peak_;
  std::map<uint32_t, uint64_t> serials_;
  Totals totals_;
};

// Makes `count` stacks of different depths; site i has program counter 100 + i.
template <typename Image>
std::vector<uint32_t> MakeSites(Image* image, uint32_t count) {
  const uint32_t module = image->AddModule("/lib/m.so", 0x1000);
  std::vector<uint32_t> ids;
  uint32_t caller = kRootComplete;
  for (uint32_t i = 0; i < count; ++i) {
    ids.push_back(image->AddNode(caller, 0x1000 + 100 + i, module));
    if (i % 3 == 0) caller = ids.back();
  }
  return ids;
}

// Where the sites of MakeSites ended up in the file.
inline std::vector<uint32_t> FindSites(const std::vector<Stack>& stacks,
                                       uint32_t count) {
  std::vector<uint32_t> file_stacks(count, 0);
  for (uint32_t i = 0; i < stacks.size(); ++i) {
    const uint64_t site = stacks[i].offset - 100;
    if (site < count) file_stacks[site] = i + kFirstStackId;
  }
  return file_stacks;
}

}  // namespace mallogram
