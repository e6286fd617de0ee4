#include "preload/notes.h"

namespace mallogram {

thread_local constinit const void* t_deleting = nullptr;

namespace {

uint32_t Log2(size_t alignment) {
  return alignment == 0 ? 0
                        : static_cast<uint32_t>(
                              __builtin_ctzll(static_cast<uint64_t>(alignment)));
}

}  // namespace

void SetUpNotes(bool mismatches) {
  g_recorder.mismatches = mismatches;
  g_recorder.frees_ask = mismatches || Sampling();
  if (!mismatches) return;
  // Every free goes the way of one whose block may be followed.
  constexpr size_t kEverything = size_t{1} << 28;
  g_sampled.AlwaysHold(nullptr, kEverything);
}

void RecordExtended(ThreadState* s, bool stamp, uint64_t word0, uint64_t word1,
                    uint64_t word2, uint64_t word3) {
  if (!s->ring.Reserve(kMaxRecordWords + 1) &&
      !MakeRoom(s, kMaxRecordWords + 1, 0, false))
    return;
  if (stamp) {
    s->clock = ReadStamp(g_recorder.tsc);
    s->ring.Put(PackTime(s->clock));
  }
  const uint32_t words = WordsOf(word0);
  s->ring.Put(word0);
  s->ring.Put(word1);
  if (words > 2) s->ring.Put(word2);
  if (words > 3) s->ring.Put(word3);
  s->ring.Publish();
}

void NoteKind(const void* p, BlockKind kind, size_t size, size_t alignment) {
  ThreadState* s = Enter();
  if (s == nullptr) return;
  RecordExtended(s, /*stamp=*/false,
                 PackExtended(Extended::kKind, 3) | PackNote(kind, Log2(alignment)),
                 reinterpret_cast<uint64_t>(p), size);
  Leave(s);
}

void NoteFree(const void* p, const HowFreed& how, const CallerState& caller) {
  ThreadState* s = Enter();
  if (s == nullptr) return;
  const uint32_t stack =
      s->walker.Walk(caller, g_recorder.max_depth, &g_recorder.table);
  RecordExtended(s, /*stamp=*/false,
                 PackExtended(Extended::kFreeNote, 4) |
                     PackNote(how.kind, Log2(how.alignment), how.told_size),
                 reinterpret_cast<uint64_t>(p), stack, how.size);
  Leave(s);
}

}  // namespace mallogram
