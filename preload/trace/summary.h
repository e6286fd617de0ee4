// What a report needs, in O(sites): the content of kSummary. Written by the
// collector at the end, or rebuilt by the reader from the events; both through
// HeapModel, so the two cannot differ.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "preload/trace/records.h"
#include "preload/trace/sampling.h"

namespace mallogram {

// Everything that happened at one call stack (innermost frame: the caller of
// the allocation function).
struct SiteTotals {
  uint32_t stack = 0;            // Stack id
  uint64_t calls = 0;            // allocations here; a realloc counts as one
  uint64_t reallocations = 0;    // those of `calls` that were realloc of a block
  uint64_t bytes_allocated = 0;  // sum of requested sizes
  uint64_t frees = 0;            // of blocks allocated here
  uint64_t live_blocks = 0, live_bytes = 0;  // at the end
  uint64_t peak_blocks = 0, peak_bytes = 0;  // when the whole heap was highest
  uint64_t own_peak_bytes = 0;               // highest of this site alone, whenever
  uint64_t temporary = 0;    // freed by the allocating thread before its next
                             // allocation
  uint64_t lifetime_ns = 0;  // sum over freed blocks
  uint64_t lost = 0, lost_bytes = 0;  // dropped (--on-full drop)

  // All but `stack`. A sum of peaks is no peak: it is an upper bound of one.
  SiteTotals& operator+=(const SiteTotals& more);
};

// Blocks by requested size. Bucket 0 holds size 0; bucket i > 0 holds
// [2^(i-1), 2^i).
inline constexpr int kSizeBuckets = 65;
constexpr int SizeBucket(uint64_t size) {
  return size == 0 ? 0 : 64 - __builtin_clzll(size);
}
struct SizeClass {
  uint64_t calls = 0, bytes = 0, live_blocks = 0, live_bytes = 0, temporary = 0;

  SizeClass& operator+=(const SizeClass& more);
};

// Invariant: allocations - frees == live_blocks. As in heaptrack and Memcheck, a
// realloc of a block counts as one allocation and one free.
struct Totals {
  uint64_t allocations = 0, frees = 0, reallocations = 0;
  uint64_t bytes_allocated = 0;
  uint64_t peak_heap_bytes = 0, peak_heap_blocks = 0, peak_time_ns = 0;
  uint64_t peak_rss_bytes = 0;
  uint64_t live_blocks = 0, live_bytes = 0;
  uint64_t temporary = 0;
  uint64_t unknown_frees = 0;  // of blocks that this trace never saw
  uint64_t duration_ns = 0;

  // Without peak time and duration, which are no sums.
  Totals& operator+=(const Totals& more);
};

struct Loss {
  uint64_t events_lost = 0, bytes_lost = 0;  // --on-full drop; no ring left
  uint64_t events_waited = 0, wait_ns = 0;   // --on-full wait
  uint64_t truncated_stacks = 0;  // events whose stack is cut (roots 1, 2, 3)
  uint64_t order_violations = 0;  // double owners met on replay; must be 0
  uint64_t damaged_chunks = 0;    // set by the reader

  Loss& operator+=(const Loss& more);
};

// The recording's own cost (D7).
struct SelfReport {
  uint64_t events = 0;            // records taken from the rings
  uint64_t event_file_bytes = 0;  // kEvents chunks as stored
  uint64_t file_bytes = 0;
  uint64_t stack_nodes = 0, sites = 0, threads = 0;
  uint64_t walks = 0, frames_walked = 0, full_walks = 0;
  uint64_t image_bytes = 0;    // tracer memory in the program: image pages touched
  uint64_t private_bytes = 0;  // and outside the image
  uint64_t collector_cpu_ns = 0, collector_rss_bytes = 0;
  uint64_t verify_checked = 0;
  std::vector<uint64_t> verify_classes;

  // One collector serves all processes of a recording: its CPU time and memory are
  // told once in each file and are not added up.
  SelfReport& operator+=(const SelfReport& more);
};

enum class EndReason : uint8_t {
  kUnknown = 0,    // no footer: the collector died or the file is cut
  kExited = 1,     // end_detail = exit status, -1 if not known
  kSignalled = 2,  // end_detail = signal
  kExeced = 3,     // replaced by another program
  kDetached = 4,   // the library gave up; detail_text says why
  kVanished = 5,   // killed, or ended by a system call that no wrapper saw: not a
                   // child of ours, and reaped before it could be asked
};

struct Summary {
  Totals totals;
  Loss loss;
  SelfReport self;
  EndReason end = EndReason::kUnknown;
  int64_t end_detail = -1;
  std::string detail_text;
  std::vector<SiteTotals> sites;  // any order, one a stack id
  std::vector<SizeClass> sizes;   // kSizeBuckets of them
  std::vector<Sample> timeline;   // at most ~1,000, rising times; contains
                                  // the peak
  // Of a sampled recording all sums above but those of events, loss and cost are
  // estimates, rounded; the counts that cannot be estimated are 0.
  Sampling sampling;
};

std::string EncodeSummary(const Summary& summary);
absl::StatusOr<Summary> DecodeSummary(std::string_view payload);

}  // namespace mallogram
