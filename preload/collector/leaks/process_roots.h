// Where pointers of a stopped process may begin: all memory that it can write to,
// but not the heap, the dead parts of stacks, and the recorder's own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "preload/collector/leaks/address_space.h"
#include "preload/collector/leaks/memory.h"
#include "preload/collector/leaks/process_modules.h"
#include "preload/collector/leaks/scan_process.h"

namespace mallogram::leaks {

struct Roots {
  std::vector<RootRange>
      ranges;  // kGlobal: module is an index in `modules`, plus 1
  std::vector<RootWord> words;
  std::vector<std::string> warnings;
};

Roots FindRoots(const ScanRequest& request, const std::vector<Mapping>& maps,
                const std::vector<ProcessModule>& modules, Memory* memory);

}  // namespace mallogram::leaks
