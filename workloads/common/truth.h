// The ground truth that a workload prints: its phases and its entities.
//
// A phase mark names the state that has just been reached ("stored": everything is
// stored now). With --phase-marks each is also a line on standard error,
//   phase stored 12345.678901234
// with CLOCK_MONOTONIC in seconds. Times never go into the JSON, which is the same
// for the same flags.
//
// Neither class allocates: what a tracer sees of the heap is the workload's own.

#ifndef WORKLOADS_COMMON_TRUTH_H_
#define WORKLOADS_COMMON_TRUTH_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "workloads/common/account.h"
#include "workloads/common/json.h"

namespace workloads {

class Phases {
 public:
  explicit Phases(bool print_marks) : print_marks_(print_marks) {}

  // REQUIRES: `name` is a literal; at most kMost calls.
  void Mark(const char* name);

  // Live bytes of all accounts when `name` was marked. REQUIRES: it was.
  const Balance& At(const char* name) const;

  // "phases": [{name, live_bytes, live_blocks, peak_bytes, allocated_bytes,
  // allocations}], counted since the program started.
  void Write(Json& json) const;

 private:
  struct Phase {
    const char* name;
    Balance balance;
  };
  static constexpr size_t kMost = 16;

  std::array<Phase, kMost> phases_;
  size_t count_ = 0;
  bool print_marks_;
};

// The accounts as they stood at the state of interest (everything filled, nothing
// closed), with what the workload says of them.
class Entities {
 public:
  // `count` things with `payload` bytes of content live in the account now.
  // REQUIRES: at most kMost calls.
  void Take(const Account& account, int64_t count, int64_t payload);

  // "entities": {NAME: {count, payload_bytes, live_bytes, live_blocks, peak_bytes,
  // allocated_bytes, allocations, end_bytes, end_blocks}}: the first four as of
  // Take(), the rest as of now.
  void Write(Json& json) const;

 private:
  struct Entry {
    const Account* account;
    int64_t count;
    int64_t payload;
    Balance taken;
  };
  static constexpr size_t kMost = 24;

  std::array<Entry, kMost> entries_;
  size_t size_ = 0;
};

}  // namespace workloads

#endif  // WORKLOADS_COMMON_TRUTH_H_
