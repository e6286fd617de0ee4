// kEvents payloads: a batch of events in global order, stored as columns
// (kinds, threads, stacks, sizes, freed slots, times), each of which repeats
// itself where the program loops.
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
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
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

class EventEncoder {
 public:
  EventEncoder();
  ~EventEncoder();

  // Times must not fall (one that does is taken as the one before).
  void Add(const Event& event);

  uint64_t event_count() const;      // in this batch
  uint64_t first_event() const;      // number of the batch's first event
  size_t approximate_bytes() const;  // of the payload as it stands
  uint64_t start_ns() const;
  uint64_t end_ns() const;

  // The payload; the encoder goes on with the next batch.
  std::string Take();

 private:
  struct Columns;
  std::unique_ptr<Columns> columns_;
};

// Reads one payload. Usage: Init, then Next until it returns false, then
// status(): OK at the end of the batch, DataLoss if the payload is malformed.
class EventDecoder {
 public:
  absl::Status Init(std::string_view payload);  // must outlive the decoder
  bool Next(Event* event);
  const absl::Status& status() const { return status_; }
  uint64_t first_event() const { return first_event_; }
  uint64_t event_count() const { return event_count_; }

 private:
  struct Column {
    const unsigned char* p = nullptr;
    const unsigned char* end = nullptr;
  };
  bool Read(Column* column, uint64_t* value);
  bool NextRun();
  bool NextAnchor();
  bool Malformed();

  Column kinds_, runs_, stacks_, sizes_, frees_, times_;
  uint64_t first_event_ = 0, event_count_ = 0, done_ = 0;
  uint64_t run_left_ = 0;
  uint32_t thread_ = 0;
  uint64_t previous_slot_ = 0;
  // Interpolation: event number and time of the anchors around the event.
  uint64_t anchor_event_ = 0, anchor_ns_ = 0, next_event_ = 0, next_ns_ = 0;
  double slope_ = 0;
  absl::Status status_;
};

}  // namespace mallogram
