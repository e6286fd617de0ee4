// Rings for tests: written as the recorder writes them, in plain memory.
#pragma once

#include <memory>
#include <vector>

#include "preload/ring.h"

namespace mallogram {

// Puts records with stamps that the test chooses.
class RecordWriter {
 public:
  void Attach(RingSlot* slot, uint64_t* data, uint32_t words) {
    ring_.Attach(slot, data, words);
  }
  // Room for anything?
  bool HasRoom() { return ring_.Reserve(kMaxRecordWords + 1); }
  void Thread(int tid, uint64_t stamp) {
    ring_.Put(PackExtended(Extended::kThread));
    ring_.Put(static_cast<uint64_t>(tid));
    Time(stamp);
  }
  void Time(uint64_t stamp) {
    clock_ = stamp;
    ring_.Put(PackTime(stamp));
  }
  // As in the time of the only thread: the event carries no stamp of its own.
  void Unstamped(RecordKind kind, uint64_t address) {
    ring_.Put(PackWord0(kind, 0, address));
  }
  void Block(RecordKind kind, uint64_t stamp, uint64_t address, uint32_t stack,
             uint64_t size) {
    const uint64_t ticks = Ticks(stamp);
    if (address % 8 == 0 && address < kMaxInlineAddress && size <= kMaxInlineSize) {
      ring_.Put(PackWord0(kind, ticks, address));
      ring_.Put(PackStackSize(stack, size));
      return;
    }
    Time(stamp);
    ring_.Put(PackExtended(kind == RecordKind::kAlloc ? Extended::kWideAlloc
                                                      : Extended::kWideMoveEnd));
    for (const uint64_t word : {address, uint64_t{stack}, size}) ring_.Put(word);
  }
  void Address(RecordKind kind, uint64_t stamp, uint64_t address) {
    const uint64_t ticks = Ticks(stamp);
    if (address % 8 == 0 && address < kMaxInlineAddress) {
      ring_.Put(PackWord0(kind, ticks, address));
      return;
    }
    Time(stamp);
    ring_.Put(PackExtended(kind == RecordKind::kFree ? Extended::kWideFree
                           : kind == RecordKind::kMoveBegin
                               ? Extended::kWideMoveBegin
                               : Extended::kWideMoveFail));
    ring_.Put(address);
  }
  void Put(uint64_t word) { ring_.Put(word); }
  void Publish() { ring_.Publish(); }

 private:
  uint64_t Ticks(uint64_t stamp) {
    const uint64_t ticks = (stamp - clock_) / kTickCycles;
    if (ticks <= kMaxTicks) {  // huge if the stamp falls
      clock_ += ticks * kTickCycles;
      return ticks;
    }
    Time(stamp);
    return 0;
  }

  RingWriter ring_;
  uint64_t clock_ = 0;
};

// A ring of its own memory.
struct TestRing {
  explicit TestRing(uint32_t ring_words = 1024)
      : words(ring_words),
        slot(std::make_unique<RingSlot>()),
        data(std::make_unique<uint64_t[]>(ring_words)) {
    writer.Attach(slot.get(), data.get(), words);
  }
  uint32_t words;
  std::unique_ptr<RingSlot> slot;
  std::unique_ptr<uint64_t[]> data;
  RecordWriter writer;
};

}  // namespace mallogram
