#include "preload/collector/order.h"

#include <algorithm>

namespace mallogram {

namespace {

// A stamp this far beyond the horizon is damage; its program must not wait for it.
constexpr uint64_t kAbsurdlyFar = uint64_t{1} << 40;

uint64_t DueOf(const Record& record, uint64_t horizon) {
  const bool absurd =
      record.stamp > horizon && record.stamp - horizon > kAbsurdlyFar;
  return absurd ? horizon : record.stamp;
}

// Does the record need its address to be live?
bool Frees(const Record& record) {
  return record.op == RecordOp::kFree || record.op == RecordOp::kMoveBegin;
}

}  // namespace

uint32_t Orderer::AddStream(RingSlot* slot, const uint64_t* data,
                            uint32_t ring_words) {
  streams_.push_back(std::make_unique<Stream>());
  Stream& s = *streams_.back();
  s.index = static_cast<uint32_t>(streams_.size() - 1);
  s.ring.Attach(slot, data, ring_words);
  return s.index;
}

void Orderer::Refresh() {
  for (const auto& s : streams_) s->ring.Refresh();
}

bool Orderer::HasWork() const {
  for (const auto& s : streams_) {
    if (s->ring.HasWork()) return true;
  }
  return false;
}

uint64_t Orderer::records() const {
  uint64_t sum = 0;
  for (const auto& s : streams_) sum += s->ring.records();
  return sum;
}

uint32_t Orderer::damaged_streams() const {
  uint32_t sum = 0;
  for (const auto& s : streams_) sum += s->ring.damaged() ? 1 : 0;
  return sum;
}

uint64_t Orderer::Process(uint64_t horizon, bool alone) {
  const uint64_t before = records();
  if (alone && streams_.size() == 1) {
    ProcessAlone(streams_[0].get());
  } else {
    Merge(horizon);
  }
  for (const auto& s : streams_) s->ring.Release();
  return records() - before;
}

// The map's buckets for a newly decoded batch: their cache misses overlap.
void Orderer::Prefetch(Stream* s) {
  if (!s->ring.at_batch_start()) return;
  const Record* const end = s->ring.decoded_end();
  for (const Record* r = s->ring.decoded_begin(); r != end; ++r) {
    live_.PrefetchPage(r->address);
  }
  for (const Record* r = s->ring.decoded_begin(); r != end; ++r) {
    live_.PrefetchBlock(r->address);
  }
}

void Orderer::ProcessAlone(Stream* s) {
  while (const Record* record = s->ring.Head()) {
    Prefetch(s);
    const Record* const end = s->ring.decoded_end();
    for (; record != end; ++record) {
      Apply(s, *record, /*force=*/true);
      s->ring.Pop();
    }
    s->blocked = false;
  }
}

void Orderer::Enqueue(Stream* s) { queue_.push({s->due, s->index}); }

void Orderer::Merge(uint64_t horizon) {
  // Entries of an earlier round are out of date.
  queue_ = {};
  for (const auto& s : streams_) {
    const Record* record = s->ring.Head();
    if (record == nullptr) continue;
    if (!s->blocked) s->due = DueOf(*record, horizon);
    Enqueue(s.get());
  }
  while (!queue_.empty()) {
    const Due top = queue_.top();
    if (top.due > horizon) return;
    queue_.pop();
    Stream* const s = streams_[top.stream].get();
    const Record* record = s->ring.Head();
    // A blocked stream that was let go has a newer, earlier entry.
    if (record == nullptr || top.due != s->due) continue;

    if (s->blocked) {
      if (!s->extended && PartnerWaits(*s)) {
        s->extended = true;
        s->due += kFreePatience;
        Enqueue(s);
        continue;
      }
      s->blocked = s->extended = false;
      blocked_.erase(std::find(blocked_.begin(), blocked_.end(), s));
      Apply(s, *record, /*force=*/true);
      s->ring.Pop();
      record = s->ring.Head();
    }
    // As long as this stream is the oldest, it goes on without the queue.
    while (record != nullptr) {
      Prefetch(s);
      s->due = DueOf(*record, horizon);
      if (s->due > horizon || (!queue_.empty() && s->due > queue_.top().due)) {
        Enqueue(s);
        break;
      }
      if (!Apply(s, *record, /*force=*/false)) {
        Block(s, *record);
        break;
      }
      s->ring.Pop();
      record = s->ring.Head();
    }
  }
}

// Does what `s` waits for stand behind another stream's waiting record? Only skew
// can make that one give up later than `s`, so only what is close is looked at.
bool Orderer::PartnerWaits(const Stream& s) {
  const Record& waiting = *s.ring.decoded_begin();
  const bool frees = Frees(waiting);
  for (Stream* other : blocked_) {
    if (other == &s) continue;
    const Record* const end = other->ring.decoded_end();
    for (const Record* r = other->ring.decoded_begin(); r != end; ++r) {
      if (r->stamp > waiting.stamp + kMaxSkew) break;
      if (r->address == waiting.address && Frees(*r) != frees) return true;
    }
  }
  return false;
}

void Orderer::Block(Stream* s, const Record& record) {
  s->blocked = true;
  s->due += Frees(record) ? kFreePatience : kAllocPatience;
  blocked_.push_back(s);
  Enqueue(s);
}

void Orderer::Unblock(uint64_t address) {
  const bool live = live_.Contains(address);
  Stream* first = nullptr;
  const Record* first_record = nullptr;
  for (Stream* s : blocked_) {
    const Record* record = s->ring.Head();
    if (record->address != address || Frees(*record) != live) continue;
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

bool Orderer::Apply(Stream* s, const Record& record, bool force) {
  switch (record.op) {
    case RecordOp::kAlloc:
    case RecordOp::kMoveEnd:
      if (!ApplyBlock(s, record, force)) return false;
      break;
    case RecordOp::kFree: {
      const uint32_t slot = live_.Take(record.address);
      if (slot != LiveMap::kNone) {
        sink_->Free(s->index, slot, record.stamp);
      } else if (force) {
        sink_->FreeUnknown(s->index, record.stamp);
      } else {
        return false;
      }
      break;
    }
    case RecordOp::kMoveBegin: {
      const uint32_t slot = live_.Take(record.address);
      if (slot == LiveMap::kNone && !force) return false;
      AbandonMove(s, record.stamp);
      s->moving = true;
      s->moving_slot = slot;
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
      if (s->moving && s->moving_slot != LiveMap::kNone) {
        sink_->Free(s->index, s->moving_slot, record.stamp);
      }
      s->moving = false;
      return true;
    case RecordOp::kLost:
      sink_->Lose(s->index, record);
      return true;
    case RecordOp::kThread:
      AbandonMove(s, record.stamp);
      sink_->StartThread(s->index, static_cast<int64_t>(record.address),
                         record.stamp);
      return true;
  }
  if (!blocked_.empty()) [[unlikely]]
    Unblock(record.address);
  return true;
}

bool Orderer::ApplyBlock(Stream* s, const Record& record, bool force) {
  uint32_t* slot = live_.Insert(record.address);
  if (slot == nullptr) [[unlikely]] {
    if (!force) return false;
    ++violations_;
    sink_->Free(s->index, live_.Take(record.address), record.stamp);
    slot = live_.Insert(record.address);
  }
  if (record.op == RecordOp::kMoveEnd && s->moving) {
    s->moving = false;
    if (s->moving_slot != LiveMap::kNone) {
      *slot = sink_->Move(s->index, s->moving_slot, record);
      return true;
    }
    sink_->FreeUnknown(s->index, record.stamp);
  }
  *slot = sink_->Allocate(s->index, record);
  return true;
}

// A realloc that never ended: the thread left it (by a longjmp out of a signal
// handler, say) or died in it. Which of the two blocks exists is not known; the
// old address is free to be given out again, so the old block counts as freed.
void Orderer::AbandonMove(Stream* s, uint64_t stamp) {
  if (!s->moving) return;
  s->moving = false;
  if (s->moving_slot == LiveMap::kNone) return;
  ++violations_;
  sink_->Free(s->index, s->moving_slot, stamp);
}

}  // namespace mallogram
