// The columns of a kEvents payload. Writer and reader stand side by side.
//
// Anchors. Between two anchors the reader draws a straight line over event
// numbers. The writer keeps the cone of slopes that hit every event since the
// last anchor to within kAnchorErrorNs; an event whose own slope leaves the cone
// makes its predecessor (whose slope was inside, hence a good end) an anchor. One
// multiplication by a tabled reciprocal an event, no division.
//
// Near its anchor, within kNearNs, an event costs one compare: any line that ends
// at one of these stays that near to all of them. When the first event is further
// off, the cone opens for those before it: theirs are times of 0 … kNearNs, so a
// slope that rises and has not passed the tolerance at the last of them hits all.
// That is narrower than the exact cone, but four times as wide as an even pace
// needs. A busy program's 64 events between two anchors are always near.
#include "preload/trace/event_codec.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "preload/trace/bytes.h"

namespace mallogram {
namespace {

// The reader rounds down and multiplies in double: leave it two nanoseconds.
constexpr double kTolerance = static_cast<double>(kAnchorErrorNs) - 2;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Above this double arithmetic on times is no longer exact to a nanosecond, and
// no recording lasts 146 years.
constexpr uint64_t kMaxTimeNs = uint64_t{1} << 62;

constexpr std::array<double, kAnchorEvents + 1> kReciprocal = [] {
  std::array<double, kAnchorEvents + 1> table{};
  for (uint32_t i = 1; i <= kAnchorEvents; ++i) table[i] = 1.0 / i;
  return table;
}();

}  // namespace

void EventEncoder::Column::MakeRoom() {
  const size_t size = this->size();
  if (capacity_ - size >= kRoomBytes) return;
  capacity_ = std::max(capacity_ * 2, 2 * kRoomBytes);
  auto bytes = std::make_unique_for_overwrite<unsigned char[]>(capacity_);
  if (size != 0) std::memcpy(bytes.get(), bytes_.get(), size);
  bytes_ = std::move(bytes);
  end_ = bytes_.get() + size;
}

void EventEncoder::MakeRoom() {
  room_until_ = count_ + kRoomEvents / 2;
  for (Column* column : {&kinds_, &runs_, &stacks_, &sizes_, &frees_, &times_}) {
    column->MakeRoom();
  }
}

void EventEncoder::Anchor(uint64_t event, uint64_t ns) {
  times_.Varint(event - anchor_event_);
  times_.Varint(ns - anchor_ns_);
  anchor_event_ = event;
  anchor_ns_ = ns;
  anchor_due_ = event + kAnchorEvents;
  near_ = true;
}

// The event that is being added is the batch's first, far from its anchor, or due
// to be one. True: room was made.
bool EventEncoder::AddTimeSlow(uint64_t ns) {
  AddTime(ns);
  if (count_ < room_until_) return false;
  MakeRoom();
  return true;
}

void EventEncoder::AddTime(uint64_t ns) {
  if (count_ == 0) {
    start_ns_ = anchor_ns_ = ns;
    anchor_due_ = kAnchorEvents;
    return;
  }
  uint64_t n = count_ - anchor_event_;
  if (ns - anchor_ns_ > kNearNs) {
    if (near_) {
      near_ = false;
      low_ = n > 1 ? 0 : -kInfinity;
      high_ = n > 1 ? kTolerance * kReciprocal[n - 1] : kInfinity;
    }
    double elapsed = static_cast<double>(ns - anchor_ns_);
    const double slope = elapsed * kReciprocal[n];
    if (slope < low_ || slope > high_) {
      Anchor(count_ - 1, last_ns_);
      n = 1;
      if (ns - anchor_ns_ <= kNearNs) return;
      near_ = false;
      low_ = -kInfinity;
      high_ = kInfinity;
      elapsed = static_cast<double>(ns - anchor_ns_);
    }
    // std::max, not fmax: no NaN can come up, and fmax is a call into libm.
    low_ = std::max(low_, (elapsed - kTolerance) * kReciprocal[n]);
    high_ = std::min(high_, (elapsed + kTolerance) * kReciprocal[n]);
  }
  if (n == kAnchorEvents) Anchor(count_, ns);
}

bool EventEncoder::Add(const Event& event) {
  Begin(event.kind, event.thread);
  if (event.kind == EventKind::kFree || event.kind == EventKind::kMove) {
    Freed(event.slot);
  }
  switch (event.kind) {
    case EventKind::kAlloc:
    case EventKind::kMove:
      stacks_.Varint(event.stack);
      sizes_.Varint(event.size);
      break;
    case EventKind::kLost:
      stacks_.Varint(event.stack);
      sizes_.Varint(event.count);
      sizes_.Varint(event.size);
      break;
    case EventKind::kFree:
    case EventKind::kFreeUnknown:
      break;
  }
  return End(event.time_ns);
}

size_t EventEncoder::approximate_bytes() const {
  return kinds_.size() + runs_.size() + stacks_.size() + sizes_.size() +
         frees_.size() + times_.size();
}

std::string EventEncoder::Take() {
  EndRun();
  if (count_ != 0 && anchor_event_ != count_ - 1) Anchor(count_ - 1, last_ns_);
  ByteWriter out;
  out.Varint(first_event_);
  out.Varint(count_);
  out.Varint(start_ns_);
  for (Column* column : {&kinds_, &runs_, &stacks_, &sizes_, &frees_, &times_}) {
    out.String(column->view());
    column->Clear();
  }
  first_event_ += count_;
  count_ = run_start_ = anchor_event_ = anchor_due_ = 0;
  previous_slot_ = 0;
  start_ns_ = anchor_ns_ = last_ns_;
  near_ = true;
  MakeRoom();
  return out.Take();
}

absl::Status EventDecoder::Init(std::string_view payload) {
  *this = EventDecoder();
  ByteReader in(payload);
  first_event_ = in.Varint();
  event_count_ = in.Varint();
  anchor_ns_ = next_ns_ = in.Varint();
  for (Column* column : {&kinds_, &runs_, &stacks_, &sizes_, &frees_, &times_}) {
    const std::string_view bytes = in.String();
    column->p = reinterpret_cast<const unsigned char*>(bytes.data());
    column->end = column->p + bytes.size();
  }
  if (!in.ok() || in.remaining() != 0 || next_ns_ >= kMaxTimeNs ||
      event_count_ != static_cast<uint64_t>(kinds_.end - kinds_.p) ||
      first_event_ + event_count_ < first_event_) {
    event_count_ = 0;
    status_ = absl::DataLossError("malformed events chunk");
  }
  return status_;
}

bool EventDecoder::NextRun() {
  uint64_t thread = 0;
  if (!Read(&runs_, &thread) || !Read(&runs_, &run_left_)) return false;
  thread_ = static_cast<uint32_t>(thread);
  return thread < kMaxThreads && run_left_ != 0 &&
         run_left_ <= event_count_ - done_;
}

bool EventDecoder::NextAnchor() {
  uint64_t events = 0, ns = 0;
  if (!Read(&times_, &events) || !Read(&times_, &ns)) return false;
  if (events == 0 || events > event_count_ || ns >= kMaxTimeNs - next_ns_)
    return false;
  anchor_event_ = next_event_;
  anchor_ns_ = next_ns_;
  next_event_ += events;
  next_ns_ += ns;
  slope_ = static_cast<double>(ns) / static_cast<double>(events);
  return next_event_ < event_count_;
}

bool EventDecoder::Malformed() {
  status_ = absl::DataLossError("malformed events chunk");
  done_ = event_count_;
  return false;
}

bool EventDecoder::AtEnd() {
  if (status_.ok() && (runs_.p != runs_.end || stacks_.p != stacks_.end ||
                       sizes_.p != sizes_.end || frees_.p != frees_.end ||
                       slots_taken_ != slots_read_ || times_.p != times_.end)) {
    return Malformed();
  }
  return false;
}

}  // namespace mallogram
