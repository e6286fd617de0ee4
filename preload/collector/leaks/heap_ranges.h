// What of a process's memory is its allocator's, in use or not.
//
// glibc: the brk heap; arenas of other threads, which begin at multiples of 64 MiB
// with a header; blocks that were mapped one by one. Neighbours of all of these may
// be anything. Of other allocators nothing is known: each mapping with a block in
// it.
#pragma once

#include <vector>

#include "preload/collector/leaks/address_space.h"
#include "preload/collector/leaks/memory.h"
#include "preload/collector/leaks/scan_process.h"

namespace mallogram::leaks {

// Adds them to `heap`. `own`: ranges that are no heap whatever blocks lie in them
// (modules' data): of these only the blocks.
void FindHeap(const ScanRequest& request, const std::vector<Mapping>& maps,
              const RangeSet& own, Memory* memory, RangeSet* heap);

}  // namespace mallogram::leaks
