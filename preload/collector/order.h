// From rings to one sequence of events in which every block has one owner at a
// time (DESIGN.md D5).
//
// Order. Streams are merged by stamp. Stamps of different CPUs may be skewed a
// little and a thread may be interrupted between taking a stamp and publishing
// the record, so the stamps propose and the addresses dispose: an allocation of an
// address that is still live waits for its free, a free of an address that is not
// live waits for its allocation. Waiting means that the whole stream stands still
// (its own order is never touched) while others go on. The oldest event that is
// not yet processed never has to wait, so streams cannot block one another for
// good.
//
// Waiting ends without success when the merge has passed the record's stamp by its
// patience: then the partner was never recorded. A free becomes an unknown free; an
// allocation is an order violation: the old block is taken as freed.
//
// Horizon. The caller reads the clock before it reads any ring's head, and only
// records stamped up to then are processed. That closes the set: what must come
// before a record was published before that record was stamped, hence before
// the heads were read. With a single stream there is nothing to order and no
// horizon.
//
// Moves (realloc) free their old address when they begin, so its next owner may
// come before the move's end is seen; the block itself keeps its slot and changes
// hands at the end.
//
// Blocks that are not recorded (a thread that pauses) hold their addresses as
// others do, under no slot: neither they nor their frees reach the sink.
//
// Single-threaded.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "preload/collector/live_map.h"
#include "preload/collector/ring_stream.h"

namespace mallogram {

// Receives the ordered events. `stream` is the index that AddStream returned;
// blocks are named by what Allocate and Move return. A parameter, not an interface:
// six calls an event cost as much as what they did.
template <typename T>
concept EventSink = requires(T sink, uint32_t stream, uint32_t slot,
                             uint64_t address, uint64_t stamp, int64_t tid,
                             const Record& record) {
  { sink.Allocate(stream, record) } -> std::same_as<uint32_t>;
  sink.Free(stream, slot, stamp);
  { sink.Move(stream, slot, record) } -> std::same_as<uint32_t>;
  sink.FreeUnknown(stream, address, stamp);
  sink.Lose(stream, record);
  sink.Mark(stream, record);
  // `slot`: of the block at the record's address, LiveMap::kNone or kUnfollowed.
  sink.Note(stream, slot, record);
  sink.StartThread(stream, tid, stamp);
  // The block of this slot will be freed soon, and then again: sooner.
  sink.Prefetch(slot);
  sink.PrefetchMore(slot);
};

template <EventSink Sink>
class Orderer {
 public:
  // In stamp units (TSC ticks or nanoseconds). Skew of one machine's TSCs is far
  // below a microsecond; a partner that is late for other reasons was not
  // published, which the horizon sees to. A missing free should not happen at all,
  // so allocations wait longer.
  static constexpr uint64_t kMaxSkew = 1 << 12;
  static constexpr uint64_t kFreePatience = 1 << 17;
  static constexpr uint64_t kAllocPatience = 1 << 21;
  static constexpr uint64_t kNoHorizon = UINT64_MAX;

  explicit Orderer(Sink* sink) : sink_(sink) {}

  uint32_t AddStream(RingSlot* slot, const uint64_t* data, uint32_t ring_words);
  uint32_t stream_count() const { return static_cast<uint32_t>(streams_.size()); }
  const RingStream& stream(uint32_t i) const { return streams_[i]->ring; }

  // Reads all heads. Then Process, with a horizon taken before, handles all that
  // is due and gives the room back; returns the number of records taken.
  // `alone`: this was the process's only ring even after its head was read.
  void Refresh();
  uint64_t Process(uint64_t horizon, bool alone);

  bool HasWork() const;
  uint64_t violations() const { return violations_; }
  uint64_t live_blocks() const { return live_.size(); }
  const LiveMap& live() const { return live_; }
  uint64_t records() const;
  uint32_t damaged_streams() const;

 private:
  struct Stream {
    RingStream ring;
    uint32_t index = 0;
    // A realloc under way: the block, or kNone if it was not known.
    bool moving = false;
    uint32_t moving_slot = LiveMap::kNone;
    uint64_t moving_from = 0;
    // The head record waits for another stream.
    bool blocked = false;
    bool extended = false;  // has been granted patience twice, see PartnerWaits
    uint64_t due = 0;       // merge key: the head's stamp, or when patience ends
  };
  struct Due {
    uint64_t due;
    uint32_t stream;
    bool operator>(const Due& other) const {
      return due != other.due ? due > other.due : stream > other.stream;
    }
  };

  void Prefetch(const Record* begin, const Record* end) const;
  void ProcessAlone(Stream* s);
  void Merge(uint64_t horizon);
  bool MergeFrom(Stream* s, uint64_t horizon);
  bool MergeRun(Stream* s, uint64_t horizon);
  void Enqueue(Stream* s);
  void SiftDown();
  // False: the record has to wait (and nothing was done). With kForce it is
  // done whatever it takes.
  template <bool kForce>
  bool Apply(Stream* s, const Record& record);
  template <bool kForce>
  bool ApplyOther(Stream* s, const Record& record);
  void ApplyForced(Stream* s, const Record& record);
  uint32_t* Evict(Stream* s, const Record& record);
  bool PartnerWaits(const Stream& s);
  void Block(Stream* s, const Record& record);
  // The state of `address` has changed: whoever waited for it may go on.
  void Unblock(uint64_t address);
  void AbandonMove(Stream* s, uint64_t stamp);

  // With fewer blocks alive the tables are in the cache, and prefetching costs more
  // than it saves.
  static constexpr uint64_t kPrefetchBlocks = 8192;

  Sink* const sink_;
  LiveMap live_;
  std::vector<std::unique_ptr<Stream>> streams_;
  // A heap, the oldest on top; while that one's records are applied, {} stands
  // there.
  std::vector<Due> queue_;
  uint64_t limit_ = 0;  // the queue's oldest, or the horizon
  std::vector<Stream*> blocked_;
  uint64_t violations_ = 0;
};

}  // namespace mallogram

#include "preload/collector/order_inl.h"
