// How decoders of small chunks read and end: no byte may be missing, malformed or
// left over.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "preload/trace/bytes.h"
#include "preload/trace/records.h"

namespace mallogram {

// The decoded `value`, or an error: what was read of the chunk called `what` is not
// `good`, or not all of it.
template <typename T>
absl::StatusOr<T> WholeChunk(const ByteReader& in, T value, const char* what,
                             bool good = true) {
  if (!good || !in.ok() || in.remaining() != 0)
    return absl::DataLossError(absl::StrCat("malformed ", what, " chunk"));
  return value;
}

// Reads values that have bounds; what is out of them makes the whole malformed.
class Checked {
 public:
  explicit Checked(std::string_view payload) : in_(payload) {}

  template <typename E>
  E Enum(int values) {
    const uint8_t value = in_.Byte();
    good_ = good_ && value < values;
    return static_cast<E>(good_ ? value : 0);
  }
  uint32_t Id(uint64_t limit) {
    const uint64_t value = in_.Varint();
    good_ = good_ && value < limit;
    return static_cast<uint32_t>(good_ ? value : 0);
  }
  uint32_t Stack() { return Id(kMaxStackIds); }
  ByteReader& in() { return in_; }
  // As WholeChunk.
  template <typename T>
  absl::StatusOr<T> Whole(T value, const char* what) const {
    return WholeChunk(in_, std::move(value), what, good_);
  }

 private:
  ByteReader in_;
  bool good_ = true;
};

}  // namespace mallogram
