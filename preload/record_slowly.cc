// What an event costs once in a while: waiting for room, the doorbell, stamps, wide
// records, and the counting of what is dropped.
#include "preload/may_call.h"
#include "preload/recorder_parts.h"
#include "preload/sys.h"

namespace mallogram {

namespace {

constexpr uint64_t kWaitSliceNs = 100'000'000;
constexpr int kAttachSlices = 100;  // 10 s for a collector to appear at all
// Looks at a full ring where no call may be made: about a tenth of a second for a
// block, after which it is dropped; ten seconds for the end of one, since a block
// whose free is lost would look like a leak.
constexpr uint32_t kMostLooks = 1 << 22, kMostLooksForFree = 1u << 28;

// Ring words between two looks at the doorbell.
uint64_t BellStep(const RingWriter& ring) {
  const uint64_t eighth = ring.capacity() / 8;
  return eighth < RingWriter::kFaultWords ? eighth : RingWriter::kFaultWords;
}

// Wakes a sleeping collector once the ring is half full; looked at every eighth of
// the ring at most, so the shared line is touched rarely.
void LookAtBell(ThreadState* s) {
  ImageHeader* header = g_recorder.header;
  CopyStats(s);
  FlushLost(s);
  const uint64_t tail = s->ring.slot()->tail.load(std::memory_order_acquire);
  const uint64_t used = s->ring.head() - tail;
  const uint64_t half = s->ring.capacity() / 2;
  if (used >= half) {
    // Orders Publish before the look at collector_sleeps (the collector does the
    // two the other way round).
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (header->collector_sleeps.load(std::memory_order_relaxed) != 0) {
      header->doorbell.fetch_add(1, std::memory_order_release);
      if (MayCall()) sys::FutexWake(&header->doorbell, 1);
    }
    if (CollectorDied(*header)) StopRecording("the collector died");
  }
  const uint64_t step = BellStep(s->ring);
  s->bell_at = s->ring.head() + step;
  s->ring.TouchAhead(step);
}

// Stamps the next record: its ticks, or a kTime record before it. REQUIRES: room
// for that one, too.
uint64_t StampNext(ThreadState* s) {
  const bool exact = g_recorder.exact.load(std::memory_order_relaxed);
  if (!exact && s->ring.head() < s->stamp_at) return 0;
  s->stamp_at = s->ring.head() + kStampWords;
  const uint64_t now = ReadStamp(g_recorder.tsc);
  const uint64_t ticks = (now - s->clock) / kTickCycles;
  if (exact && ticks <= kMaxTicks) {  // huge if now < clock
    s->clock += ticks * kTickCycles;
    return ticks;
  }
  s->clock = now;
  s->ring.Put(PackTime(now));
  return 0;
}

// What kAlloc and its kin cannot hold: odd or very high addresses, 64 GiB and
// more. Always with a stamp of its own, since it has no ticks field.
void PutWide(ThreadState* s, RecordKind kind, const void* p, uint32_t stack,
             uint64_t size) {
  s->clock = ReadStamp(g_recorder.tsc);
  s->ring.Put(PackTime(s->clock));
  Extended subtype = Extended::kWideFree;
  switch (kind) {
    case RecordKind::kAlloc:
      subtype = Extended::kWideAlloc;
      break;
    case RecordKind::kMoveBegin:
      subtype = Extended::kWideMoveBegin;
      break;
    case RecordKind::kMoveEnd:
      subtype = Extended::kWideMoveEnd;
      break;
    case RecordKind::kMoveFail:
      subtype = Extended::kWideMoveFail;
      break;
    default:
      break;
  }
  const bool block = kind == RecordKind::kAlloc || kind == RecordKind::kMoveEnd;
  s->ring.Put(PackExtended(subtype));
  s->ring.Put(reinterpret_cast<uint64_t>(p));
  if (block) {
    s->ring.Put(stack);
    s->ring.Put(size);
  }
}

// Waits for room where sleep is out of the question: the collector looks at such a
// process more often. False: it took too long.
bool SpinForRoom(ThreadState* s, uint32_t words, uint32_t keep_free, bool block) {
  const uint32_t most = block ? kMostLooks : kMostLooksForFree;
  for (uint32_t i = 0; i < most; ++i) {
    if (s->ring.Reserve(words, keep_free)) return true;
    if (CollectorDied(*g_recorder.header)) return false;
    __builtin_ia32_pause();
  }
  return false;
}

// False: the collector is gone.
bool SleepForRoom(ThreadState* s, uint32_t words, uint32_t keep_free) {
  ImageHeader* header = g_recorder.header;
  RingSlot* slot = s->ring.slot();
  bool room = false;
  for (int slices = 0; !room && MayCall(); ++slices) {
    // The handshake with the collector (modelled in tests/preload/ring.pml): say
    // that we wait, then look again; the collector stores tail, then looks at us.
    slot->producer_waits.store(1, std::memory_order_seq_cst);
    const uint32_t expected = slot->tail_futex.load(std::memory_order_seq_cst);
    room = s->ring.Reserve(words, keep_free);
    if (room) break;
    header->doorbell.fetch_add(1, std::memory_order_seq_cst);
    if (header->collector_sleeps.load(std::memory_order_seq_cst) != 0) {
      sys::FutexWake(&header->doorbell, 1);
    }
    if (CollectorDied(*header) ||
        (slices > kAttachSlices && !CollectorAttached(*header))) {
      break;
    }
    sys::FutexWait(&slot->tail_futex, expected, kWaitSliceNs);
    room = s->ring.Reserve(words, keep_free);
  }
  slot->producer_waits.store(0, std::memory_order_relaxed);
  return room;
}

}  // namespace

bool MakeRoom(ThreadState* s, uint32_t words, uint32_t keep_free, bool block) {
  RingSlot* slot = s->ring.slot();
  if (g_recorder.drop && keep_free != 0) return false;
  const uint64_t start = ReadStamp(g_recorder.tsc);
  const bool sleeps = MayCall();
  bool room = sleeps && SleepForRoom(s, words, keep_free);
  const bool lost = !room && sleeps && MayCall();
  // A filter may have been installed by another thread meanwhile.
  if (!room && !lost) room = SpinForRoom(s, words, keep_free, block);
  slot->waits.fetch_add(1, std::memory_order_relaxed);
  slot->wait_ticks.fetch_add(ReadStamp(g_recorder.tsc) - start,
                             std::memory_order_relaxed);
  if (lost || CollectorDied(*g_recorder.header)) {
    StopRecording("the collector died");
    s->active = 0;  // recording is off: no further event of this thread tries
    t_state = nullptr;
    return false;
  }
  // From here on as with --on-full drop: the caller counts a block, and the slot
  // anything else.
  if (!room && !block) slot->lost_events.fetch_add(1, std::memory_order_relaxed);
  return room;
}

void FlushLost(ThreadState* s) {
  LostTable* const lost = &s->lost;
  if (lost->used == 0) return;
  for (uint32_t i = 0; i < lost->used; ++i) {
    if (!s->ring.Reserve(WordsOf(Extended::kLost), s->ring.reserved_for_frees())) {
      // The rest moves to the front and waits for the next occasion.
      for (uint32_t j = i; j < lost->used; ++j) {
        lost->entries[j - i] = lost->entries[j];
      }
      lost->used -= i;
      return;
    }
    const LostTable::Entry& entry = lost->entries[i];
    s->ring.Put(PackExtended(Extended::kLost));
    s->ring.Put(entry.stack);
    s->ring.Put(entry.count);
    s->ring.Put(entry.bytes);
    s->ring.Publish();
  }
  lost->used = 0;
}

void CountLost(ThreadState* s, uint32_t stack, uint64_t bytes) {
  if (s->active == 0) return;
  RingSlot* slot = s->ring.slot();
  slot->lost_events.fetch_add(1, std::memory_order_relaxed);
  slot->lost_bytes.fetch_add(bytes, std::memory_order_relaxed);
  LostTable* const lost = &s->lost;
  for (uint32_t i = 0; i < lost->used; ++i) {
    if (lost->entries[i].stack == stack) {
      ++lost->entries[i].count;
      lost->entries[i].bytes += bytes;
      return;
    }
  }
  // More stacks than entries: the last entry collects the rest without a stack.
  if (lost->used < LostTable::kEntries) {
    const bool last = lost->used == LostTable::kEntries - 1;
    lost->entries[lost->used++] = {last ? kRootUnknown : stack, 1, bytes};
  } else {
    ++lost->entries[LostTable::kEntries - 1].count;
    lost->entries[LostTable::kEntries - 1].bytes += bytes;
  }
}

void RecordSlowly(ThreadState* s, RecordKind kind, const void* p, uint32_t stack,
                  uint64_t size) {
  constexpr uint32_t kWords = kMaxRecordWords + 1;  // with a kTime record
  // In drop mode a part of the ring is kept for frees and the ends of moves.
  const uint32_t reserve = g_recorder.drop ? s->ring.reserved_for_frees() : 0;
  const uint32_t keep = kind == RecordKind::kAlloc ? reserve : 0;
  const bool block = kind == RecordKind::kAlloc || kind == RecordKind::kMoveEnd;
  if (!s->ring.Reserve(kWords, keep) && !MakeRoom(s, kWords, keep, block)) {
    if (block) CountLost(s, stack, size);
    return;
  }
  if (FitsWord(p) && size <= kMaxInlineSize) {
    const uint64_t ticks = StampNext(s);
    s->ring.Put(PackWord0(kind, ticks, reinterpret_cast<uint64_t>(p)));
    if (block) s->ring.Put(PackStackSize(stack, size));
  } else {
    PutWide(s, kind, p, stack, size);
  }
  s->ring.Publish();
  if (s->ring.head() >= s->bell_at) LookAtBell(s);
  // Whatever comes first. In exact mode no stamp is due, but a look now and then
  // does no harm.
  s->look_at = s->ring.room_until(kWords, reserve);
  if (s->bell_at < s->look_at) s->look_at = s->bell_at;
  if (s->stamp_at < s->look_at) s->look_at = s->stamp_at;
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

}  // namespace mallogram
