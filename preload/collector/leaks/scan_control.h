// The string by which a scan is held: who lets the scanned process go on before the
// scan is done says so here, and the scan then ends soon, its result void.
#pragma once

#include <atomic>
#include <cstdint>

namespace mallogram::leaks {

enum class StopReason : uint32_t {
  kNone = 0,
  kBudget = 1,    // the process stood still for as long as it may
  kSignal = 2,    // one that ends programs waits for it
  kLauncher = 3,  // the command that recorded it is gone
  kHangs = 4,     // the scan gets nowhere
};

struct ScanControl {
  std::atomic<StopReason> stop{StopReason::kNone};
  // Grows as long as the scan gets on.
  std::atomic<uint64_t> progress{0};
};

}  // namespace mallogram::leaks
