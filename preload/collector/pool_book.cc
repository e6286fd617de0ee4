#include "preload/collector/pool_book.h"

#include <algorithm>
#include <cstring>

#include "preload/ring.h"

namespace mallogram {

PoolBook::OnePool* PoolBook::Find(uint32_t id) {
  const auto [at, is_new] = index_.try_emplace(id, pools_.size());
  if (!is_new) return &pools_[at->second];
  if (pools_.size() == kMaxPools) {
    index_.erase(at);
    return nullptr;
  }
  // A forked child's pools have no names here: they were made before it was.
  return &pools_.emplace_back();
}

void PoolBook::Note(const Record& record, uint32_t thread, uint64_t time_ns) {
  OnePool* const p = Find(PoolOf(record.count));
  if (p == nullptr) return;
  switch (SubtypeOf(record.count)) {
    case Extended::kPoolCreate:
      AddName(record, &p->pool);
      break;
    case Extended::kPoolAlloc:
      Allocate(p, record, thread, time_ns);
      break;
    case Extended::kPoolFree:
      if (!Free(p, record.address)) ++p->pool.unknown_frees;
      break;
    case Extended::kPoolDestroy:
      p->blocks.clear();
      p->live_bytes = 0;
      for (PoolSite& site : p->pool.sites) site.live_blocks = site.live_bytes = 0;
      p->pool.destroyed = true;
      break;
    default:
      break;
  }
}

void PoolBook::AddName(const Record& record, Pool* pool) {
  const uint64_t words[] = {record.address, record.size};
  char piece[sizeof(words)];
  std::memcpy(piece, words, sizeof(words));
  if (pool->name.size() < kMaxName)
    pool->name.append(piece, strnlen(piece, sizeof(piece)));
}

void PoolBook::Allocate(OnePool* p, const Record& record, uint32_t thread,
                        uint64_t time_ns) {
  Free(p, record.address);  // given out again: the pool has taken it back unsaid
  Pool& pool = p->pool;
  const auto [at, is_new] = p->site_of_stack.try_emplace(
      record.stack, static_cast<uint32_t>(pool.sites.size()));
  if (is_new) pool.sites.emplace_back().stack = record.stack;
  PoolSite& site = pool.sites[at->second];
  ++site.calls;
  site.bytes += record.size;
  ++site.live_blocks;
  site.live_bytes += record.size;
  p->blocks[record.address] = {record.size, time_ns, at->second, thread};
  p->live_bytes += record.size;
  if (p->live_bytes > pool.peak_bytes) {
    pool.peak_bytes = p->live_bytes;
    pool.peak_time_ns = time_ns;
  }
}

bool PoolBook::Free(OnePool* p, uint64_t address) {
  const auto at = p->blocks.find(address);
  if (at == p->blocks.end()) return false;
  PoolSite& site = p->pool.sites[at->second.site];
  --site.live_blocks;
  site.live_bytes -= at->second.size;
  p->live_bytes -= at->second.size;
  p->blocks.erase(at);
  return true;
}

std::vector<Pool> PoolBook::List(
    const std::function<uint32_t(uint32_t)>& translate) const {
  std::vector<Pool> result;
  for (const OnePool& p : pools_) {
    Pool& pool = result.emplace_back(p.pool);
    for (const auto& [address, block] : p.blocks) {
      PoolSite& site = pool.sites[block.site];
      if (site.oldest_ns == 0 || block.time_ns < site.oldest_ns)
        site.oldest_ns = block.time_ns;
      if (block.time_ns >= site.youngest_ns) {
        site.youngest_ns = block.time_ns;
        site.thread = block.thread;
      }
    }
    for (PoolSite& site : pool.sites) site.stack = translate(site.stack);
  }
  return result;
}

}  // namespace mallogram
