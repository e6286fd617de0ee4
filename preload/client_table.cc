// What client/mallogram.h calls: one table of functions, the only data that this
// library exports. Its layout is that header's mallogram_client_table; the programs
// of tests/e2e/client_test.py call every function through it.
#include <errno.h>

#include "preload/caller_state.h"
#include "preload/errno_guard.h"
#include "preload/leak_hold.h"
#include "preload/recorder_parts.h"

namespace mallogram {
namespace {

// Text in records: up to `kWords` words, zeros at the end.
template <size_t kWords>
struct Text {
  uint64_t words[kWords] = {};
  // Where the next piece begins.
  const char* Take(const char* text) {
    char bytes[sizeof(words)] = {};
    size_t n = 0;
    while (n < sizeof(words) && text[n] != 0) bytes[n] = text[n], ++n;
    __builtin_memcpy(words, bytes, sizeof(words));
    return text + n;
  }
};

constexpr int kMaxPoolNamePieces = 4;

std::atomic<uint32_t> g_pools;

void Mark(const char* name, uint64_t scale_bits) {
  if (name == nullptr || *name == 0) return;
  const KeepErrno keep;
  if (ThreadState* s = Enter()) {
    Text<3> text;
    text.Take(name);
    if (scale_bits != 0)
      RecordExtended(s, true, PackExtended(Extended::kScale), scale_bits);
    RecordExtended(s, true, PackExtended(Extended::kMark), text.words[0],
                   text.words[1], text.words[2]);
    Leave(s);
  }
}

int LeakCheckNow() {
  const KeepErrno keep;
  const bool done = RequestLeakCheckNow(CALLER_STATE());
  return done ? 0 : ENOTSUP;
}

void Ignore(const void* block) {
  if (block == nullptr) return;
  const KeepErrno keep;
  if (ThreadState* s = Enter()) {
    RecordExtended(s, true, PackExtended(Extended::kIgnore),
                   reinterpret_cast<uint64_t>(block));
    Leave(s);
  }
}

void Pause() {
  const KeepErrno keep;
  PauseThread();
}

uint32_t CreatePool(const char* name) {
  const KeepErrno keep;
  const uint32_t pool = g_pools.fetch_add(1, std::memory_order_relaxed) + 1;
  if (name == nullptr) name = "";
  if (ThreadState* s = Enter()) {
    for (int piece = 0; piece == 0 || (*name != 0 && piece < kMaxPoolNamePieces);
         ++piece) {
      Text<2> text;
      name = text.Take(name);
      RecordExtended(s, true, PackExtended(Extended::kPoolCreate) | PackPool(pool),
                     text.words[0], text.words[1]);
    }
    Leave(s);
  }
  return pool;
}

void AllocInPool(uint32_t pool, const void* block, size_t size) {
  if (block == nullptr) return;
  const KeepErrno keep;
  if (ThreadState* s = Enter()) {
    const uint32_t stack =
        s->walker.Walk(CALLER_STATE(), g_recorder.max_depth, &g_recorder.table);
    RecordExtended(s, true, PackExtended(Extended::kPoolAlloc) | PackPool(pool),
                   reinterpret_cast<uint64_t>(block), stack, size);
    Leave(s);
  }
}

void FreeInPool(uint32_t pool, const void* block) {
  if (block == nullptr) return;
  const KeepErrno keep;
  if (ThreadState* s = Enter()) {
    RecordExtended(s, true, PackExtended(Extended::kPoolFree) | PackPool(pool),
                   reinterpret_cast<uint64_t>(block));
    Leave(s);
  }
}

void DestroyPool(uint32_t pool) {
  const KeepErrno keep;
  if (ThreadState* s = Enter()) {
    RecordExtended(s, true, PackExtended(Extended::kPoolDestroy) | PackPool(pool),
                   0);
    Leave(s);
  }
}

struct ClientTable {
  size_t size;
  void (*mark)(const char* name, uint64_t scale_bits);
  int (*leak_check_now)();
  void (*ignore)(const void* block);
  void (*pause)();
  void (*resume)();
  uint32_t (*pool_create)(const char* name);
  void (*pool_alloc)(uint32_t pool, const void* block, size_t size);
  void (*pool_free)(uint32_t pool, const void* block);
  void (*pool_destroy)(uint32_t pool);
};

}  // namespace
}  // namespace mallogram

extern "C" {
extern __attribute__((visibility("default")))
const mallogram::ClientTable mallogram_client_v1;
const mallogram::ClientTable mallogram_client_v1 = {
    .size = sizeof(mallogram::ClientTable),
    .mark = mallogram::Mark,
    .leak_check_now = mallogram::LeakCheckNow,
    .ignore = mallogram::Ignore,
    .pause = mallogram::Pause,
    .resume = mallogram::ResumeThread,
    .pool_create = mallogram::CreatePool,
    .pool_alloc = mallogram::AllocInPool,
    .pool_free = mallogram::FreeInPool,
    .pool_destroy = mallogram::DestroyPool,
};
}  // extern "C"
