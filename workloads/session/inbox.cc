// The transport inside one process: a ring of envelopes whose buffers are kept.
#include "workloads/session/transport.h"

namespace workloads::session {

bool Inbox::Send(const Envelope& envelope) {
  if (size_ == slots_.size()) return false;
  slots_[(first_ + size_) % slots_.size()] = envelope;
  ++size_;
  return true;
}

bool Inbox::Receive(Envelope* envelope) {
  if (size_ == 0) return false;
  // A copy, not a move: the slot keeps its buffers.
  *envelope = slots_[first_];
  first_ = (first_ + 1) % slots_.size();
  --size_;
  return true;
}

}  // namespace workloads::session
