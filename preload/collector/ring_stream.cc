#include "preload/collector/ring_stream.h"

#include <algorithm>

#include "preload/sys.h"

namespace mallogram {
namespace {

constexpr uint32_t Bit(RecordKind kind) {
  return 1u << static_cast<uint32_t>(kind);
}
constexpr uint32_t kTwoWordKinds =
    Bit(RecordKind::kAlloc) | Bit(RecordKind::kMoveEnd);
constexpr uint32_t kPlainKinds = kTwoWordKinds | Bit(RecordKind::kFree) |
                                 Bit(RecordKind::kMoveBegin) |
                                 Bit(RecordKind::kMoveFail);

}  // namespace

void RingStream::Attach(RingSlot* slot, const uint64_t* data, uint32_t ring_words) {
  reader_.Attach(slot, data, ring_words);
  released_ = woken_ = reader_.tail();
  release_step_ = ring_words / 8;
  wake_step_ = ring_words / 2;
}

bool RingStream::Decode() {
  next_ = count_ = 0;
  if (damaged_ || reader_.damaged()) [[unlikely]] {
    damaged_ = true;
    // Swallow whatever comes: the distance is whatever the program says.
    reader_.Skip(slot()->head.load(std::memory_order_acquire) - reader_.tail());
    return false;
  }
  uint32_t count = 0;
  while (count < kBatch && reader_.available() != 0 && !damaged_) {
    count += DecodePlain(&batch_[count], batch_.data() + kBatch);
    // What stopped it: another kind, the last word in one piece, or nothing.
    if (count < kBatch && reader_.available() != 0 && DecodeOne(&batch_[count])) {
      ++count;
    }
  }
  count_ = count;
  records_ += count;
  if (reader_.tail() - released_ >= release_step_) {
    reader_.Release();
    released_ = reader_.tail();
    if (released_ - woken_ >= wake_step_) WakeProducer();
  }
  return count != 0;
}

// Of the frequent kinds, as many as there are in one piece and fit. Without a
// branch on the kind: allocations and frees come as they like. (A record of one
// word gets for stack and size what happens to follow.)
uint32_t RingStream::DecodePlain(Record* const first, const Record* end) {
  uint64_t words = 0;
  const uint64_t* const begin = reader_.Contiguous(&words);
  // Of which the next word may be read, too.
  const uint64_t* const last = begin + words - 1;
  const uint64_t* word = begin;
  uint64_t clock = clock_, last_stamp = last_stamp_;
  Record* record = first;
  for (; record != end && word < last; ++record) {
    const uint64_t word0 = word[0], word1 = word[1];
    const auto kind = static_cast<uint32_t>(KindOf(word0));
    if ((kPlainKinds >> kind & 1) == 0) break;
    word += 1 + (kTwoWordKinds >> kind & 1);
    clock += TicksOf(word0) * kTickCycles;
    if (clock > last_stamp) last_stamp = clock;
    record->op = static_cast<RecordOp>(kind);
    record->stack = static_cast<uint32_t>(word1 & ((1u << kStackBits) - 1));
    record->stamp = last_stamp;
    record->address = AddressOf(word0);
    record->size = word1 >> kStackBits;
  }
  clock_ = clock;
  last_stamp_ = last_stamp;
  reader_.Skip(static_cast<uint64_t>(word - begin));
  return static_cast<uint32_t>(record - first);
}

bool RingStream::DecodeOne(Record* record) {
  const uint64_t word0 = reader_.Peek();
  const uint32_t words = WordsOf(word0);
  if (words == 0 || words > reader_.available()) {
    damaged_ = true;
    return false;
  }
  bool is_event = true;
  if (KindOf(word0) == RecordKind::kTime) {
    clock_ = StampOf(word0);
    is_event = false;
  } else if (KindOf(word0) == RecordKind::kExtended) {
    is_event = DecodeExtended(word0, record);
  } else {
    clock_ += TicksOf(word0) * kTickCycles;
    record->op = static_cast<RecordOp>(KindOf(word0));
    record->stamp = Stamp();
    record->address = AddressOf(word0);
    if (words == 2) {
      const uint64_t word1 = reader_.Peek(1);
      record->stack = static_cast<uint32_t>(word1 & ((1u << kStackBits) - 1));
      record->size = word1 >> kStackBits;
    }
  }
  reader_.Skip(words);
  return is_event;
}

bool RingStream::DecodeExtended(uint64_t word0, Record* record) {
  const uint32_t words = WordsOf(word0);
  const auto take = [&](RecordOp op, uint32_t needed) {
    if (words < needed) {
      damaged_ = true;
      return false;
    }
    record->op = op;
    record->stamp = Stamp();
    record->address = reader_.Peek(1);
    record->stack = 0;
    record->size = 0;
    if (needed == 4) {
      record->stack = static_cast<uint32_t>(reader_.Peek(2));
      record->size = reader_.Peek(3);
    } else if (needed == 3) {
      record->size = reader_.Peek(2);
    }
    return true;
  };
  const auto take_note = [&](uint32_t needed) {
    if (!take(RecordOp::kNote, needed)) return false;
    record->count = word0;
    return true;
  };
  switch (SubtypeOf(word0)) {
    case Extended::kThread:
      return take(RecordOp::kThread, 2);
    case Extended::kWideAlloc:
      return take(RecordOp::kAlloc, 4);
    case Extended::kWideFree:
      return take(RecordOp::kFree, 2);
    case Extended::kWideMoveBegin:
      return take(RecordOp::kMoveBegin, 2);
    case Extended::kWideMoveEnd:
      return take(RecordOp::kMoveEnd, 4);
    case Extended::kWideMoveFail:
      return take(RecordOp::kMoveFail, 2);
    case Extended::kLost:
      if (!take(RecordOp::kLost, 4)) return false;
      record->stack = static_cast<uint32_t>(reader_.Peek(1));
      record->count = reader_.Peek(2);
      return true;
    case Extended::kMoveOver:
      return take(RecordOp::kMoveOver, 2);
    case Extended::kMark:
      if (!take(RecordOp::kMark, 4)) return false;
      record->size = reader_.Peek(2);
      record->count = reader_.Peek(3);
      return true;
    case Extended::kScale:
    case Extended::kIgnore:
    case Extended::kPoolFree:
    case Extended::kPoolDestroy:
      return take_note(2);
    case Extended::kKind:
    case Extended::kPoolCreate:
      return take_note(3);
    case Extended::kFreeNote:
    case Extended::kPoolAlloc:
      return take_note(4);
    case Extended::kUnfollowed:
      return take(RecordOp::kUnfollowed, 2);
  }
  return false;  // a later version's: its length is known, so skip it
}

void RingStream::Release() {
  if (reader_.tail() == woken_) return;
  reader_.Release();
  released_ = reader_.tail();
  WakeProducer();
}

void RingStream::WakeProducer() {
  woken_ = released_;
  // Pairs with the producer, which says that it waits and then looks at tail once
  // more: one of the two sees the other.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (slot()->producer_waits.load(std::memory_order_relaxed) != 0) {
    slot()->tail_futex.fetch_add(1, std::memory_order_seq_cst);
    sys::FutexWake(&slot()->tail_futex, 1);
  }
}

}  // namespace mallogram
