// The columns of a kEvents payload. Writer and reader stand side by side.
//
// Anchors. Between two anchors the reader draws a straight line over event
// numbers. The writer keeps the cone of slopes that hit every event since the
// last anchor to within kAnchorErrorNs; an event whose own slope leaves the cone
// makes its predecessor (whose slope was inside, hence a good end) an anchor. One
// multiplication by a tabled reciprocal an event, no division.
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

class GrowingBytes {
 public:
  void Varint(uint64_t value) {
    if (capacity_ - size_ < kMaxVarintBytes) [[unlikely]]
      Grow();
    size_ =
        static_cast<size_t>(EncodeVarint(value, data_.get() + size_) - data_.get());
  }
  void Byte(uint8_t value) {
    if (capacity_ - size_ < 1) [[unlikely]]
      Grow();
    data_[size_++] = value;
  }
  size_t size() const { return size_; }
  void Clear() { size_ = 0; }
  std::string_view view() const {
    return {reinterpret_cast<const char*>(data_.get()), size_};
  }

 private:
  [[gnu::noinline]] void Grow() {
    const size_t capacity = capacity_ == 0 ? 4096 : capacity_ * 2;
    auto data = std::make_unique_for_overwrite<unsigned char[]>(capacity);
    if (size_ != 0) std::memcpy(data.get(), data_.get(), size_);
    data_ = std::move(data);
    capacity_ = capacity;
  }

  std::unique_ptr<unsigned char[]> data_;
  size_t size_ = 0, capacity_ = 0;
};

}  // namespace

struct EventEncoder::Columns {
  GrowingBytes kinds, runs, stacks, sizes, frees, times;
  uint64_t first_event = 0, count = 0;
  uint64_t start_ns = 0, last_ns = 0;
  // Open run of events of one thread.
  uint32_t thread = 0;
  uint64_t run = 0;
  uint64_t previous_slot = 0;
  // Cone of slopes since the last anchor.
  uint64_t anchor_event = 0, anchor_ns = 0;
  double low = -kInfinity, high = kInfinity;

  void Anchor(uint64_t event, uint64_t ns) {
    times.Varint(event - anchor_event);
    times.Varint(ns - anchor_ns);
    anchor_event = event;
    anchor_ns = ns;
    low = -kInfinity;
    high = kInfinity;
  }

  void AddTime(uint64_t ns) {
    if (count == 0) {
      start_ns = anchor_ns = last_ns = ns;
      return;
    }
    if (ns < last_ns) ns = last_ns;
    uint64_t n = count - anchor_event;
    double elapsed = static_cast<double>(ns - anchor_ns);
    const double slope = elapsed * kReciprocal[n];
    if (slope < low || slope > high) {
      Anchor(count - 1, last_ns);
      n = 1;
      elapsed = static_cast<double>(ns - anchor_ns);
    }
    // std::max, not fmax: no NaN can come up, and fmax is a call into libm.
    low = std::max(low, (elapsed - kTolerance) * kReciprocal[n]);
    high = std::min(high, (elapsed + kTolerance) * kReciprocal[n]);
    last_ns = ns;
    if (n == kAnchorEvents) Anchor(count, ns);
  }

  void EndRun() {
    if (run == 0) return;
    runs.Varint(thread);
    runs.Varint(run);
    run = 0;
  }
};

EventEncoder::EventEncoder() : columns_(std::make_unique<Columns>()) {}
EventEncoder::~EventEncoder() = default;

void EventEncoder::Add(const Event& event) {
  Columns& c = *columns_;
  c.kinds.Byte(static_cast<uint8_t>(event.kind));
  if (event.thread != c.thread) {
    c.EndRun();
    c.thread = event.thread;
  }
  ++c.run;
  if (event.kind == EventKind::kFree || event.kind == EventKind::kMove) {
    c.frees.Varint(ZigZag(static_cast<int64_t>(event.slot) -
                          static_cast<int64_t>(c.previous_slot)));
    c.previous_slot = event.slot;
  }
  switch (event.kind) {
    case EventKind::kAlloc:
    case EventKind::kMove:
      c.stacks.Varint(event.stack);
      c.sizes.Varint(event.size);
      break;
    case EventKind::kLost:
      c.stacks.Varint(event.stack);
      c.sizes.Varint(event.count);
      c.sizes.Varint(event.size);
      break;
    case EventKind::kFree:
    case EventKind::kFreeUnknown:
      break;
  }
  c.AddTime(event.time_ns);
  ++c.count;
}

uint64_t EventEncoder::event_count() const { return columns_->count; }
uint64_t EventEncoder::first_event() const { return columns_->first_event; }
uint64_t EventEncoder::start_ns() const { return columns_->start_ns; }
uint64_t EventEncoder::end_ns() const { return columns_->last_ns; }

size_t EventEncoder::approximate_bytes() const {
  const Columns& c = *columns_;
  return c.kinds.size() + c.runs.size() + c.stacks.size() + c.sizes.size() +
         c.frees.size() + c.times.size();
}

std::string EventEncoder::Take() {
  Columns& c = *columns_;
  c.EndRun();
  if (c.count != 0 && c.anchor_event != c.count - 1)
    c.Anchor(c.count - 1, c.last_ns);
  ByteWriter out;
  out.Varint(c.first_event);
  out.Varint(c.count);
  out.Varint(c.start_ns);
  for (GrowingBytes* column :
       {&c.kinds, &c.runs, &c.stacks, &c.sizes, &c.frees, &c.times}) {
    out.String(column->view());
    column->Clear();
  }
  c.first_event += c.count;
  c.count = c.anchor_event = c.previous_slot = 0;
  c.start_ns = c.last_ns;
  c.low = -kInfinity;
  c.high = kInfinity;
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
