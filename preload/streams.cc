#include "preload/streams.h"

#include "preload/may_call.h"
#include "preload/recorder_parts.h"
#include "preload/shared_image.h"
#include "preload/sys.h"
#include "preload/thread_id.h"

namespace mallogram {

constinit ForkPage* g_fork_page = nullptr;

namespace {

// One state a ring, in chunks as the rings are; wiped on fork, and kept by the
// child.
ThreadState* g_states[kMaxRingChunks];
std::atomic<uint32_t> g_streams;    // ever acquired
std::atomic<uint32_t> g_free_hint;  // rings below it are taken, as far as we know

ThreadState* StateOf(uint32_t ring) {
  const int chunk = RingGeometry::ChunkOf(ring);
  return g_states[chunk] + (ring - RingGeometry::FirstOf(chunk));
}

// The next rings are made while there are some left: a signal handler that
// interrupts the making, or another thread meanwhile, takes one of those.
void MakeSpareRings(uint32_t taken) {
  constexpr uint32_t kSpare = 3;
  const int chunk = RingGeometry::ChunkOf(taken + kSpare);
  if (chunk < kMaxRingChunks && g_states[chunk] == nullptr) MakeChunk(chunk);
}

}  // namespace

void ForgetStreams() {
  g_streams.store(0, std::memory_order_relaxed);
  g_free_hint.store(0, std::memory_order_relaxed);
}

bool MakeChunk(int chunk) {
  if (g_states[chunk] != nullptr) return g_image.MakeRings(chunk);
  if (!MayCall()) return false;
  const bool first = chunk == 0;
  const size_t bytes = sizeof(ThreadState) * RingGeometry::CountOf(chunk) +
                       (first ? sys::kPageBytes : 0);
  auto* const base =
      static_cast<char*>(sys::MapPrivate(bytes, /*wipe_on_fork=*/true));
  if (base == nullptr) return false;
  ThreadState* states = reinterpret_cast<ThreadState*>(base);
  if (first) {
    g_fork_page = reinterpret_cast<ForkPage*>(base);
    states = reinterpret_cast<ThreadState*>(base + sys::kPageBytes);
  }
  ThreadState* none = nullptr;
  if (!__atomic_compare_exchange_n(&g_states[chunk], &none, states, false,
                                   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
    sys::Unmap(base, bytes);  // another thread was first
  }
  return g_image.MakeRings(chunk);
}

ThreadState* TakeState() {
  ImageHeader* header = g_image.header;
  for (;;) {
    const uint32_t count = header->ring_count.load(std::memory_order_acquire);
    uint32_t hint = g_free_hint.load(std::memory_order_acquire);
    for (uint32_t i = hint; i < count; ++i) {
      RingSlot* const ring = g_image.ring(i);
      uint32_t expected = RingSlot::kFree;
      // Acquire: what the previous owner left in ring and state.
      if (ring->state.load(std::memory_order_relaxed) == expected &&
          ring->state.compare_exchange_strong(expected, RingSlot::kOwned,
                                              std::memory_order_acq_rel)) {
        g_free_hint.compare_exchange_strong(hint, i + 1, std::memory_order_acq_rel);
        ThreadState* const s = StateOf(i);
        s->index = i;
        MakeSpareRings(i);
        return s;
      }
    }
    if (count >= header->max_rings) return nullptr;
    const int chunk = RingGeometry::ChunkOf(count);
    // Before there are more, all are looked at: the collector frees some, too.
    if (count == RingGeometry::FirstOf(chunk) && hint != 0) {
      g_free_hint.store(0, std::memory_order_release);
      continue;
    }
    if (!MakeChunk(chunk)) return nullptr;
    // One more ring: whoever raises the count may lose it to another thread, so
    // the search starts again.
    uint32_t expected = count;
    header->ring_count.compare_exchange_strong(expected, count + 1,
                                               std::memory_order_acq_rel);
  }
}

void OpenStream(ThreadState* s) {
  const uint32_t index = s->index;
  RingSlot* slot = g_image.ring(index);
  const int tid = ThreadId();
  slot->tid.store(tid, std::memory_order_release);
  const uint32_t streams_before = g_streams.fetch_add(1, std::memory_order_acq_rel);
  if (streams_before > 0) {
    g_recorder.exact.store(true, std::memory_order_seq_cst);
  }
  if (Sampling()) StartDraws(s, streams_before);
  s->ring.Attach(slot, g_image.ring_data(index),
                 g_image.header->ring_words.Words(index));
  s->bell_at = s->ring.head();
  s->stamp_at = s->ring.head() + kStampWords;
  s->look_at = 0;
  s->exit_rounds = 0;
  s->nested = nullptr;
  s->active = 1;
  s->busy = ThreadState::kRecording;
  if (s->ring.Reserve(3) || MakeRoom(s, 3, 0, false)) {
    s->ring.Put(PackExtended(Extended::kThread));
    s->ring.Put(static_cast<uint64_t>(tid));
    s->clock = ReadStamp(g_recorder.tsc);
    s->ring.Put(PackTime(s->clock));
    s->ring.Publish();
  }
  s->busy = ThreadState::kFree;
}

void CloseStream(ThreadState* s) {
  if (s->nested != nullptr && s->nested->active != 0) CloseStream(s->nested);
  FlushLost(s);
  CopyStats(s);
  s->active = 0;
  // First, so that the collector never takes the slot for a dead thread's.
  s->ring.slot()->tid.store(0, std::memory_order_relaxed);
  // Release: ring and state are the next owner's.
  s->ring.slot()->state.store(RingSlot::kFree, std::memory_order_release);
  uint32_t hint = g_free_hint.load(std::memory_order_relaxed);
  while (hint > s->index && !g_free_hint.compare_exchange_weak(
                                hint, s->index, std::memory_order_acq_rel)) {
  }
}

void CopyStats(ThreadState* s) {
  const WalkStats& stats = s->walker.stats();
  RingSlot* slot = s->ring.slot();
  slot->walks.store(stats.walks, std::memory_order_relaxed);
  slot->frames_walked.store(stats.frames_walked, std::memory_order_relaxed);
  slot->full_walks.store(stats.full_walks, std::memory_order_relaxed);
  g_image.header->private_bytes.store(sys::MappedBytes(),
                                      std::memory_order_relaxed);
}

void ReserveRings() {
  constexpr int kChunks = 4;  // 29 rings
  for (int chunk = 0; chunk < kChunks && MakeChunk(chunk); ++chunk) {
  }
}

void CountRingless(uint64_t bytes) {
  ImageHeader* const header = g_image.header;
  header->ringless_events.fetch_add(1, std::memory_order_relaxed);
  header->ringless_bytes.fetch_add(bytes, std::memory_order_relaxed);
}

}  // namespace mallogram
