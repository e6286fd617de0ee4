// What an entry point does with the realloc of a block, whichever of the real
// functions is behind it.
#pragma once

#include <cstddef>

#include "preload/caller_state.h"
#include "preload/kinds.h"
#include "preload/real.h"
#include "preload/recorder.h"

namespace mallogram {

// `kRealloc` is the member of g_real. Inlined, so that the caller is the entry
// point's. REQUIRES: `old` is a block of the real function's.
template <auto kRealloc>
[[gnu::always_inline]] inline void* ReallocBlock(void* old, size_t size) {
  if (g_recorder.mismatches) [[unlikely]]
    NoteFree(old, {.kind = BlockKind::kRealloc}, CALLER_STATE());
  if (size == 0) {
    // glibc and tcmalloc free and return NULL, jemalloc and mimalloc return a new
    // block: a free, then perhaps an allocation, is right for all of them.
    OnFree(old);
    void* p = (g_real.*kRealloc)(old, 0);
    if (p != nullptr) OnAlloc(p, 0, CALLER_STATE());
    return p;
  }
  const bool moves = OnMoveBegin(old);
  void* p = (g_real.*kRealloc)(old, size);
  if (!moves) [[unlikely]] {
    if (p != nullptr) OnAlloc(p, size, CALLER_STATE());
  } else if (p != nullptr) [[likely]] {
    OnMoveEnd(p, size, CALLER_STATE());
  } else {
    OnMoveFail(old);
  }
  return p;
}

}  // namespace mallogram
