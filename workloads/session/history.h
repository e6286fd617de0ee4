// The bounded history of one session: the last messages, oldest first.
//
// Invariants: size() <= capacity(); the slots grow with the history (a quiet
// session costs little) and stay at capacity() slots once it is full; appending to
// a full history destroys the oldest message.

#ifndef WORKLOADS_SESSION_HISTORY_H_
#define WORKLOADS_SESSION_HISTORY_H_

#include <cstddef>
#include <cstdint>

#include "workloads/common/account.h"
#include "workloads/common/leaks.h"
#include "workloads/session/message.h"

namespace workloads::session {

struct HistorySlots {
  static constexpr const char* kName = "history_slots";
};

class HistoryWindow {
 public:
  // REQUIRES: capacity > 0; `evicted_leak` outlives this.
  HistoryWindow(size_t capacity, LeakSite* evicted_leak)
      : capacity_(capacity), evicted_leak_(evicted_leak) {}

  void Append(Message message);

  size_t size() const { return slots_.size(); }
  size_t capacity() const { return capacity_; }
  // Age order: 0 is the oldest. REQUIRES: i < size().
  const Message& operator[](size_t i) const {
    return slots_[(oldest_ + i) % slots_.size()];
  }
  int64_t evicted() const { return evicted_; }

 private:
  size_t capacity_;
  size_t oldest_ = 0;  // 0 until the window is full
  int64_t evicted_ = 0;
  LeakSite* evicted_leak_;
  Array<Message, HistorySlots> slots_;
};

}  // namespace workloads::session

#endif  // WORKLOADS_SESSION_HISTORY_H_
