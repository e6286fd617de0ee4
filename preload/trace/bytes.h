// Byte-level writer and reader of chunk payloads: varints and strings.
// The reader never trusts its input: any overrun or malformed number makes it
// fail for good, and what it returns from then on is zero; callers check ok()
// once at the end (and bound their loops by remaining()).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "preload/trace_format.h"

namespace mallogram {

class ByteWriter {
 public:
  void Varint(uint64_t value) {
    unsigned char buffer[kMaxVarintBytes];
    const unsigned char* end = EncodeVarint(value, buffer);
    bytes_.append(reinterpret_cast<const char*>(buffer),
                  static_cast<size_t>(end - buffer));
  }
  void Signed(int64_t value) { Varint(ZigZag(value)); }
  void Byte(uint8_t value) { bytes_.push_back(static_cast<char>(value)); }
  void String(std::string_view value) {
    Varint(value.size());
    bytes_.append(value);
  }
  // Without a length.
  void Raw(std::string_view value) { bytes_.append(value); }

  size_t size() const { return bytes_.size(); }
  const std::string& bytes() const { return bytes_; }
  std::string Take() { return std::move(bytes_); }
  void Clear() { bytes_.clear(); }

 private:
  std::string bytes_;
};

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes)
      : p_(reinterpret_cast<const unsigned char*>(bytes.data())),
        end_(p_ + bytes.size()) {}

  uint64_t Varint() {
    uint64_t value = 0;
    const unsigned char* next = DecodeVarint(p_, end_, &value);
    if (next == nullptr) [[unlikely]] {
      Fail();
      return 0;
    }
    p_ = next;
    return value;
  }
  int64_t Signed() { return UnZigZag(Varint()); }
  uint8_t Byte() {
    if (p_ == end_) {
      Fail();
      return 0;
    }
    return *p_++;
  }
  // Points into the input.
  std::string_view Raw(uint64_t bytes) {
    if (bytes > remaining()) {
      Fail();
      return {};
    }
    const std::string_view result(reinterpret_cast<const char*>(p_), bytes);
    p_ += bytes;
    return result;
  }
  std::string_view String() { return Raw(Varint()); }

  // A count of items that follow, each at least `min_bytes` long: fails if the
  // rest of the input cannot hold them, so that callers may reserve() it.
  uint64_t Count(uint64_t min_bytes = 1) {
    const uint64_t count = Varint();
    if (count > remaining() / min_bytes) {
      Fail();
      return 0;
    }
    return count;
  }

  uint64_t remaining() const { return static_cast<uint64_t>(end_ - p_); }
  bool ok() const { return ok_; }

 private:
  void Fail() {
    ok_ = false;
    p_ = end_;
  }

  const unsigned char* p_;
  const unsigned char* end_;
  bool ok_ = true;
};

}  // namespace mallogram
