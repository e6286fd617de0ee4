// By which family of functions a block was allocated or freed. Freestanding: the
// library, the collector and the file format share it.
#pragma once

#include <cstdint>

namespace mallogram {

enum class BlockKind : uint8_t {
  kUnknown = 0,   // not seen, or not told apart
  kMalloc = 1,    // malloc, calloc, realloc, aligned_alloc …; free
  kNew = 2,       // new; delete
  kNewArray = 3,  // new[]; delete[]
  kRealloc = 4,   // as a way to free: realloc, which fits what malloc gave
};
inline constexpr int kBlockKinds = 5;

// Whether what `allocated` gave may be given to `freed`.
constexpr bool KindsFit(BlockKind allocated, BlockKind freed) {
  if (freed == BlockKind::kRealloc) freed = BlockKind::kMalloc;
  return allocated == BlockKind::kUnknown || freed == BlockKind::kUnknown ||
         allocated == freed;
}

}  // namespace mallogram
