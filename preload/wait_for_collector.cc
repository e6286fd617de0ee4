#include "preload/wait_for_collector.h"

#include <errno.h>

#include "preload/may_call.h"
#include "preload/sys.h"

namespace mallogram {
namespace {

constexpr uint64_t kSliceNs = 20'000'000;
constexpr int kAttachSlices = 50;  // for a collector that has not appeared yet
constexpr int kTracerSlices = 50;

// In a sandbox nobody sleeps; the collector looks every half millisecond.
constexpr int kLooksASlice = 1 << 19, kSpinSlices = 25;

bool Spin(const std::atomic<uint32_t>& word, uint32_t value) {
  for (int i = 0; i < kLooksASlice; ++i) {
    if (word.load(std::memory_order_acquire) != value) return true;
    __builtin_ia32_pause();
  }
  return false;
}

}  // namespace

bool WaitWhile(const ImageHeader& header, const std::atomic<uint32_t>& word,
               uint32_t value, int slices, int* slept) {
  if (CollectorDied(header)) return false;
  if (!MayCall()) {
    if (*slept >= kSpinSlices) return false;
    if (!Spin(word, value)) ++*slept;
    return true;
  }
  if (*slept >= (CollectorAttached(header) ? slices : kAttachSlices)) return false;
  if (sys::FutexWait(&word, value, kSliceNs) == -ETIMEDOUT) ++*slept;
  return true;
}

void AwaitTracer(const ImageHeader& header) {
  int slept = 0;
  while (header.traced.load(std::memory_order_acquire) == 0 &&
         WaitWhile(header, header.traced, 0, kTracerSlices, &slept)) {
  }
}

}  // namespace mallogram
