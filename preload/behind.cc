// The functions behind the interposed ones where they are not libc's: each marks
// the thread for as long as it runs (inside.h). They change nothing else:
// arguments, result and errno are the allocator's.
#include "preload/inside.h"
#include "preload/real.h"

namespace mallogram {
namespace {

void* MarkedMalloc(size_t size) {
  const InAllocator mark;
  return g_original.malloc(size);
}
void* MarkedCalloc(size_t count, size_t size) {
  const InAllocator mark;
  return g_original.calloc(count, size);
}
void* MarkedRealloc(void* old, size_t size) {
  const InAllocator mark;
  return g_original.realloc(old, size);
}
void MarkedFree(void* p) {
  const InAllocator mark;
  g_original.free(p);
}
int MarkedPosixMemalign(void** out, size_t alignment, size_t size) {
  const InAllocator mark;
  return g_original.posix_memalign(out, alignment, size);
}
void* MarkedAlignedAlloc(size_t alignment, size_t size) {
  const InAllocator mark;
  return g_original.aligned_alloc(alignment, size);
}
void* MarkedMemalign(size_t alignment, size_t size) {
  const InAllocator mark;
  return g_original.memalign(alignment, size);
}
void* MarkedValloc(size_t size) {
  const InAllocator mark;
  return g_original.valloc(size);
}
void* MarkedPvalloc(size_t size) {
  const InAllocator mark;
  return g_original.pvalloc(size);
}
void MarkedFreeSized(void* p, size_t size) {
  const InAllocator mark;
  g_original.free_sized(p, size);
}
void MarkedFreeAlignedSized(void* p, size_t alignment, size_t size) {
  const InAllocator mark;
  g_original.free_aligned_sized(p, alignment, size);
}
size_t MarkedUsableSize(void* p) {
  const InAllocator mark;
  return g_original.malloc_usable_size(p);
}
void* MarkedLibcMalloc(size_t size) {
  const InAllocator mark;
  return g_original.libc_malloc(size);
}
void* MarkedLibcCalloc(size_t count, size_t size) {
  const InAllocator mark;
  return g_original.libc_calloc(count, size);
}
void* MarkedLibcRealloc(void* old, size_t size) {
  const InAllocator mark;
  return g_original.libc_realloc(old, size);
}
void MarkedLibcFree(void* p) {
  const InAllocator mark;
  g_original.libc_free(p);
}
void* MarkedLibcMemalign(size_t alignment, size_t size) {
  const InAllocator mark;
  return g_original.libc_memalign(alignment, size);
}
void* MarkedLibcValloc(size_t size) {
  const InAllocator mark;
  return g_original.libc_valloc(size);
}
void* MarkedLibcPvalloc(size_t size) {
  const InAllocator mark;
  return g_original.libc_pvalloc(size);
}

template <typename F>
void Replace(F** function, F* marked) {
  if (*function != nullptr) *function = marked;
}

}  // namespace

void MarkCalls(RealFunctions* real) {
  Replace(&real->malloc, &MarkedMalloc);
  Replace(&real->calloc, &MarkedCalloc);
  Replace(&real->realloc, &MarkedRealloc);
  Replace(&real->free, &MarkedFree);
  Replace(&real->posix_memalign, &MarkedPosixMemalign);
  Replace(&real->aligned_alloc, &MarkedAlignedAlloc);
  Replace(&real->memalign, &MarkedMemalign);
  Replace(&real->valloc, &MarkedValloc);
  Replace(&real->pvalloc, &MarkedPvalloc);
  Replace(&real->free_sized, &MarkedFreeSized);
  Replace(&real->free_aligned_sized, &MarkedFreeAlignedSized);
  Replace(&real->malloc_usable_size, &MarkedUsableSize);
  Replace(&real->libc_malloc, &MarkedLibcMalloc);
  Replace(&real->libc_calloc, &MarkedLibcCalloc);
  Replace(&real->libc_realloc, &MarkedLibcRealloc);
  Replace(&real->libc_free, &MarkedLibcFree);
  Replace(&real->libc_memalign, &MarkedLibcMemalign);
  Replace(&real->libc_valloc, &MarkedLibcValloc);
  Replace(&real->libc_pvalloc, &MarkedLibcPvalloc);
}

}  // namespace mallogram
