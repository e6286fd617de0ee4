// Addresses and ranges in split units.
#include <dwarf.h>

#include <cstring>

#include "analyzer/stacks/split_units.h"

namespace mallogram {
namespace {

using Ranges = std::vector<std::pair<uint64_t, uint64_t>>;

// Before the table of offsets: unit_length 4, version 2, sizes 2, count 4
// (32-bit DWARF, which compilers write).
constexpr uint64_t kListsHeader = 12;

// Reads little-endian numbers; past the end they are 0, and `ok` is false.
class Cursor {
 public:
  Cursor(absl::string_view bytes, uint64_t at) : bytes_(bytes), at_(at) {}

  template <typename T>
  T Fixed() {
    T value = 0;
    ok_ = ok_ && at_ <= bytes_.size() && bytes_.size() - at_ >= sizeof value;
    if (!ok_) return 0;
    std::memcpy(&value, bytes_.data() + at_, sizeof value);
    at_ += sizeof value;
    return value;
  }
  uint64_t Address() { return Fixed<uint64_t>(); }
  uint64_t Number() {  // ULEB128
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const uint8_t byte = Fixed<uint8_t>();
      value |= uint64_t{byte & 0x7fu} << shift;
      if ((byte & 0x80) == 0) break;
    }
    return value;
  }
  bool ok() const { return ok_; }

 private:
  const absl::string_view bytes_;
  uint64_t at_;
  bool ok_ = true;
};

// DWARF 4 §2.17.3.
Ranges OldList(const SplitUnit& unit, uint64_t offset) {
  Ranges ranges;
  uint64_t base = unit.base;
  for (Cursor cursor(unit.ranges, offset);;) {
    const uint64_t start = cursor.Address(), end = cursor.Address();
    if (!cursor.ok() || (start == 0 && end == 0)) return ranges;
    if (start == UINT64_MAX) {
      base = end;
    } else {
      ranges.emplace_back(base + start, base + end);
    }
  }
}

// DWARF 5 §2.17.3.
Ranges NewList(const SplitUnit& unit, uint64_t offset) {
  Ranges ranges;
  uint64_t base = unit.base;
  Cursor cursor(unit.ranges, offset);
  const auto indexed = [&]() {
    const uint64_t index = cursor.Number();
    if (index >= unit.addresses.size() / 8) return uint64_t{0};
    return Cursor(unit.addresses, index * 8).Address();
  };
  while (cursor.ok()) {
    uint64_t start = 0, end = 0;
    switch (cursor.Fixed<uint8_t>()) {
      case DW_RLE_base_addressx:
        base = indexed();
        continue;
      case DW_RLE_base_address:
        base = cursor.Address();
        continue;
      case DW_RLE_offset_pair:
        start = base + cursor.Number();
        end = base + cursor.Number();
        break;
      case DW_RLE_startx_endx:
        start = indexed();
        end = indexed();
        break;
      case DW_RLE_startx_length:
        start = indexed();
        end = start + cursor.Number();
        break;
      case DW_RLE_start_end:
        start = cursor.Address();
        end = cursor.Address();
        break;
      case DW_RLE_start_length:
        start = cursor.Address();
        end = start + cursor.Number();
        break;
      default:  // the end, or what nobody knows the length of
        return ranges;
    }
    if (cursor.ok()) ranges.emplace_back(start, end);
  }
  return ranges;
}

// libdw gives the place of a value whose form it does not resolve, not the value.
Cursor ValueOf(const SplitUnit& unit, const Dwarf_Attribute& attribute) {
  return Cursor(unit.info, static_cast<uint64_t>(
                               reinterpret_cast<const char*>(attribute.valp) -
                               unit.info.data()));
}

// False: the attribute is not there, or is no address.
bool AddressOf(const SplitUnit& unit, Dwarf_Die* die, unsigned name,
               uint64_t* address) {
  Dwarf_Attribute attribute;
  if (dwarf_attr(die, name, &attribute) == nullptr) return false;
  Cursor value = ValueOf(unit, attribute);
  uint64_t index = 0;
  switch (dwarf_whatform(&attribute)) {
    case DW_FORM_addr:
      *address = value.Address();
      return value.ok();
    case DW_FORM_addrx:
    case DW_FORM_GNU_addr_index:
      index = value.Number();
      break;
    case DW_FORM_addrx1:
      index = value.Fixed<uint8_t>();
      break;
    case DW_FORM_addrx2:
      index = value.Fixed<uint16_t>();
      break;
    case DW_FORM_addrx4:
      index = value.Fixed<uint32_t>();
      break;
    default:
      return false;
  }
  if (!value.ok() || index >= unit.addresses.size() / 8) return false;
  *address = Cursor(unit.addresses, index * 8).Address();
  return true;
}

// From DW_AT_low_pc to DW_AT_high_pc, which is an address or a length.
Ranges OneRange(const SplitUnit& unit, Dwarf_Die* die) {
  uint64_t start = 0, end = 0;
  if (!AddressOf(unit, die, DW_AT_low_pc, &start)) return {};
  if (!AddressOf(unit, die, DW_AT_high_pc, &end)) {
    Dwarf_Attribute attribute;
    Dwarf_Word length = 0;
    if (dwarf_formudata(dwarf_attr(die, DW_AT_high_pc, &attribute), &length) != 0)
      return {};
    end = start + length;
  }
  return {{start, end}};
}

}  // namespace

Ranges RangesOf(const SplitUnit& unit, Dwarf_Die* die) {
  Dwarf_Attribute attribute;
  if (dwarf_attr(die, DW_AT_ranges, &attribute) == nullptr)
    return OneRange(unit, die);
  Cursor value = ValueOf(unit, attribute);
  if (dwarf_whatform(&attribute) != DW_FORM_rnglistx) {
    const uint32_t offset = value.Fixed<uint32_t>();
    return unit.version < 5 ? OldList(unit, offset) : NewList(unit, offset);
  }
  Cursor offset(unit.ranges, kListsHeader + 4 * value.Number());
  return NewList(unit, kListsHeader + offset.Fixed<uint32_t>());
}

}  // namespace mallogram
