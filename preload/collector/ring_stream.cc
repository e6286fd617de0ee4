#include "preload/collector/ring_stream.h"

#include "preload/sys.h"

namespace mallogram {
namespace {

// kTime carries 61 bits; the rest of the range is kept free so that sums of
// stamps and waiting times cannot overflow.
constexpr uint64_t kMaxStamp = (uint64_t{1} << 61) - 1;

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
  while (count_ < kBatch && reader_.available() != 0) {
    if (DecodeOne(&batch_[count_])) ++count_;
    if (damaged_) [[unlikely]]
      break;
  }
  records_ += count_;
  if (reader_.tail() - released_ >= release_step_) {
    reader_.Release();
    released_ = reader_.tail();
    if (released_ - woken_ >= wake_step_) WakeProducer();
  }
  return count_ != 0;
}

bool RingStream::DecodeOne(Record* record) {
  const uint64_t word0 = reader_.Peek();
  const uint32_t words = WordsOf(word0);
  if (words == 0 || words > reader_.available()) [[unlikely]] {
    damaged_ = true;
    return false;
  }
  const RecordKind kind = KindOf(word0);
  if (kind == RecordKind::kTime) {
    clock_ = StampOf(word0);
    reader_.Skip(1);
    return false;
  }
  if (kind == RecordKind::kExtended) [[unlikely]] {
    const bool is_event = DecodeExtended(word0, record);
    reader_.Skip(words);
    return is_event;
  }
  if (clock_ < kMaxStamp) clock_ += TicksOf(word0) * kTickCycles;
  record->stamp = Stamp();
  record->address = AddressOf(word0);
  switch (kind) {
    case RecordKind::kAlloc:
    case RecordKind::kMoveEnd: {
      const uint64_t word1 = reader_.Peek(1);
      record->op =
          kind == RecordKind::kAlloc ? RecordOp::kAlloc : RecordOp::kMoveEnd;
      record->stack = static_cast<uint32_t>(word1 & ((1u << kStackBits) - 1));
      record->size = word1 >> kStackBits;
      break;
    }
    case RecordKind::kFree:
      record->op = RecordOp::kFree;
      break;
    case RecordKind::kMoveBegin:
      record->op = RecordOp::kMoveBegin;
      break;
    default:
      record->op = RecordOp::kMoveFail;
      break;
  }
  reader_.Skip(words);
  return true;
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
    }
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
      return false;
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
