#include "preload/collector/leaks/idioms.h"

#include <cstring>

namespace mallogram::leaks {
namespace {

// As many entries as Memcheck looks at for one that is a function.
constexpr int kVtableEntries = 20;
// Below lies no code; entries that small are offsets.
constexpr uint64_t kFirstPage = 4096;
// std::string of the old ABI: length, capacity, references, then the characters.
constexpr uint64_t kSharedStringHeader = 24;
// malloc aligns to 16 itself.
constexpr uint64_t kMallocAlignment = 16;

}  // namespace

PointerIdiom Idioms::Explain(uint64_t pointer, Block block) const {
  const uint64_t offset = pointer - block.start;
  const uint64_t size = index_->SizeOf(block.node);
  if (offset == 0) return PointerIdiom::kStart;
  const char* data = nullptr;
  uint64_t words[3] = {};
  if (offset < sizeof(words[0]) || pointer % sizeof(words[0]) != 0 ||
      block.start % sizeof(words[0]) != 0) {
    return PointerIdiom::kInterior;
  }
  const size_t got = windows_->Get(block.start, sizeof(words), &data);
  if (got < sizeof(words[0])) return PointerIdiom::kInterior;
  std::memcpy(words, data, got);
  if (offset == 8 && words[0] == size - 8) return PointerIdiom::kLength;
  if (IsArray(block, size, offset, words)) return PointerIdiom::kArrayCookie;
  if (offset == kSharedStringHeader && words[0] <= words[1] &&
      words[1] == size - kSharedStringHeader - 1) {
    // -1: not to be shared.
    const auto references = static_cast<int32_t>(words[2]);
    if (references >= -1 && references < 1 << 30)
      return PointerIdiom::kSharedString;
  }
  uint64_t inner = 0;
  if (facts_->IsConstant(words[0]) && windows_->Word(pointer, &inner) &&
      facts_->IsConstant(inner) && IsVtable(words[0]) && IsVtable(inner)) {
    return PointerIdiom::kSecondBase;
  }
  return IsAligned(pointer, block) ? PointerIdiom::kAligned
                                   : PointerIdiom::kInterior;
}

// new T[n] of a type with a destructor keeps n before the first element, and 8
// bytes more before it if T is aligned to 16.
bool Idioms::IsArray(const Block& block, uint64_t size, uint64_t offset,
                     const uint64_t* words) const {
  if (offset != 8 && offset != 16) return false;
  const uint64_t count = offset == 8 ? words[0] : words[1];
  const uint64_t bytes = size - offset;
  if (count == 0 || bytes % count != 0 || bytes == 0) return false;
  if (offset == 16 && bytes / count % 16 != 0) return false;
  switch (index_->IsInherited(block.node) ? MadeByArrayNew::kUnknown
                                          : facts_->ArrayNew(block.node)) {
    case MadeByArrayNew::kNo:
      return false;
    case MadeByArrayNew::kYes:
      return true;
    case MadeByArrayNew::kUnknown:
      // 1 divides everything; it is also what counters of references begin with.
      return count > 1;
  }
  return false;
}

bool Idioms::IsVtable(uint64_t address) const {
  if (address % 8 != 0) return false;
  for (int i = 0; i < kVtableEntries; ++i) {
    uint64_t entry = 0;
    if (!windows_->Word(address + 8 * static_cast<uint64_t>(i), &entry))
      return false;
    if (entry < kFirstPage) continue;  // a pure virtual function's, say
    return facts_->IsCode(entry);
  }
  return false;
}

// By hand: more was allocated, the pointer was rounded up, and how to get back was
// stored before it: the block's start, or the distance. A distance is a small
// number, as so many are: it counts only if the alignment is more than malloc's own
// and explains it.
bool Idioms::IsAligned(uint64_t pointer, const Block& block) const {
  const uint64_t offset = pointer - block.start;
  const uint64_t alignment = pointer & -pointer;
  uint64_t before = 0;
  if (alignment < kMallocAlignment || !windows_->Word(pointer - 8, &before)) {
    return false;
  }
  if (before == block.start) return true;
  if (alignment <= kMallocAlignment || offset > alignment + kMallocAlignment) {
    return false;
  }
  return before == offset || before >> 56 == offset;
}

}  // namespace mallogram::leaks
