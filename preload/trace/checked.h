// Reads values that have bounds; what is out of them makes the whole malformed.
#pragma once

#include <cstdint>
#include <string_view>

#include "preload/trace/bytes.h"
#include "preload/trace/records.h"

namespace mallogram {

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
  bool AtEnd() const { return good_ && in_.ok() && in_.remaining() == 0; }

 private:
  ByteReader in_;
  bool good_ = true;
};

}  // namespace mallogram
