// What an agent did and why: one record a step. Three ways to keep them:
//   unbounded  every record in a list that grows for ever;
//   ring       the last `capacity` records, in slots that are reused;
//   zlib       every record, in compressed blocks of kBlock.
//
// Records of one history all weigh policies of the same number.

#ifndef WORKLOADS_AGENT_HISTORY_H_
#define WORKLOADS_AGENT_HISTORY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "workloads/common/account.h"

namespace workloads::agent {

struct Histories {
  static constexpr const char* kName = "histories";
};
struct ZlibState {
  static constexpr const char* kName = "zlib_state";
};

struct Record {
  uint32_t step = 0;
  uint8_t action = 0;
  uint8_t seen = 0;
  Array<float, Histories> policies;  // posterior probability of each

  friend bool operator==(const Record&, const Record&) = default;
};

class History : public Accounted<Histories> {
 public:
  virtual ~History() = default;
  virtual void Append(const Record& record) = 0;
  // Records that can still be read; the oldest is number 0.
  virtual int64_t size() const = 0;
  // REQUIRES: 0 <= number < size().
  virtual Record Read(int64_t number) const = 0;
};

// `kind`: "unbounded", "ring" or "zlib"; `capacity` > 0 counts for the ring only.
std::unique_ptr<History> MakeHistory(std::string_view kind, size_t capacity);

}  // namespace workloads::agent

#endif  // WORKLOADS_AGENT_HISTORY_H_
