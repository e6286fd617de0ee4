// Hints for EventDecoder::Next while folding into a HeapModel: starts loading the
// blocks that the events to come will release.
#pragma once

#include <cstdint>

#include "preload/trace/heap_model.h"

namespace mallogram {

struct FetchAhead {
  const HeapModel& heap;
  [[gnu::always_inline]] void Far(uint32_t slot) const { heap.PrefetchSlot(slot); }
  [[gnu::always_inline]] void Near(uint32_t slot) const { heap.PrefetchSite(slot); }
};

}  // namespace mallogram
