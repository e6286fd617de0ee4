#include "analyzer/stacks/split_units.h"

#include <dwarf.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "analyzer/stacks/names.h"

namespace mallogram {
namespace {

// A package's sections by their numbers in its index: DWARF 5 §7.3.5.3, and the
// numbers of GNU's version 2 where these differ.
struct Part {
  uint32_t number, old_number;  // 0: not in that version
  absl::string_view section;
};
constexpr Part kParts[] = {
    {1, 1, ".debug_info.dwo"},     {3, 3, ".debug_abbrev.dwo"},
    {4, 4, ".debug_line.dwo"},     {6, 6, ".debug_str_offsets.dwo"},
    {8, 0, ".debug_rnglists.dwo"},
};
constexpr absl::string_view kStrings = ".debug_str.dwo";  // all units'
constexpr absl::string_view kIndex = ".debug_cu_index";

absl::string_view Slice(absl::string_view bytes, uint64_t start,
                        uint64_t length = UINT64_MAX) {
  return start > bytes.size() ? absl::string_view() : bytes.substr(start, length);
}

}  // namespace

// A package has an index; a .dwo has one unit, which all its sections are of.
class SplitUnits::File {
 public:
  explicit File(const std::string& path) : file_(path), sections_(file_.elf()) {
    if (file_.elf() != nullptr) index_ = sections_.Find(kIndex);
  }
  bool exists() const { return file_.elf() != nullptr; }

  // The unit's sections; empty: not here.
  DwarfImage::Sections Find(uint64_t id) {
    DwarfImage::Sections parts;
    if (index_.empty()) {
      for (const Part& part : kParts)
        parts.emplace_back(part.section, sections_.Find(part.section));
    } else {
      parts = FindInIndex(id);
    }
    if (!parts.empty()) parts.emplace_back(kStrings, sections_.Find(kStrings));
    return parts;
  }

 private:
  template <typename T>
  T At(uint64_t offset) const {
    T value = 0;
    const absl::string_view bytes = Slice(index_, offset, sizeof value);
    if (bytes.size() == sizeof value)
      std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }

  // Header of four numbers; a hash table of ids, and its rows; a table of section
  // numbers, of offsets, of sizes, a row a unit each.
  DwarfImage::Sections FindInIndex(uint64_t id) {
    const bool is_version_5 = At<uint16_t>(0) == 5;
    const uint64_t columns = At<uint32_t>(4), units = At<uint32_t>(8),
                   slots = At<uint32_t>(12);
    const uint64_t ids = 16, rows = ids + 8 * slots, numbers = rows + 4 * slots;
    if (slots == 0 || (slots & (slots - 1)) != 0 || numbers > index_.size())
      return {};
    uint64_t slot = id & (slots - 1), row = 0;
    const uint64_t step = ((id >> 32) & (slots - 1)) | 1;
    for (uint64_t tries = 0; tries < slots; ++tries) {
      row = At<uint32_t>(rows + 4 * slot);
      if (row == 0 || At<uint64_t>(ids + 8 * slot) == id) break;
      slot = (slot + step) & (slots - 1);
    }
    if (row == 0 || row > units || At<uint64_t>(ids + 8 * slot) != id) return {};

    DwarfImage::Sections parts;
    const uint64_t offsets = numbers + 4 * columns + 4 * columns * (row - 1);
    for (uint64_t column = 0; column < std::min<uint64_t>(columns, 16); ++column) {
      const uint32_t number = At<uint32_t>(numbers + 4 * column);
      for (const Part& part : kParts) {
        if (number == 0 || number != (is_version_5 ? part.number : part.old_number))
          continue;
        const uint64_t at = offsets + 4 * column;
        parts.emplace_back(part.section,
                           Slice(sections_.Find(part.section), At<uint32_t>(at),
                                 At<uint32_t>(at + 4 * columns * units)));
      }
    }
    return parts;
  }

  ElfFile file_;
  ElfSections sections_;
  absl::string_view index_;
};

SplitUnits::SplitUnits(Elf* program, std::vector<std::string> paths)
    : program_(program), paths_(std::move(paths)) {}

SplitUnits::~SplitUnits() = default;

std::unique_ptr<SplitUnit> SplitUnits::FindIn(File* file,
                                              const Skeleton& skeleton) {
  DwarfImage::Sections sections = file->Find(skeleton.id);
  if (sections.empty()) return nullptr;
  auto unit = std::make_unique<SplitUnit>();
  unit->version = skeleton.version;
  unit->base = skeleton.base;
  unit->addresses = Slice(program_.Find(".debug_addr"), skeleton.addresses);
  for (const auto& [name, bytes] : sections) {
    if (name == ".debug_info.dwo") unit->info = bytes;
    if (name == ".debug_rnglists.dwo") unit->ranges = bytes;
  }
  if (skeleton.version < 5)
    unit->ranges = Slice(program_.Find(".debug_ranges"), skeleton.ranges);
  unit->image = DwarfImage::Make(sections);
  if (unit->image == nullptr) return nullptr;
  Dwarf_CU* cu = nullptr;
  Dwarf_Die die;
  uint8_t type = 0;
  while (dwarf_get_units(unit->image->dwarf(), cu, &cu, nullptr, &type, &die,
                         nullptr) == 0) {
    uint64_t id = 0;
    if (type == DW_UT_split_compile &&
        dwarf_cu_info(cu, nullptr, nullptr, nullptr, nullptr, &id, nullptr,
                      nullptr) == 0 &&
        id == skeleton.id) {
      unit->die = die;
      return unit;
    }
  }
  return nullptr;
}

std::unique_ptr<SplitUnit> SplitUnits::Find(const Skeleton& skeleton) {
  if (!opened_packages_) {
    opened_packages_ = true;
    for (absl::string_view path : paths_) {
      for (const bool is_debug_file : {false, true}) {
        if (is_debug_file && !absl::ConsumeSuffix(&path, ".debug")) continue;
        auto package = std::make_unique<File>(absl::StrCat(path, ".dwp"));
        if (package->exists()) packages_.push_back(std::move(package));
      }
    }
  }
  for (const std::unique_ptr<File>& package : packages_) {
    std::unique_ptr<SplitUnit> unit = FindIn(package.get(), skeleton);
    if (unit != nullptr) return unit;
  }
  std::vector<std::string> places;
  const std::string& name = skeleton.file;
  if (absl::StartsWith(name, "/"))
    places.push_back(name);
  else
    places.push_back(absl::StrCat(skeleton.directory, "/", name));
  for (const std::string& path : paths_) {
    const std::string beside = path.substr(0, path.rfind('/') + 1);
    places.push_back(absl::StrCat(beside, name));
    places.push_back(absl::StrCat(beside, std::string(Basename(name))));
  }
  for (const std::string& place : places) {
    auto file = std::make_unique<File>(place);
    if (!file->exists()) continue;
    std::unique_ptr<SplitUnit> unit = FindIn(file.get(), skeleton);
    if (unit == nullptr) continue;
    units_.push_back(std::move(file));
    return unit;
  }
  return nullptr;
}

}  // namespace mallogram
