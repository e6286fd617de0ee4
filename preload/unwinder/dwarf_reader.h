// Bounded reader of DWARF primitives, for .eh_frame and expressions.
//
// A read past the end returns 0 and clears ok(); callers check once, at the end
// of a group of reads. Freestanding.
#pragma once

#include <dwarf.h>

#include <cstddef>
#include <cstdint>

namespace mallogram {

// Pointer encodings of .eh_frame (DW_EH_PE_*).
inline constexpr uint8_t kPeAbsolute = DW_EH_PE_absptr;
inline constexpr uint8_t kPeOmit = DW_EH_PE_omit;
inline constexpr uint8_t kPeFormatMask = 0x0f;
inline constexpr uint8_t kPeBaseMask = 0x70;
inline constexpr uint8_t kPeIndirect = DW_EH_PE_indirect;

class DwarfReader {
 public:
  DwarfReader() = default;
  DwarfReader(const uint8_t* begin, const uint8_t* end) : p_(begin), end_(end) {}

  bool ok() const { return ok_; }
  bool AtEnd() const { return p_ >= end_; }
  const uint8_t* position() const { return p_; }
  size_t left() const { return static_cast<size_t>(end_ - p_); }
  void Fail() {
    ok_ = false;
    p_ = end_;
  }

  template <typename T>
  T Fixed() {
    if (left() < sizeof(T)) {
      Fail();
      return 0;
    }
    T value;
    __builtin_memcpy(&value, p_, sizeof(T));
    p_ += sizeof(T);
    return value;
  }
  uint8_t U8() { return Fixed<uint8_t>(); }

  void Skip(uint64_t bytes) {
    if (bytes > left()) {
      Fail();
    } else {
      p_ += bytes;
    }
  }
  // Relative jump, as DW_OP_skip does: the target must lie in [begin, end].
  void Jump(int64_t delta, const uint8_t* begin) {
    if (delta < begin - p_ || delta > end_ - p_) {
      Fail();
    } else {
      p_ += delta;
    }
  }

  uint64_t Uleb() {
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      const uint8_t byte = U8();
      if (shift < 64) value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;  // also at the end: U8() gives 0
    }
  }
  int64_t Sleb() {
    uint64_t value = 0;
    for (unsigned shift = 0;;) {
      const uint8_t byte = U8();
      if (shift < 64) value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      shift += 7;
      if ((byte & 0x80) != 0) continue;
      if (shift < 64 && (byte & 0x40) != 0) value |= ~uint64_t{0} << shift;
      return static_cast<int64_t>(value);
    }
  }

  // A pointer in `encoding`. `data_base` serves DW_EH_PE_datarel. An indirect
  // pointer is read through only if `follow` (it lies in the module's data).
  uint64_t Encoded(uint8_t encoding, uint64_t data_base, bool follow = true) {
    if (encoding == kPeOmit) return 0;
    const auto here = reinterpret_cast<uint64_t>(p_);
    if (encoding == DW_EH_PE_aligned) {  // an absolute one, at a multiple of 8
      Skip(-here & 7);
      return Fixed<uint64_t>();
    }
    uint64_t value = 0;
    switch (encoding & kPeFormatMask) {
      case DW_EH_PE_absptr:
      case DW_EH_PE_udata8:
      case DW_EH_PE_sdata8:
        value = Fixed<uint64_t>();
        break;
      case DW_EH_PE_uleb128:
        value = Uleb();
        break;
      case DW_EH_PE_udata2:
        value = Fixed<uint16_t>();
        break;
      case DW_EH_PE_udata4:
        value = Fixed<uint32_t>();
        break;
      case DW_EH_PE_signed:
        value = Fixed<uint64_t>();
        break;
      case DW_EH_PE_sleb128:
        value = static_cast<uint64_t>(Sleb());
        break;
      case DW_EH_PE_sdata2:
        value = static_cast<uint64_t>(int64_t{Fixed<int16_t>()});
        break;
      case DW_EH_PE_sdata4:
        value = static_cast<uint64_t>(int64_t{Fixed<int32_t>()});
        break;
      default:
        Fail();
        return 0;
    }
    if (!ok_ || value == 0) return value;
    switch (encoding & kPeBaseMask) {
      case DW_EH_PE_absptr:
        break;
      case DW_EH_PE_pcrel:
        value += here;
        break;
      case DW_EH_PE_datarel:
        value += data_base;
        break;
      default:
        Fail();
        return 0;  // textrel, funcrel: not used on this platform
    }
    if ((encoding & kPeIndirect) != 0 && follow) {
      value = *reinterpret_cast<const uint64_t*>(value);
    }
    return value;
  }

 private:
  const uint8_t* p_ = nullptr;
  const uint8_t* end_ = nullptr;
  bool ok_ = true;
};

}  // namespace mallogram
