#include "workloads/session/history.h"

#include <algorithm>
#include <utility>

namespace workloads::session {

void HistoryWindow::Append(Message message) {
  if (slots_.size() < capacity_) {
    if (slots_.size() == slots_.capacity()) {
      slots_.reserve(std::min(capacity_, std::max<size_t>(8, 2 * slots_.size())));
    }
    slots_.push_back(std::move(message));
    return;
  }
  Message& oldest = slots_[oldest_];
  if (evicted_leak_->Due()) evicted_leak_->Leak(oldest.content);
  // Not a plain move assignment: that may keep the old buffer of a short text.
  oldest.~Message();
  new (&oldest) Message(std::move(message));
  oldest_ = (oldest_ + 1) % capacity_;
  ++evicted_;
}

}  // namespace workloads::session
