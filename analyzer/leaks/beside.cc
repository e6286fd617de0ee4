#include "analyzer/leaks/beside.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace mallogram {
namespace {

// The kind that the innermost frames tell, operators that `word` begins; the
// outermost of them is what the program called. `kind` if they are others.
BlockKind KindByName(const StackBook& book, uint32_t node, absl::string_view word,
                     BlockKind kind) {
  for (; node >= kFirstStackId; node = book.node(node).parent) {
    for (const PlacedFrame& placed :
         book.location(book.node(node).location).frames) {
      const CodeFrame& frame = book.frame(placed.frame);
      if (!absl::StartsWith(frame.function, word)) return kind;
      const absl::string_view rest =
          absl::string_view(frame.function).substr(word.size());
      kind = absl::StartsWith(rest, "[]") ? BlockKind::kNewArray : BlockKind::kNew;
    }
  }
  return kind;
}

}  // namespace

bool CorrectKinds(const StackBook& book, uint32_t allocated, uint32_t freed,
                  Mismatch* mismatch) {
  if (mismatch->type != MismatchType::kKind) return true;
  BlockKind& gave = mismatch->allocated_by;
  BlockKind& took = mismatch->freed_by;
  if (gave == BlockKind::kMalloc)
    gave = KindByName(book, allocated, "operator new", gave);
  if (took == BlockKind::kMalloc)
    took = KindByName(book, freed, "operator delete", took);
  return !KindsFit(gave, took);
}

std::vector<PoolView> PoolsOf(const Trace& trace, size_t process, StackBook* book) {
  std::vector<PoolView> views;
  for (const Pool& pool : trace.pools) {
    PoolView& view = views.emplace_back();
    view.process = process;
    view.name = pool.name.empty() ? absl::StrCat("pool ", views.size()) : pool.name;
    view.destroyed = pool.destroyed;
    view.peak_bytes = pool.peak_bytes;
    view.unknown_frees = pool.unknown_frees;
    absl::flat_hash_map<uint32_t, size_t> index;
    for (const PoolSite& site : pool.sites) {
      view.blocks += site.live_blocks;
      view.bytes += site.live_bytes;
      const uint32_t node = book->NodeOf(site.stack);
      const auto [at, is_new] = index.try_emplace(node, view.sites.size());
      if (is_new) view.sites.emplace_back().node = node;
      PoolSiteView& sum = view.sites[at->second];
      sum.calls += site.calls;
      sum.bytes_allocated += site.bytes;
      sum.blocks += site.live_blocks;
      sum.bytes += site.live_bytes;
    }
    std::stable_sort(view.sites.begin(), view.sites.end(),
                     [](const PoolSiteView& a, const PoolSiteView& b) {
                       return a.bytes > b.bytes;
                     });
  }
  return views;
}

}  // namespace mallogram
