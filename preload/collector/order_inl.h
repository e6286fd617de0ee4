// The bodies of order.h, for those who know the sink: the whole way of an event is
// one function to the compiler.
//
// What it costs, ring to compressed chunk, idle machine (a virtual Xeon, TSC 2.6
// GHz): 15 ns an event in a loop of pairs, 23–27 ns merged from 2 or 8 threads
// whose events alternate, 25 ns at random among 10,000 blocks, 50–65 ns at random
// among a million (tests/collector/drain_benchmark). With virtual calls, a
// std::priority_queue and a compare per thread and record, it was 33, 38–42, 44 and
// 190.
#pragma once

#include "preload/collector/order.h"  // IWYU pragma: keep

namespace mallogram {
namespace order {

// A stamp this far beyond the horizon is damage; its program must not wait for it.
inline constexpr uint64_t kAbsurdlyFar = uint64_t{1} << 40;

inline uint64_t DueOf(const Record& record, uint64_t horizon) {
  const bool absurd =
      record.stamp > horizon && record.stamp - horizon > kAbsurdlyFar;
  return absurd ? horizon : record.stamp;
}

// Does the record need its address to be live?
inline bool Frees(const Record& record) {
  return record.op == RecordOp::kFree || record.op == RecordOp::kMoveBegin;
}

}  // namespace order

template <EventSink Sink>
uint32_t Orderer<Sink>::AddStream(RingSlot* slot, const uint64_t* data,
                                  uint32_t ring_words) {
  streams_.push_back(std::make_unique<Stream>());
  Stream& s = *streams_.back();
  s.index = static_cast<uint32_t>(streams_.size() - 1);
  s.ring.Attach(slot, data, ring_words);
  return s.index;
}

template <EventSink Sink>
void Orderer<Sink>::Refresh() {
  for (const auto& s : streams_) s->ring.Refresh();
}

template <EventSink Sink>
bool Orderer<Sink>::HasWork() const {
  for (const auto& s : streams_) {
    if (s->ring.HasWork()) return true;
  }
  return false;
}

template <EventSink Sink>
uint64_t Orderer<Sink>::records() const {
  uint64_t sum = 0;
  for (const auto& s : streams_) sum += s->ring.records();
  return sum;
}

template <EventSink Sink>
uint32_t Orderer<Sink>::damaged_streams() const {
  uint32_t sum = 0;
  for (const auto& s : streams_) sum += s->ring.damaged() ? 1 : 0;
  return sum;
}

template <EventSink Sink>
uint64_t Orderer<Sink>::Process(uint64_t horizon, bool alone) {
  const uint64_t before = records();
  if (alone && streams_.size() == 1) {
    ProcessAlone(streams_[0].get());
  } else {
    Merge(horizon);
  }
  for (const auto& s : streams_) s->ring.Release();
  return records() - before;
}

// Four steps, so that the cache misses of a batch overlap: the map's pages, its
// blocks, the heap's blocks, their sites.
template <EventSink Sink>
void Orderer<Sink>::Prefetch(const Record* begin, const Record* end) const {
  if (live_.size() < kPrefetchBlocks) return;
  for (const Record* r = begin; r != end; ++r) live_.PrefetchPage(r->address);
  for (const Record* r = begin; r != end; ++r) live_.PrefetchBlock(r->address);
  uint32_t slots[RingStream::kBatch];
  uint32_t count = 0;
  for (const Record* r = begin; r != end; ++r) {
    if (!order::Frees(*r)) continue;
    const uint32_t slot = live_.Find(r->address);
    if (slot == LiveMap::kNone) continue;
    sink_->Prefetch(slot);
    slots[count++] = slot;
  }
  for (uint32_t i = 0; i < count; ++i) sink_->PrefetchMore(slots[i]);
}

template <EventSink Sink>
void Orderer<Sink>::ProcessAlone(Stream* s) {
  while (const Record* record = s->ring.Head()) {
    const Record* const end = s->ring.decoded_end();
    Prefetch(record, end);
    for (; record != end; ++record) Apply<true>(s, *record);
    s->ring.PopBefore(end);
    s->blocked = false;
  }
}

template <EventSink Sink>
void Orderer<Sink>::Enqueue(Stream* s) {
  queue_.push_back({s->due, s->index});
  std::push_heap(queue_.begin(), queue_.end(), std::greater<Due>());
  limit_ = std::min(limit_, s->due);
}

// The top has changed: it finds its place.
template <EventSink Sink>
void Orderer<Sink>::SiftDown() {
  const size_t size = queue_.size();
  Due* const queue = queue_.data();
  const Due moved = queue[0];
  size_t at = 0;
  for (size_t child = 1; child < size; child = 2 * at + 1) {
    if (child + 1 < size && queue[child] > queue[child + 1]) ++child;
    if (!(moved > queue[child])) break;
    queue[at] = queue[child];
    at = child;
  }
  queue[at] = moved;
}

template <EventSink Sink>
void Orderer<Sink>::Merge(uint64_t horizon) {
  // Entries of an earlier round are out of date.
  queue_.clear();
  for (const auto& s : streams_) {
    const Record* record = s->ring.Head();
    if (record == nullptr) continue;
    if (!s->blocked) s->due = order::DueOf(*record, horizon);
    Enqueue(s.get());
  }
  while (!queue_.empty() && queue_[0].due <= horizon) {
    const Due top = std::exchange(queue_[0], {});
    Stream* const s = streams_[top.stream].get();
    limit_ = horizon;
    for (size_t child = 1; child <= 2 && child < queue_.size(); ++child) {
      limit_ = std::min(limit_, queue_[child].due);
    }
    // A blocked stream that was let go has a newer, earlier entry.
    const bool valid = top.due == s->due && s->ring.Head() != nullptr;
    if (valid && MergeFrom(s, horizon)) {
      queue_[0] = {s->due, s->index};
    } else {
      queue_[0] = queue_.back();
      queue_.pop_back();
      if (queue_.empty()) break;
    }
    SiftDown();
  }
}

// The stream is the oldest. True: it is to be looked at again when it is due.
template <EventSink Sink>
bool Orderer<Sink>::MergeFrom(Stream* s, uint64_t horizon) {
  if (s->blocked) [[unlikely]] {
    if (!s->extended && PartnerWaits(*s)) {
      s->extended = true;
      s->due += kFreePatience;
      return true;
    }
    s->blocked = s->extended = false;
    blocked_.erase(std::find(blocked_.begin(), blocked_.end(), s));
    ApplyForced(s, *s->ring.Head());
    s->ring.Pop();
  }
  return MergeRun(s, horizon);
}

// As long as no other stream is older, this one goes on without the queue. Whoever
// is let go meanwhile lowers the limit.
template <EventSink Sink>
bool Orderer<Sink>::MergeRun(Stream* s, uint64_t horizon) {
  while (const Record* record = s->ring.Head()) {
    const Record* const end = s->ring.decoded_end();
    if (s->ring.at_batch_start()) Prefetch(record, end);
    for (; record != end; ++record) {
      if (record->stamp > limit_) {
        s->due = order::DueOf(*record, horizon);
        if (s->due > limit_) {
          s->ring.PopBefore(record);
          return true;
        }
      }
      if (!Apply<false>(s, *record)) [[unlikely]] {
        s->due = order::DueOf(*record, horizon);
        s->ring.PopBefore(record);
        Block(s, *record);
        return true;
      }
    }
    s->ring.PopBefore(end);
  }
  return false;
}

template <EventSink Sink>
void Orderer<Sink>::ApplyForced(Stream* s, const Record& record) {
  Apply<true>(s, record);
}

// Does what `s` waits for stand behind another stream's waiting record? Only skew
// can make that one give up later than `s`, so only what is close is looked at.
template <EventSink Sink>
bool Orderer<Sink>::PartnerWaits(const Stream& s) {
  const Record& waiting = *s.ring.decoded_begin();
  const bool frees = order::Frees(waiting);
  for (Stream* other : blocked_) {
    if (other == &s) continue;
    const Record* const end = other->ring.decoded_end();
    for (const Record* r = other->ring.decoded_begin(); r != end; ++r) {
      if (r->stamp > waiting.stamp + kMaxSkew) break;
      if (r->address == waiting.address && order::Frees(*r) != frees) return true;
    }
  }
  return false;
}

template <EventSink Sink>
void Orderer<Sink>::Block(Stream* s, const Record& record) {
  s->blocked = true;
  s->due += order::Frees(record) ? kFreePatience : kAllocPatience;
  blocked_.push_back(s);
}

template <EventSink Sink>
void Orderer<Sink>::Unblock(uint64_t address) {
  const bool live = live_.Contains(address);
  Stream* first = nullptr;
  const Record* first_record = nullptr;
  for (Stream* s : blocked_) {
    const Record* record = s->ring.Head();
    if (record->address != address || order::Frees(*record) != live) continue;
    if (first == nullptr || record->stamp < first_record->stamp) {
      first = s;
      first_record = record;
    }
  }
  if (first == nullptr) return;
  blocked_.erase(std::find(blocked_.begin(), blocked_.end(), first));
  first->blocked = first->extended = false;
  first->due = std::min(first->due, first_record->stamp);
  Enqueue(first);
}

template <EventSink Sink>
template <bool kForce>
[[gnu::always_inline]] inline bool Orderer<Sink>::Apply(Stream* s,
                                                        const Record& record) {
  if (record.op == RecordOp::kAlloc) {
    uint32_t* slot = live_.Insert(record.address);
    if (slot == nullptr) [[unlikely]] {
      if (!kForce) return false;
      slot = Evict(s, record);
    }
    *slot = sink_->Allocate(s->index, record);
  } else if (record.op == RecordOp::kFree) {
    const uint32_t slot = live_.Take(record.address);
    if (slot >= LiveMap::kUnfollowed) [[unlikely]] {
      if (slot == LiveMap::kNone) {
        if (!kForce) return false;
        sink_->FreeUnknown(s->index, record.address, record.stamp);
      }
    } else {
      sink_->Free(s->index, slot, record.stamp);
    }
  } else {
    return ApplyOther<kForce>(s, record);
  }
  if (!blocked_.empty()) [[unlikely]]
    Unblock(record.address);
  return true;
}

template <EventSink Sink>
template <bool kForce>
[[gnu::noinline]] bool Orderer<Sink>::ApplyOther(Stream* s, const Record& record) {
  switch (record.op) {
    case RecordOp::kAlloc:
    case RecordOp::kFree:
      break;  // Apply's
    case RecordOp::kMoveBegin: {
      const uint32_t slot = live_.Take(record.address);
      if (slot == LiveMap::kNone && !kForce) return false;
      AbandonMove(s, record.stamp);
      s->moving = true;
      s->moving_slot = slot;
      s->moving_from = record.address;
      break;
    }
    case RecordOp::kMoveEnd: {
      uint32_t* slot = live_.Insert(record.address);
      if (slot == nullptr) {
        if (!kForce) return false;
        slot = Evict(s, record);
      }
      if (s->moving && s->moving_slot < LiveMap::kUnfollowed) {
        *slot = sink_->Move(s->index, s->moving_slot, record);
      } else {
        if (s->moving && s->moving_slot == LiveMap::kNone)
          sink_->FreeUnknown(s->index, s->moving_from, record.stamp);
        *slot = sink_->Allocate(s->index, record);
      }
      s->moving = false;
      break;
    }
    case RecordOp::kMoveFail:
      // The block never left its address, so nobody else can have it.
      if (s->moving && s->moving_slot != LiveMap::kNone) {
        if (uint32_t* slot = live_.Insert(record.address)) {
          *slot = s->moving_slot;
          s->moving = false;
        } else {
          AbandonMove(s, record.stamp);
        }
      }
      s->moving = false;
      break;
    case RecordOp::kMoveOver:
      // Its address was taken when the move began.
      if (s->moving && s->moving_slot < LiveMap::kUnfollowed) {
        sink_->Free(s->index, s->moving_slot, record.stamp);
      }
      s->moving = false;
      return true;
    case RecordOp::kNote:
      sink_->Note(s->index, live_.Find(record.address), record);
      return true;
    case RecordOp::kUnfollowed: {
      uint32_t* slot = live_.Insert(record.address);
      if (slot == nullptr) {
        if (!kForce) return false;
        slot = Evict(s, record);
      }
      *slot = LiveMap::kUnfollowed;
      sink_->Note(s->index, LiveMap::kUnfollowed, record);
      break;
    }
    case RecordOp::kLost:
      sink_->Lose(s->index, record);
      return true;
    case RecordOp::kMark:
      sink_->Mark(s->index, record);
      return true;
    case RecordOp::kThread:
      AbandonMove(s, record.stamp);
      sink_->StartThread(s->index, static_cast<int64_t>(record.address),
                         record.stamp);
      return true;
  }
  if (!blocked_.empty()) Unblock(record.address);
  return true;
}

// The address has an owner whose free was never recorded.
template <EventSink Sink>
[[gnu::noinline]] uint32_t* Orderer<Sink>::Evict(Stream* s, const Record& record) {
  ++violations_;
  const uint32_t slot = live_.Take(record.address);
  if (slot < LiveMap::kUnfollowed) sink_->Free(s->index, slot, record.stamp);
  return live_.Insert(record.address);
}

// A realloc that never ended: the thread left it (by a longjmp out of a signal
// handler, say) or died in it. Which of the two blocks exists is not known; the
// old address is free to be given out again, so the old block counts as freed.
template <EventSink Sink>
void Orderer<Sink>::AbandonMove(Stream* s, uint64_t stamp) {
  if (!s->moving) return;
  s->moving = false;
  if (s->moving_slot >= LiveMap::kUnfollowed) return;
  ++violations_;
  sink_->Free(s->index, s->moving_slot, stamp);
}

}  // namespace mallogram
