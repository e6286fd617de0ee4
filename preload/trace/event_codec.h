// kEvents payloads: a batch of events in global order, stored as columns
// (kinds, threads, stacks, sizes, freed slots, times). Each column repeats itself
// where the program loops.
//
// A payload is self-contained but for the meaning of slots, which needs every
// batch before it.
//
//   payload := first_event event_count start_ns column*
//   column  := byte length, bytes
//     kinds    one byte an event (EventKind)
//     runs     (thread index, events) pairs
//     stacks   varint per allocation, move or loss
//     sizes    varint per allocation or move; loss: count, bytes
//     frees    zigzag varint per free or move: slot - previous freed slot
//     times    (events since the last anchor, ns since the last anchor) pairs
//
// Times are kept as anchors and interpolated linearly between them; an anchor
// is written every kAnchorEvents events and wherever interpolation would be off
// by more than kAnchorErrorNs. The order of events is exact either way.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "preload/trace/records.h"
#include "preload/trace_format.h"

namespace mallogram {

enum class EventKind : uint8_t {
  kAlloc = 0,
  kFree = 1,
  kMove = 2,         // realloc of a recorded block: frees `slot`, then allocates
  kFreeUnknown = 3,  // of a block that was never recorded (inherited by fork,
                     // allocated before the recording or in a dropped event)
  kLost = 4,         // allocations dropped at `stack`: size = bytes, count
};

struct Event {
  EventKind kind = EventKind::kAlloc;
  uint32_t thread = 0;   // Thread.index
  uint32_t slot = 0;     // kFree, kMove: the block released (see HeapModel)
  uint32_t stack = 0;    // kAlloc, kMove, kLost: Stack id of the call
  uint64_t size = 0;     // kAlloc, kMove: bytes requested; kLost: bytes
  uint64_t count = 1;    // kLost: allocations
  uint64_t time_ns = 0;  // precision: see above
};

inline constexpr uint32_t kAnchorEvents = 64;
inline constexpr uint64_t kAnchorErrorNs = 20'000;

// Times must not fall (one that does is taken as the one before).
class EventEncoder {
 public:
  EventEncoder() { MakeRoom(); }

  // Any event; the next two are short for the frequent ones. True once in about
  // kAnchorEvents events: time to look at approximate_bytes().
  bool Add(const Event& event);
  bool AddAlloc(uint32_t thread, uint32_t stack, uint64_t size, uint64_t time_ns) {
    Begin(EventKind::kAlloc, thread);
    stacks_.Varint(stack);
    sizes_.Varint(size);
    return End(time_ns);
  }
  bool AddFree(uint32_t thread, uint32_t slot, uint64_t time_ns) {
    Begin(EventKind::kFree, thread);
    Freed(slot);
    return End(time_ns);
  }

  uint64_t event_count() const { return count_; }  // in this batch
  uint64_t first_event() const {
    return first_event_;
  }                                  // the batch's first one's number
  size_t approximate_bytes() const;  // of the payload as it stands
  uint64_t start_ns() const { return start_ns_; }
  uint64_t end_ns() const { return last_ns_; }

  // The payload; the encoder goes on with the next batch.
  std::string Take();

 private:
  // Columns have room for kRoomEvents. It is made again when an anchor is due and
  // half of them have come, so that adding an event need not look. An event puts at
  // most two anchors of two numbers into a column.
  static constexpr uint64_t kRoomEvents = 2 * kAnchorEvents + 2;
  static constexpr size_t kRoomBytes = kRoomEvents * 4 * kMaxVarintBytes;
  // What lies so close to its anchor needs no arithmetic, see event_codec.cc.
  static constexpr uint64_t kNearNs = kAnchorErrorNs / 4;

  class Column {
   public:
    void Varint(uint64_t value) { end_ = EncodeVarint(value, end_); }
    void Byte(uint8_t value) { *end_++ = value; }
    void MakeRoom();
    size_t size() const { return static_cast<size_t>(end_ - bytes_.get()); }
    void Clear() { end_ = bytes_.get(); }
    std::string_view view() const {
      return {reinterpret_cast<const char*>(bytes_.get()), size()};
    }

   private:
    std::unique_ptr<unsigned char[]> bytes_;
    unsigned char* end_ = nullptr;
    size_t capacity_ = 0;
  };

  void Begin(EventKind kind, uint32_t thread) {
    kinds_.Byte(static_cast<uint8_t>(kind));
    if (thread != thread_) {
      EndRun();
      thread_ = thread;
    }
  }
  void Freed(uint32_t slot) {
    frees_.Varint(ZigZag(static_cast<int64_t>(slot) - previous_slot_));
    previous_slot_ = slot;
  }
  bool End(uint64_t ns) {
    if (ns < last_ns_) [[unlikely]]
      ns = last_ns_;
    bool checked = false;
    if (ns - anchor_ns_ > kNearNs || count_ >= anchor_due_) [[unlikely]]
      checked = AddTimeSlow(ns);
    last_ns_ = ns;
    ++count_;
    return checked;
  }
  void EndRun() {
    if (count_ == run_start_) return;
    runs_.Varint(thread_);
    runs_.Varint(count_ - run_start_);
    run_start_ = count_;
  }
  void MakeRoom();
  bool AddTimeSlow(uint64_t ns);
  void AddTime(uint64_t ns);
  void Anchor(uint64_t event, uint64_t ns);

  Column kinds_, runs_, stacks_, sizes_, frees_, times_;
  uint64_t count_ = 0, first_event_ = 0, room_until_ = 0;
  uint64_t start_ns_ = 0, last_ns_ = 0;
  // Open run of events of one thread.
  uint32_t thread_ = 0;
  uint64_t run_start_ = 0;
  int64_t previous_slot_ = 0;
  // The last anchor, the event that has to be one, and the cone of slopes.
  uint64_t anchor_event_ = 0, anchor_ns_ = 0, anchor_due_ = 0;
  bool near_ = true;  // all since the anchor have been near it
  double low_ = 0, high_ = 0;
};

// Reads one payload. Usage: Init, then Next until it returns false, then
// status(): OK at the end of the batch, DataLoss if the payload is malformed.
//
// Numbers of up to four bytes are read without a branch on their length, which no
// predictor guesses (tools/bench --only reading).
class EventDecoder {
 public:
  absl::Status Init(std::string_view payload);  // must outlive the decoder

  bool Next(Event* event) { return Next(event, NoHints()); }
  // The same, and says which slots come: `hints.Far(slot)` kAhead releases before
  // the slot's turn, `hints.Near(slot)` half as many. A heap that is released at
  // random is a cache miss an event otherwise.
  template <typename Hints>
  bool Next(Event* event, const Hints& hints);

  const absl::Status& status() const { return status_; }
  uint64_t first_event() const { return first_event_; }
  uint64_t event_count() const { return event_count_; }

 private:
  static constexpr uint32_t kAhead = 16;
  struct NoHints {
    void Far(uint32_t) const {}
    void Near(uint32_t) const {}
  };
  struct Column {
    const unsigned char* p = nullptr;
    const unsigned char* end = nullptr;
  };
  static bool Read(Column* column, uint64_t* value);
  template <typename Hints>
  bool TakeSlot(uint32_t* slot, const Hints& hints);
  bool NextRun();
  bool NextAnchor();
  bool AtEnd();
  bool Malformed();

  Column kinds_, runs_, stacks_, sizes_, frees_, times_;
  uint64_t first_event_ = 0, event_count_ = 0, done_ = 0;
  uint64_t run_left_ = 0;
  uint32_t thread_ = 0;
  // Slots read ahead: those of the releases [slots_taken_, slots_read_).
  uint32_t slots_[kAhead];
  uint64_t slots_taken_ = 0, slots_read_ = 0, previous_slot_ = 0;
  // Interpolation: event number and time of the anchors around the event.
  uint64_t anchor_event_ = 0, anchor_ns_ = 0, next_event_ = 0, next_ns_ = 0;
  double slope_ = 0;
  absl::Status status_;
};

// ---- hot path -------------------------------------------------------------

inline bool EventDecoder::Read(Column* column, uint64_t* value) {
  const unsigned char* p = column->p;
  if (column->end - p >= 4) [[likely]] {
    uint32_t word;
    std::memcpy(&word, p, sizeof(word));
    const uint32_t ends = ~word & 0x80808080u;
    if (ends != 0) [[likely]] {
      const int last_bit = __builtin_ctz(ends);
      word &= (2u << last_bit) - 1;
      *value = (word & 0x7f) | (word >> 1 & 0x3f80) | (word >> 2 & 0x1fc000) |
               (word >> 3 & 0xfe00000);
      column->p = p + (last_bit + 1) / 8;
      return true;
    }
  }
  p = DecodeVarint(p, column->end, value);
  if (p == nullptr) return false;
  column->p = p;
  return true;
}

// Keeps kAhead slots read. What cannot be read is an error when its turn comes.
template <typename Hints>
inline bool EventDecoder::TakeSlot(uint32_t* slot, const Hints& hints) {
  while (slots_read_ < slots_taken_ + kAhead) {
    uint64_t value = 0;
    if (!Read(&frees_, &value)) break;
    // Modulo 2^64; what is no slot is refused by its range.
    previous_slot_ += static_cast<uint64_t>(UnZigZag(value));
    if (previous_slot_ > UINT32_MAX) break;
    slots_[slots_read_++ % kAhead] = static_cast<uint32_t>(previous_slot_);
    hints.Far(static_cast<uint32_t>(previous_slot_));
  }
  if (slots_taken_ == slots_read_) return false;
  *slot = slots_[slots_taken_++ % kAhead];
  const uint64_t near = slots_taken_ + kAhead / 2;
  if (near < slots_read_) hints.Near(slots_[near % kAhead]);
  return true;
}

template <typename Hints>
inline bool EventDecoder::Next(Event* event, const Hints& hints) {
  if (done_ == event_count_) [[unlikely]]
    return AtEnd();
  if (run_left_ == 0 && !NextRun()) [[unlikely]]
    return Malformed();
  --run_left_;
  const auto kind = static_cast<EventKind>(*kinds_.p++);
  event->kind = kind;
  event->thread = thread_;
  event->slot = 0;
  event->stack = 0;
  event->size = 0;
  event->count = 1;
  if (kind > EventKind::kLost) [[unlikely]]
    return Malformed();
  if (kind == EventKind::kFree || kind == EventKind::kMove) {
    if (!TakeSlot(&event->slot, hints)) [[unlikely]]
      return Malformed();
  }
  if (kind != EventKind::kFree && kind != EventKind::kFreeUnknown) {
    uint64_t stack = 0;
    if (!Read(&stacks_, &stack) || stack >= kMaxStackIds) [[unlikely]]
      return Malformed();
    event->stack = static_cast<uint32_t>(stack);
    if (kind == EventKind::kLost && !Read(&sizes_, &event->count)) [[unlikely]]
      return Malformed();
    if (!Read(&sizes_, &event->size)) [[unlikely]]
      return Malformed();
  }

  if (done_ == next_event_) {
    // An anchor itself: its time is exact. The line after it starts here.
    event->time_ns = next_ns_;
    if (done_ + 1 < event_count_ && !NextAnchor()) [[unlikely]]
      return Malformed();
  } else {
    // Signed, because that is one instruction; times are below 2^62.
    event->time_ns =
        anchor_ns_ + static_cast<uint64_t>(static_cast<int64_t>(
                         slope_ * static_cast<double>(static_cast<int64_t>(
                                      done_ - anchor_event_))));
  }
  ++done_;
  return true;
}

}  // namespace mallogram
