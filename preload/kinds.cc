#include "preload/kinds.h"

#include "preload/recorder_parts.h"

namespace mallogram {

thread_local constinit const void* t_deleting = nullptr;

namespace {

uint32_t Log2(size_t alignment) {
  return alignment == 0 ? 0
                        : static_cast<uint32_t>(
                              __builtin_ctzll(static_cast<uint64_t>(alignment)));
}

}  // namespace

void SetUpKinds(bool mismatches) {
  g_recorder.mismatches = mismatches;
  g_recorder.frees_ask = mismatches || Sampling();
  if (!mismatches) return;
  // Every free goes the way of one whose block may be followed.
  constexpr size_t kEverything = size_t{1} << 28;
  g_sampled.AlwaysHold(nullptr, kEverything);
}

void NoteKind(const void* p, BlockKind kind, size_t size, size_t alignment) {
  ThreadState* s = Enter();
  if (s == nullptr) return;
  RecordExtended(s, /*stamp=*/false,
                 PackExtended(Extended::kKind) | PackNote(kind, Log2(alignment)),
                 reinterpret_cast<uint64_t>(p), size);
  Leave(s);
}

void NoteFree(const void* p, const HowFreed& how, const CallerState& caller) {
  ThreadState* s = Enter();
  if (s == nullptr) return;
  const uint32_t stack =
      s->walker.Walk(caller, g_recorder.max_depth, &g_recorder.table);
  RecordExtended(s, /*stamp=*/false,
                 PackExtended(Extended::kFreeNote) |
                     PackNote(how.kind, Log2(how.alignment), how.told_size),
                 reinterpret_cast<uint64_t>(p), stack, how.size);
  Leave(s);
}

}  // namespace mallogram
