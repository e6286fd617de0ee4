// One ring as a stream of decoded records with absolute stamps. Works on any
// memory that holds a RingSlot and its words; tests use the heap.
//
// Decodes ahead, a batch at a time, so that the caller's map lookups can be
// prefetched, and gives the room back to the producer as soon as it has decoded.
//
// Nothing in the ring is trusted: a word that starts no record, a record that is
// not there whole or an impossible head make the stream `damaged` for good; from
// then on its words are thrown away as they come, so the program never stalls.
#pragma once

#include <array>
#include <cstdint>

#include "preload/ring.h"

namespace mallogram {

// The first are RecordKind's.
enum class RecordOp : uint32_t {
  kAlloc = static_cast<uint32_t>(RecordKind::kAlloc),
  kFree = static_cast<uint32_t>(RecordKind::kFree),
  kMoveBegin = static_cast<uint32_t>(RecordKind::kMoveBegin),
  kMoveEnd = static_cast<uint32_t>(RecordKind::kMoveEnd),
  kMoveFail = static_cast<uint32_t>(RecordKind::kMoveFail),
  kMoveOver,    // the move ended in a block that is not followed (sampling)
  kLost,        // `count` allocations of together `size` bytes at `stack`
  kThread,      // the records that follow are of thread `address`
  kMark,        // a phase begins: its name are the bytes of address, size and count
  kNote,        // about the block at `address`, or none; `count` is its word 0
  kUnfollowed,  // the block at `address` is not recorded, nor will its free be
};

// What an op has no use for is left over from another record.
struct Record {
  RecordOp op = RecordOp::kAlloc;
  uint32_t stack = 0;
  uint64_t stamp = 0;  // never falls within a stream
  uint64_t address = 0;
  uint64_t size = 0;
  uint64_t count = 0;
};

class RingStream {
 public:
  // 32 made blocks freed at random out of a million cost a tenth more.
  static constexpr uint32_t kBatch = 64;

  void Attach(RingSlot* slot, const uint64_t* data, uint32_t ring_words);

  // Takes note of what the producer has published by now.
  void Refresh() { reader_.Refresh(); }

  // The oldest record not yet popped, of those published before the last
  // Refresh; nullptr if there is none.
  const Record* Head() {
    if (next_ == count_ && !Decode()) return nullptr;
    return &batch_[next_];
  }
  void Pop() { ++next_; }
  // Pops all before `record`, one of the decoded.
  void PopBefore(const Record* record) {
    next_ = static_cast<uint32_t>(record - batch_.data());
  }

  // True if the head opens a newly decoded batch: time to prefetch for all of it.
  bool at_batch_start() const { return next_ == 0; }
  // The batch from the head on: those popped next.
  const Record* decoded_begin() const { return batch_.data() + next_; }
  const Record* decoded_end() const { return batch_.data() + count_; }

  // True if Head() gave, or would give after a Refresh, a record.
  bool HasWork() const {
    return next_ != count_ ||
           slot()->head.load(std::memory_order_relaxed) != reader_.tail();
  }

  // Gives the room of all decoded records back and wakes the producer if it waits.
  // To be called at the end of a round. Decode() does the first now and then, the
  // second when half the ring is free: woken for less the producer would be asleep
  // again after a few microseconds, for the price of two context switches.
  void Release();

  bool damaged() const { return damaged_; }
  RingSlot* slot() const { return reader_.slot(); }
  uint64_t records() const { return records_; }

 private:
  // Fills the batch with what is readable. False: nothing.
  bool Decode();
  uint32_t DecodePlain(Record* first, const Record* end);
  // Any record at the reader's position into *record. False: it carried no event
  // (time, marks) or damaged() was found.
  bool DecodeOne(Record* record);
  bool DecodeExtended(uint64_t word0, Record* record);
  void WakeProducer();
  // The stream's stamp at the clock as it stands: a thread that moved to a CPU
  // whose TSC lags a little stays in its own order.
  uint64_t Stamp() {
    if (clock_ > last_stamp_) last_stamp_ = clock_;
    return last_stamp_;
  }

  RingReader reader_;
  uint64_t released_ = 0;  // tail as the producer knows it
  uint64_t woken_ = 0;     // tail when the producer was last looked after
  uint64_t release_step_ = 0, wake_step_ = 0;
  uint64_t clock_ = 0;       // the producer's, as its records tell it
  uint64_t last_stamp_ = 0;  // highest so far
  uint64_t records_ = 0;
  uint32_t next_ = 0, count_ = 0;
  bool damaged_ = false;
  std::array<Record, kBatch> batch_;
};

}  // namespace mallogram
