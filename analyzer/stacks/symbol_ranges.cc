#include "analyzer/stacks/symbol_ranges.h"

#include <algorithm>
#include <tuple>

namespace mallogram {

SymbolRanges::SymbolRanges(Dwfl_Module* module, Filter filter, Rank rank)
    : module_(module) {
  const int count = dwfl_module_getsymtab(module);
  for (int i = 0; i < count; ++i) {
    GElf_Sym symbol;
    GElf_Addr start = 0;
    GElf_Word section = SHN_UNDEF;
    const char* name = dwfl_module_getsym_info(module, i, &symbol, &start, &section,
                                               nullptr, nullptr);
    if (name == nullptr || name[0] == '\0' || section == SHN_UNDEF ||
        section == SHN_ABS || !filter(symbol)) {
      continue;
    }
    const uint64_t end = start + symbol.st_size;
    if (end < start) continue;
    ranges_.push_back({start, end, 0, i, rank(symbol, name)});
  }
  // At one address the shorter comes last, and so is met first; of equals the one
  // of the highest rank.
  std::sort(ranges_.begin(), ranges_.end(), [](const Range& a, const Range& b) {
    return std::tuple(a.start, b.end, a.rank, b.index) <
           std::tuple(b.start, a.end, b.rank, a.index);
  });
  uint64_t reach = 0;
  for (Range& range : ranges_) {
    reach = std::max(reach, range.end);
    range.reach = reach;
  }
}

const SymbolRanges::Range* SymbolRanges::FindBefore(uint64_t address) const {
  const auto after = std::upper_bound(
      ranges_.begin(), ranges_.end(), address,
      [](uint64_t value, const Range& range) { return value < range.start; });
  return after == ranges_.begin() ? nullptr : &*(after - 1);
}

const SymbolRanges::Range* SymbolRanges::FindAround(uint64_t address) const {
  const Range* range = FindBefore(address);
  if (range == nullptr || range->reach <= address) return nullptr;
  while (address >= range->end) --range;  // ends before the table: see `reach`
  return range;
}

const char* SymbolRanges::NameOf(const Range& range) const {
  GElf_Sym symbol;
  GElf_Addr start = 0;
  return dwfl_module_getsym_info(module_, range.index, &symbol, &start, nullptr,
                                 nullptr, nullptr);
}

}  // namespace mallogram
