// Gives the image its pages before the program touches them: a fault that has to
// make its page costs the program some microseconds, one that finds it there maps
// sixteen at once (the library reads before it writes: RingWriter::TouchAhead,
// StackTable::NewNode). Only ever a little ahead of what was recorded, whatever the
// image's counters claim: the program may have scribbled over them.
#pragma once

#include <cstdint>
#include <vector>

#include "preload/collector/image_view.h"

namespace mallogram {

class AllocateAhead {
 public:
  explicit AllocateAhead(const ImageView* image) : image_(image) {}

  // To be called in every round: a few compares when there is nothing to do.
  // `nodes`: stack nodes seen in records so far.
  void Advance(uint64_t nodes);

 private:
  void AdvanceNodes(uint64_t nodes);
  // Pages up to `wanted` bytes beyond `start`, at most `limit`; *done: so far.
  void Extend(char* start, uint64_t wanted, uint64_t limit, uint64_t* done);

  const ImageView* const image_;
  uint64_t nodes_done_ = 0;  // nodes whose pages are there
  std::vector<uint64_t> rings_done_;
};

}  // namespace mallogram
