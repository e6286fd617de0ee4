// The per-thread ring: single producer (the thread that owns the slot), single
// consumer (the collector's drain thread), no locks, no system call unless full.
//
// Guarantees, each with a test in tests/preload:
//   1. A record is seen whole or not at all: the consumer reads only below
//      `head`, which is stored (release) after the record's last word. A
//      producer killed in the middle leaves words above head, which nobody reads.
//   2. Nothing unread is overwritten: the producer writes only below
//      `tail + ring_words`, tail being stored (release) after the consumer's
//      last read of the words below it.
//   3. Record order is program order; records may wrap, words never tear.
//   4. A full ring is the caller's decision (record_slowly.cc: wait or drop). Where
//      records are dropped, allocations leave a quarter of the ring
//      (reserved_for_frees) to frees and the ends of moves, so that loss never
//      looks like a leak.
//
// Memory orders: head.store(release) pairs with head.load(acquire) in
// RingReader::Refresh; it also publishes the StackNodes and ModuleSlots that the
// record names, since the thread wrote them or read them (acquire) before.
// tail.store(release) pairs with tail.load(acquire) in RingWriter::Reserve.
// The protocol is model-checked: tests/preload/ring.pml (spin).
//
// Tried and lost: non-temporal stores (movnti), even without the fence that Publish
// would need: micro 22 against 23 ns a pair, xmllint 63 against 41 ms added.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "preload/block_kind.h"
#include "preload/image.h"

namespace mallogram {

// ---- record grammar -------------------------------------------------------
//
// word 0:  kind : 3 | ticks : 17 | address >> 3 : 44            (bits 0…63)
//
//   kind        words  further words               meaning
//   kAlloc      2      stack : 28 | size : 36       block returned to the program
//   kFree       1                                   about to be freed
//   kMoveBegin  1                                   realloc is about to be called
//   kMoveEnd    2      stack : 28 | size : 36       it returned this block (may be
//                                                   the same address)
//   kMoveFail   1                                   it failed: the old block lives
//   kTime       1      (bits 3…63: stamp)           absolute stamp, this record's
//   kExtended   n      bits 3…7 subtype, 8…15 words  see Extended
//
// `ticks` × kTickCycles is added to the thread's clock, which a kTime record
// sets. Stamps are exact (one per event, ordered across threads to within the
// skew of the TSC) once the process has had a second thread; before that there
// is a kTime record every kStampWords words or so and ticks are 0: with one
// thread the order is the ring's, and reading the clock would be a large part of an
// event's cost.

enum class RecordKind : uint32_t {
  kNone = 0,  // zero memory is not a record
  kAlloc = 1,
  kFree = 2,
  kMoveBegin = 3,
  kMoveEnd = 4,
  kMoveFail = 5,
  kTime = 6,
  kExtended = 7,
};

enum class Extended : uint32_t {
  kThread = 1,         // words: w0, tid. A new owner's records follow.
  kWideAlloc = 2,      // w0, address, stack, size: what does not fit kAlloc
  kWideFree = 3,       // w0, address
  kWideMoveBegin = 4,  // w0, address
  kWideMoveEnd = 5,    // w0, address, stack, size
  kWideMoveFail = 6,   // w0, address
  kLost = 7,           // w0, stack, count, bytes: allocations dropped at this stack
  kMark = 8,           // w0, name (24 bytes, zeros at the end): trace/marks.h
  kMoveOver = 9,       // w0, address: realloc returned a block that is not followed
  kScale = 10,         // w0, double: of the mark that follows
  kKind = 11,        // w0 + kind, alignment; address, size: of the block that this
                     // thread recorded last
  kFreeNote = 12,    // w0 + kind, alignment, told size?; address, stack, size: of a
                     // kFree or kMoveBegin that this thread records next
  kUnfollowed = 13,  // w0, address: a block that is not recorded (paused)
  kIgnore = 14,      // w0, address: no leak, says the program
  kPoolCreate = 15,  // w0 + pool, name (16 bytes): client/mallogram.h
  kPoolAlloc = 16,   // w0 + pool, address, stack, size
  kPoolFree = 17,    // w0 + pool, address
  kPoolDestroy = 18,  // w0 + pool, 0
};

inline constexpr int kKindBits = 3;
inline constexpr int kTicksBits = 17;
inline constexpr int kAddressShift = kKindBits + kTicksBits;
inline constexpr uint64_t kTickCycles = 4;
inline constexpr uint64_t kMaxTicks = (1u << kTicksBits) - 1;
inline constexpr int kStackBits = 28;
inline constexpr uint64_t kMaxInlineSize = (uint64_t{1} << 36) - 1;
inline constexpr uint64_t kMaxInlineAddress = uint64_t{1} << 47;
inline constexpr uint32_t kMaxRecordWords = 4;
inline constexpr uint32_t kStampWords = 96;  // 48 to 96 events

constexpr uint64_t PackWord0(RecordKind kind, uint64_t ticks, uint64_t address) {
  return static_cast<uint64_t>(kind) | ticks << kKindBits |
         (address >> 3) << kAddressShift;
}
constexpr uint64_t PackStackSize(uint32_t stack, uint64_t size) {
  return stack | size << kStackBits;
}
constexpr uint64_t PackTime(uint64_t stamp) {
  return static_cast<uint64_t>(RecordKind::kTime) | stamp << kKindBits;
}
// Length of a record of this subtype; 0: there is none such.
constexpr uint32_t WordsOf(Extended subtype) {
  switch (subtype) {
    case Extended::kThread:
    case Extended::kWideFree:
    case Extended::kWideMoveBegin:
    case Extended::kWideMoveFail:
    case Extended::kMoveOver:
    case Extended::kScale:
    case Extended::kUnfollowed:
    case Extended::kIgnore:
    case Extended::kPoolFree:
    case Extended::kPoolDestroy:
      return 2;
    case Extended::kKind:
    case Extended::kPoolCreate:
      return 3;
    case Extended::kWideAlloc:
    case Extended::kWideMoveEnd:
    case Extended::kLost:
    case Extended::kMark:
    case Extended::kFreeNote:
    case Extended::kPoolAlloc:
      return 4;
  }
  return 0;
}
constexpr uint64_t PackExtended(Extended subtype, uint32_t words) {
  return static_cast<uint64_t>(RecordKind::kExtended) |
         static_cast<uint64_t>(subtype) << 3 | uint64_t{words} << 8;
}
constexpr uint64_t PackExtended(Extended subtype) {
  return PackExtended(subtype, WordsOf(subtype));
}
// Extended records' word 0 has room for more: bits 16…23 BlockKind, 24…31 binary
// logarithm of the alignment (0: the usual one), 32 whether a size was told.
constexpr uint64_t PackNote(BlockKind kind, uint32_t alignment_log2,
                            bool told_size = false) {
  return static_cast<uint64_t>(kind) << 16 | uint64_t{alignment_log2} << 24 |
         uint64_t{told_size} << 32;
}
constexpr BlockKind NoteKind(uint64_t word0) {
  const uint64_t kind = (word0 >> 16) & 255;
  return kind < kBlockKinds ? static_cast<BlockKind>(kind) : BlockKind::kUnknown;
}
constexpr uint32_t NoteAlignmentLog2(uint64_t word0) { return (word0 >> 24) & 63; }
constexpr bool NoteTellsSize(uint64_t word0) { return (word0 >> 32 & 1) != 0; }
// Bits 16…47: a pool's number.
constexpr uint64_t PackPool(uint32_t pool) { return uint64_t{pool} << 16; }
constexpr uint32_t PoolOf(uint64_t word0) {
  return static_cast<uint32_t>(word0 >> 16);
}
constexpr RecordKind KindOf(uint64_t word0) {
  return static_cast<RecordKind>(word0 & 7);
}
constexpr uint64_t TicksOf(uint64_t word0) {
  return (word0 >> kKindBits) & kMaxTicks;
}
constexpr uint64_t AddressOf(uint64_t word0) {
  return (word0 >> kAddressShift) << 3;
}
constexpr uint64_t StampOf(uint64_t time_word) { return time_word >> kKindBits; }
constexpr Extended SubtypeOf(uint64_t word0) {
  return static_cast<Extended>((word0 >> 3) & 31);
}
// Length of the record that starts with word0; 0 if no record starts so.
constexpr uint32_t WordsOf(uint64_t word0) {
  switch (KindOf(word0)) {
    case RecordKind::kAlloc:
    case RecordKind::kMoveEnd:
      return 2;
    case RecordKind::kFree:
    case RecordKind::kMoveBegin:
    case RecordKind::kMoveFail:
    case RecordKind::kTime:
      return 1;
    case RecordKind::kExtended: {
      const uint32_t words = (word0 >> 8) & 255;
      return words <= kMaxRecordWords ? words : 0;
    }
    case RecordKind::kNone:
      break;
  }
  return 0;
}

// ---- producer -------------------------------------------------------------

// Lives in the thread's private state. Usage: Reserve, Put words, Publish.
class RingWriter {
 public:
  // Takes over `slot` where its previous owner left it.
  void Attach(RingSlot* slot, uint64_t* data, uint32_t ring_words) {
    slot_ = slot;
    data_ = data;
    mask_ = ring_words - 1;
    capacity_ = ring_words;
    reserve_ = ring_words / 4;
    // Relaxed: ownership was acquired through slot->state.
    head_ = slot->head.load(std::memory_order_relaxed);
    tail_ = slot->tail.load(std::memory_order_acquire);
  }

  // True if `words` more fit, `keep_free` of the ring left over. Cost when true
  // at once: one compare on private memory; the shared tail is re-read (one
  // cache line moved from the collector) only when the known room runs out.
  bool Reserve(uint32_t words, uint32_t keep_free = 0) {
    if (head_ + words + keep_free <= tail_ + capacity_) [[likely]]
      return true;
    tail_ = slot_->tail.load(std::memory_order_acquire);
    return head_ + words + keep_free <= tail_ + capacity_;
  }

  // REQUIRES: reserved.
  void Put(uint64_t word) { data_[head_++ & mask_] = word; }

  // Makes everything Put so far visible. One plain store on x86.
  void Publish() { slot_->head.store(head_, std::memory_order_release); }

  // On the first lap, reads where the next `words` will be written: a read fault
  // maps all pages around that the collector has made, a write fault one.
  static constexpr uint64_t kFaultWords = (64 << 10) / 8;
  void TouchAhead(uint64_t words) const {
    for (uint64_t at = head_; at < head_ + words && at < capacity_;
         at += kFaultWords) {
      static_cast<void>(*static_cast<const volatile uint64_t*>(&data_[at]));
    }
  }

  // Up to this position Reserve(words, keep_free) would be true at once.
  uint64_t room_until(uint32_t words, uint32_t keep_free) const {
    return tail_ + capacity_ - words - keep_free + 1;
  }

  uint64_t head() const { return head_; }
  uint32_t reserved_for_frees() const { return reserve_; }
  RingSlot* slot() const { return slot_; }
  uint32_t capacity() const { return capacity_; }

 private:
  uint64_t head_, tail_;
  uint64_t* data_;
  RingSlot* slot_;
  uint32_t mask_, capacity_, reserve_;
};

// ---- consumer -------------------------------------------------------------

// Reads one ring. Word-wise, because records wrap and the producer is not
// trusted to have written sane ones.
class RingReader {
 public:
  void Attach(RingSlot* slot, const uint64_t* data, uint32_t ring_words) {
    slot_ = slot;
    data_ = data;
    mask_ = ring_words - 1;
    tail_ = slot->tail.load(std::memory_order_relaxed);
    head_ = tail_;
  }

  // Looks for new records; returns how many words are readable. A head that is
  // impossible (beyond a full ring) is taken as damage: nothing readable.
  uint64_t Refresh() {
    const uint64_t head = slot_->head.load(std::memory_order_acquire);
    if (head - tail_ > uint64_t{mask_} + 1) {
      damaged_ = true;
      return head_ - tail_;
    }
    head_ = head;
    return head_ - tail_;
  }

  uint64_t available() const { return head_ - tail_; }
  uint64_t Peek(uint64_t offset = 0) const {
    return data_[(tail_ + offset) & mask_];
  }
  // The readable words up to where the ring wraps.
  const uint64_t* Contiguous(uint64_t* words) const {
    const uint64_t at = tail_ & mask_;
    *words = std::min(available(), mask_ + 1 - at);
    return data_ + at;
  }
  // Consumes locally; the producer sees the room after Release().
  void Skip(uint64_t words) { tail_ += words; }
  void Release() { slot_->tail.store(tail_, std::memory_order_release); }
  bool damaged() const { return damaged_; }
  uint64_t tail() const { return tail_; }
  RingSlot* slot() const { return slot_; }

 private:
  uint64_t head_ = 0, tail_ = 0;
  const uint64_t* data_ = nullptr;
  RingSlot* slot_ = nullptr;
  uint32_t mask_ = 0;
  bool damaged_ = false;
};

}  // namespace mallogram
