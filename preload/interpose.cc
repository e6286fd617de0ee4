// The malloc family as the program sees it. Only the C ABI lives here: call the
// real function, tell the recorder. Every contract of the real entry points (NULL,
// errno, alignment, overflow, zero sizes, usable sizes) is theirs, untouched.
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "preload/bypass.h"
#include "preload/call_site.h"
#include "preload/caller_state.h"
#include "preload/kinds.h"
#include "preload/leak_hold.h"
#include "preload/real.h"
#include "preload/realloc_block.h"
#include "preload/recorder_parts.h"

namespace mallogram {
namespace {

void* NoSuchFunction() {
  errno = ENOMEM;
  return nullptr;
}

}  // namespace

// What the entry points do with a block that is recorded. Functions of their own,
// reached by a jump, so that the stack is the program's and a block that is sampled
// out costs no frame.

template <bool kMaySample>
[[gnu::noinline]] static void* RecordedMalloc(size_t size) {
  void* p = g_real.malloc(size);
  if (p != nullptr) [[likely]]
    OnAlloc<kMaySample>(p, size, CALLER_STATE());
  return p;
}

template <bool kMaySample>
[[gnu::noinline]] static void* RecordedCalloc(size_t count, size_t size) {
  void* p = g_real.calloc(count, size);
  // A block was returned, so the product did not overflow.
  if (p != nullptr) [[likely]]
    OnAlloc<kMaySample>(p, count * size, CALLER_STATE());
  return p;
}

// The free of a block whose kind is of interest. An operator delete may be at work.
[[gnu::noinline]] static void NotedFree(void* p) {
  if (p != t_deleting) {
    const CallerState caller = CALLER_STATE();
    const bool sure = !HasOperatorsElsewhere() || IsCallToUs(caller.pc);
    NoteFree(p, {.kind = sure ? BlockKind::kMalloc : BlockKind::kUnknown}, caller);
  } else {
    t_deleting = nullptr;  // it may free more
  }
  OnFree<false>(p);
  g_real.free(p);
}

template <bool kMaySample>
[[gnu::noinline]] static void RecordedFree(void* p) {
  if (p == nullptr || IsBootstrapBlock(p)) [[unlikely]]
    return;
  if (kMaySample && g_recorder.mismatches) return NotedFree(p);
  OnFree<kMaySample>(p);
  g_real.free(p);
}

[[gnu::noinline]] static void* RecordedRealloc(void* old, size_t size) {
  if (old == nullptr) {
    void* p = g_real.realloc(nullptr, size);
    if (p != nullptr) OnAlloc(p, size, CALLER_STATE());
    return p;
  }
  if (IsBootstrapBlock(old)) [[unlikely]] {
    void* p = g_real.malloc(size);
    if (p == nullptr) return nullptr;
    const size_t had = BootstrapBlockSize(old);
    __builtin_memcpy(p, old, had < size ? had : size);
    OnAlloc(p, size, CALLER_STATE());
    return p;
  }
  return ReallocBlock<&RealFunctions::realloc>(old, size);
}

}  // namespace mallogram

// Declared nowhere in glibc 2.36's headers.
MALLOGRAM_EXPORT void cfree(void* p);
MALLOGRAM_EXPORT void free_sized(void* p, size_t size);
MALLOGRAM_EXPORT void free_aligned_sized(void* p, size_t alignment, size_t size);

using mallogram::BlockKind;
using mallogram::g_real;
using mallogram::g_recorder;
using mallogram::HowFreed;
using mallogram::IsBootstrapBlock;
using mallogram::NoteFree;
using mallogram::OnAlloc;
using mallogram::OnFree;
using mallogram::PassesFree;
using mallogram::Resolved;
using mallogram::Sampling;
using mallogram::t_draw;

MALLOGRAM_EXPORT void* malloc(size_t size) {
  if (g_recorder.never_samples) return mallogram::RecordedMalloc<false>(size);
  return t_draw->Pass(size) ? g_real.malloc(size)
                            : mallogram::RecordedMalloc<true>(size);
}

MALLOGRAM_EXPORT void* calloc(size_t count, size_t size) {
  if (g_recorder.never_samples)
    return mallogram::RecordedCalloc<false>(count, size);
  size_t bytes;
  return !__builtin_mul_overflow(count, size, &bytes) && t_draw->Pass(bytes)
             ? g_real.calloc(count, size)
             : mallogram::RecordedCalloc<true>(count, size);
}

MALLOGRAM_EXPORT void free(void* p) {
  if (!g_recorder.frees_ask) return mallogram::RecordedFree<false>(p);
  return PassesFree(p) ? g_real.free(p) : mallogram::RecordedFree<true>(p);
}

MALLOGRAM_EXPORT void* realloc(void* old, size_t size) {
  return Sampling() && PassesFree(old) && t_draw->Pass(size)
             ? g_real.realloc(old, size)
             : mallogram::RecordedRealloc(old, size);
}

MALLOGRAM_EXPORT void* reallocarray(void* old, size_t count, size_t size) {
  size_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes)) {
    errno = ENOMEM;
    return nullptr;
  }
  // As every libc has it: an overflow check before realloc, which is ours. A
  // tail call, so the stack is the caller's.
  return realloc(old, bytes);
}

MALLOGRAM_EXPORT int posix_memalign(void** out, size_t alignment, size_t size) {
  if (!Resolved(g_real.posix_memalign)) return ENOMEM;
  const int error = g_real.posix_memalign(out, alignment, size);
  if (error == 0 && *out != nullptr) OnAlloc(*out, size, CALLER_STATE());
  return error;
}

MALLOGRAM_EXPORT void* aligned_alloc(size_t alignment, size_t size) {
  if (!Resolved(g_real.aligned_alloc)) return mallogram::NoSuchFunction();
  void* p = g_real.aligned_alloc(alignment, size);
  if (p != nullptr) OnAlloc(p, size, CALLER_STATE());
  return p;
}

MALLOGRAM_EXPORT void* memalign(size_t alignment, size_t size) {
  if (!Resolved(g_real.memalign)) return mallogram::NoSuchFunction();
  void* p = g_real.memalign(alignment, size);
  if (p != nullptr) OnAlloc(p, size, CALLER_STATE());
  return p;
}

MALLOGRAM_EXPORT void* valloc(size_t size) {
  if (!Resolved(g_real.valloc)) return mallogram::NoSuchFunction();
  void* p = g_real.valloc(size);
  if (p != nullptr) OnAlloc(p, size, CALLER_STATE());
  return p;
}

MALLOGRAM_EXPORT void* pvalloc(size_t size) {
  if (!Resolved(g_real.pvalloc)) return mallogram::NoSuchFunction();
  void* p = g_real.pvalloc(size);
  if (p != nullptr) OnAlloc(p, size, CALLER_STATE());
  return p;
}

// An old name of free. The real one is not asked: of an allocator without a cfree
// of its own, glibc's would be found, which knows nothing of its blocks.
MALLOGRAM_EXPORT void cfree(void* p) { free(p); }

// C23; a libc that has them may check the size, else they are free.
MALLOGRAM_EXPORT void free_sized(void* p, size_t size) {
  if (p == nullptr || IsBootstrapBlock(p)) return;
  if (g_recorder.mismatches) {
    const HowFreed how = {
        .kind = BlockKind::kMalloc, .told_size = true, .size = size};
    NoteFree(p, how, CALLER_STATE());
  }
  OnFree(p);
  if (Resolved(g_real.free_sized)) {
    g_real.free_sized(p, size);
  } else {
    g_real.free(p);
  }
}

MALLOGRAM_EXPORT void free_aligned_sized(void* p, size_t alignment, size_t size) {
  if (p == nullptr || IsBootstrapBlock(p)) return;
  if (g_recorder.mismatches) {
    const HowFreed how = {
        .kind = BlockKind::kMalloc, .told_size = true, .size = size};
    NoteFree(p, how, CALLER_STATE());
  }
  OnFree(p);
  if (Resolved(g_real.free_aligned_sized)) {
    g_real.free_aligned_sized(p, alignment, size);
  } else {
    g_real.free(p);
  }
}

// Passed through; here only because blocks of the start-up arena are unknown to
// the real one.
MALLOGRAM_EXPORT size_t malloc_usable_size(void* p) {
  if (p == nullptr) return 0;
  if (IsBootstrapBlock(p)) return mallogram::BootstrapBlockSize(p);
  return Resolved(g_real.malloc_usable_size) ? g_real.malloc_usable_size(p) : 0;
}

namespace {

__attribute__((constructor)) void StartLibrary() { mallogram::StartRecording(); }
void LastHandler(int status, void*) {
  mallogram::HoldAtEnd(nullptr, (status & 0xff) << 8);
}

__attribute__((destructor)) void EndLibrary() {
  mallogram::NoteExit();
  // Other libraries' destructors come after ours. A handler that is registered now
  // is called when all are done.
  if (on_exit(LastHandler, nullptr) != 0) LastHandler(0, nullptr);
}

}  // namespace
