// glibc's own names of the malloc family. A program or plug-in with a malloc of its
// own ends in them, so does a preloaded wrapper: its blocks are recorded here, or,
// if the wrapper is behind us, were recorded already (inside.h).
#include <malloc.h>
#include <stdlib.h>

#include "preload/caller_state.h"
#include "preload/kinds.h"
#include "preload/real.h"
#include "preload/realloc_block.h"
#include "preload/recorder.h"

using mallogram::BlockKind;
using mallogram::g_real;
using mallogram::g_recorder;
using mallogram::IsBootstrapBlock;
using mallogram::LibcIsBehind;
using mallogram::NoteFree;
using mallogram::OnAlloc;
using mallogram::Resolved;
using mallogram::Resolving;
using mallogram::t_deleting;

// Declared nowhere.
MALLOGRAM_EXPORT void* __libc_malloc(size_t size);
MALLOGRAM_EXPORT void* __libc_calloc(size_t count, size_t size);
MALLOGRAM_EXPORT void* __libc_realloc(void* old, size_t size);
MALLOGRAM_EXPORT void __libc_free(void* p);
MALLOGRAM_EXPORT void* __libc_memalign(size_t alignment, size_t size);
MALLOGRAM_EXPORT void* __libc_valloc(size_t size);
MALLOGRAM_EXPORT void* __libc_pvalloc(size_t size);

// With libc behind us they are the same functions. A tail call, so the stack is the
// caller's.
#define MALLOGRAM_SAME(function, name, ...)                        \
  if (Resolving() || !Resolved(g_real.function) || LibcIsBehind()) \
  return name(__VA_ARGS__)

MALLOGRAM_EXPORT void* __libc_malloc(size_t size) {
  MALLOGRAM_SAME(libc_malloc, malloc, size);
  void* p = g_real.libc_malloc(size);
  if (p != nullptr) OnAlloc(p, size, CALLER_STATE());
  return p;
}

MALLOGRAM_EXPORT void* __libc_calloc(size_t count, size_t size) {
  MALLOGRAM_SAME(libc_calloc, calloc, count, size);
  void* p = g_real.libc_calloc(count, size);
  if (p != nullptr) OnAlloc(p, count * size, CALLER_STATE());
  return p;
}

MALLOGRAM_EXPORT void __libc_free(void* p) {
  MALLOGRAM_SAME(libc_free, free, p);
  if (p == nullptr || IsBootstrapBlock(p)) return;
  if (g_recorder.mismatches && p != t_deleting)
    NoteFree(p, {.kind = BlockKind::kMalloc}, CALLER_STATE());
  mallogram::OnFree(p);
  g_real.libc_free(p);
}

MALLOGRAM_EXPORT void* __libc_realloc(void* old, size_t size) {
  if (old == nullptr) return __libc_malloc(size);
  if (IsBootstrapBlock(old)) return realloc(old, size);
  MALLOGRAM_SAME(libc_realloc, realloc, old, size);
  return mallogram::ReallocBlock<&mallogram::RealFunctions::libc_realloc>(old,
                                                                          size);
}

MALLOGRAM_EXPORT void* __libc_memalign(size_t alignment, size_t size) {
  MALLOGRAM_SAME(libc_memalign, memalign, alignment, size);
  void* p = g_real.libc_memalign(alignment, size);
  if (p != nullptr) OnAlloc(p, size, CALLER_STATE());
  return p;
}

MALLOGRAM_EXPORT void* __libc_valloc(size_t size) {
  MALLOGRAM_SAME(libc_valloc, valloc, size);
  void* p = g_real.libc_valloc(size);
  if (p != nullptr) OnAlloc(p, size, CALLER_STATE());
  return p;
}

MALLOGRAM_EXPORT void* __libc_pvalloc(size_t size) {
  MALLOGRAM_SAME(libc_pvalloc, pvalloc, size);
  void* p = g_real.libc_pvalloc(size);
  if (p != nullptr) OnAlloc(p, size, CALLER_STATE());
  return p;
}
