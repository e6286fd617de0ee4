#include "preload/trace/pools.h"

#include <utility>

#include "preload/trace/bytes.h"
#include "preload/trace/checked.h"

namespace mallogram {
namespace {

constexpr uint64_t kMinPoolBytes = 6;
constexpr uint64_t kMinSiteBytes = 8;

}  // namespace

std::string EncodePools(const std::vector<Pool>& pools) {
  ByteWriter out;
  out.Varint(pools.size());
  for (const Pool& pool : pools) {
    out.String(pool.name);
    out.Byte(pool.destroyed ? 1 : 0);
    out.Varint(pool.peak_bytes);
    out.Varint(pool.peak_time_ns);
    out.Varint(pool.unknown_frees);
    out.Varint(pool.sites.size());
    for (const PoolSite& site : pool.sites) {
      out.Varint(site.stack);
      out.Varint(site.calls);
      out.Varint(site.bytes);
      out.Varint(site.live_blocks);
      out.Varint(site.live_bytes);
      out.Varint(site.oldest_ns);
      out.Varint(site.youngest_ns);
      out.Varint(site.thread);
    }
  }
  return out.Take();
}

absl::StatusOr<std::vector<Pool>> DecodePools(std::string_view payload) {
  Checked checked(payload);
  ByteReader& in = checked.in();
  std::vector<Pool> pools(in.Count(kMinPoolBytes));
  for (Pool& pool : pools) {
    pool.name = std::string(in.String());
    pool.destroyed = checked.Enum<uint8_t>(2) != 0;
    pool.peak_bytes = in.Varint();
    pool.peak_time_ns = in.Varint();
    pool.unknown_frees = in.Varint();
    pool.sites.resize(in.Count(kMinSiteBytes));
    for (PoolSite& site : pool.sites) {
      site.stack = checked.Stack();
      site.calls = in.Varint();
      site.bytes = in.Varint();
      site.live_blocks = in.Varint();
      site.live_bytes = in.Varint();
      site.oldest_ns = in.Varint();
      site.youngest_ns = in.Varint();
      site.thread = checked.Id(kMaxThreads);
    }
    if (!in.ok()) break;
  }
  return checked.Whole(std::move(pools), "pools");
}

}  // namespace mallogram
