#include "analyzer/stacks/dwarf_lookup.h"

#include <dwarf.h>

#include <algorithm>
#include <initializer_list>
#include <utility>

namespace mallogram {
namespace {

// Trees of entries are as deep as the source nests; a damaged file's are not to
// overflow our stack.
constexpr int kMaxNesting = 200;

// Calls f(child) for every child until it returns false.
template <typename F>
void ForEachChild(Dwarf_Die* die, F f) {
  Dwarf_Die child;
  if (dwarf_child(die, &child) != 0) return;
  do {
    if (!f(&child)) return;
  } while (dwarf_siblingof(&child, &child) == 0);
}

bool MayHoldFunctions(int tag) {
  switch (tag) {
    case DW_TAG_namespace:
    case DW_TAG_class_type:
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
    case DW_TAG_module:
    case DW_TAG_lexical_block:  // a function inside a function: its local class
    case DW_TAG_subprogram:
      return true;
    default:
      return false;
  }
}

void CollectFunctions(Dwarf_Die* die, int depth,
                      std::vector<Dwarf_Die>* functions) {
  if (depth > kMaxNesting) return;
  ForEachChild(die, [&](Dwarf_Die* child) {
    const int tag = dwarf_tag(child);
    if (tag == DW_TAG_subprogram && (dwarf_hasattr(child, DW_AT_low_pc) ||
                                     dwarf_hasattr(child, DW_AT_ranges))) {
      functions->push_back(*child);
    }
    if (MayHoldFunctions(tag)) CollectFunctions(child, depth + 1, functions);
    return true;
  });
}

bool Covers(const SplitUnit* split, Dwarf_Die* die, uint64_t address) {
  if (split == nullptr) return dwarf_haspc(die, address) == 1;
  for (const auto& [start, end] : RangesOf(*split, die)) {
    if (address >= start && address < end) return true;
  }
  return false;
}

// The path to the inlined calls around `address`, outermost first.
void CollectInlined(const SplitUnit* split, Dwarf_Die* die, uint64_t address,
                    int depth, std::vector<Dwarf_Die>* calls) {
  if (depth > kMaxNesting) return;
  ForEachChild(die, [&](Dwarf_Die* child) {
    const int tag = dwarf_tag(child);
    if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_lexical_block)
      return true;
    if (!Covers(split, child, address)) return true;
    if (tag == DW_TAG_inlined_subroutine) calls->push_back(*child);
    CollectInlined(split, child, address, depth + 1, calls);
    return false;
  });
}

uint32_t UnsignedAttribute(Dwarf_Die* die, unsigned name) {
  Dwarf_Attribute attribute;
  Dwarf_Word value = 0;
  if (dwarf_formudata(dwarf_attr(die, name, &attribute), &value) != 0) return 0;
  return static_cast<uint32_t>(value);
}

uint64_t EitherAttribute(Dwarf_Die* die, unsigned name, unsigned old_name) {
  Dwarf_Attribute attribute;
  Dwarf_Word value = 0;
  if (dwarf_formudata(dwarf_attr(die, name, &attribute), &value) != 0 &&
      dwarf_formudata(dwarf_attr(die, old_name, &attribute), &value) != 0) {
    return 0;
  }
  return value;
}

// Of a unit whose functions are in a file of their own (DWARF 5 §3.1.2, and GNU's
// extension of DWARF 4); nullptr: they are here.
const char* SplitName(Dwarf_Die* unit) {
  Dwarf_Attribute attribute;
  for (const unsigned name : {DW_AT_dwo_name, DW_AT_GNU_dwo_name}) {
    if (dwarf_attr(unit, name, &attribute) != nullptr)
      return dwarf_formstring(&attribute);
  }
  return nullptr;
}

std::string CallFile(Dwarf_Die* unit, Dwarf_Die* call) {
  const uint32_t index = UnsignedAttribute(call, DW_AT_call_file);
  Dwarf_Files* files = nullptr;
  size_t count = 0;
  if (dwarf_getsrcfiles(unit, &files, &count) != 0 || index >= count) return "";
  const char* name = dwarf_filesrc(files, index, nullptr, nullptr);
  return name == nullptr ? "" : name;
}

}  // namespace

void DwarfLookup::AddRanges(const SplitUnit* split, Dwarf_Die* die, uint32_t index,
                            std::vector<Range>* ranges) {
  if (split != nullptr) {
    for (const auto& [first, last] : RangesOf(*split, die)) {
      if (first != 0 && first < last) ranges->push_back({first, last, index});
    }
    return;
  }
  Dwarf_Addr base = 0, start = 0, end = 0;
  ptrdiff_t offset = 0;
  while ((offset = dwarf_ranges(die, offset, &base, &start, &end)) > 0) {
    // Code dropped by the linker keeps ranges at 0.
    if (start != 0 && start < end) ranges->push_back({start, end, index});
  }
}

void DwarfLookup::SortRanges(std::vector<Range>* ranges) {
  std::sort(ranges->begin(), ranges->end(),
            [](const Range& a, const Range& b) { return a.start < b.start; });
}

const DwarfLookup::Range* DwarfLookup::Find(const std::vector<Range>& ranges,
                                            uint64_t address) {
  auto after = std::upper_bound(
      ranges.begin(), ranges.end(), address,
      [](uint64_t value, const Range& range) { return value < range.start; });
  // Functions are disjoint but for folded duplicates; a few steps back find one.
  for (int steps = 0; steps < 8 && after != ranges.begin(); ++steps) {
    --after;
    if (address < after->end) return &*after;
  }
  return nullptr;
}

void DwarfLookup::OpenSplit(Dwarf_CU* cu, absl::string_view name, Unit* unit) {
  Skeleton skeleton;
  Dwarf_Half version = 0;
  Dwarf_Addr base = 0;
  dwarf_cu_info(cu, &version, nullptr, nullptr, nullptr, &skeleton.id, nullptr,
                nullptr);
  skeleton.version = version;
  skeleton.file = std::string(name);
  Dwarf_Attribute attribute;
  const char* directory =
      dwarf_formstring(dwarf_attr(&unit->die, DW_AT_comp_dir, &attribute));
  if (directory != nullptr) skeleton.directory = directory;
  if (dwarf_lowpc(&unit->die, &base) == 0) skeleton.base = base;
  skeleton.addresses =
      EitherAttribute(&unit->die, DW_AT_addr_base, DW_AT_GNU_addr_base);
  skeleton.ranges =
      EitherAttribute(&unit->die, DW_AT_rnglists_base, DW_AT_GNU_ranges_base);
  unit->split = splits_.Find(skeleton);
  if (unit->split != nullptr) {
    unit->entries = unit->split->die;
    return;
  }
  unit->is_missing = true;
  if (missing_++ == 0) first_missing_ = skeleton.file;
}

// .debug_aranges is not used: clang writes none.
void DwarfLookup::LoadUnits() {
  units_loaded_ = true;
  Dwarf_CU* cu = nullptr;
  Dwarf_Die die, split;
  uint8_t type = 0;
  while (dwarf_get_units(dwarf_, cu, &cu, nullptr, &type, &die, &split) == 0) {
    if (type != DW_UT_compile && type != DW_UT_skeleton) continue;
    AddRanges(nullptr, &die, static_cast<uint32_t>(units_.size()), &unit_ranges_);
    Unit unit;
    unit.die = unit.entries = die;
    // A skeleton has ranges and lines; its functions are in the .dwo file, which
    // libdw looks for beside this file and where the compiler wrote it.
    if (const char* name = SplitName(&die); name != nullptr) {
      if (type == DW_UT_skeleton && split.addr != nullptr) {
        unit.entries = split;
      } else {
        OpenSplit(cu, name, &unit);
      }
    }
    units_.push_back(std::move(unit));
  }
  SortRanges(&unit_ranges_);
}

void DwarfLookup::LoadFunctions(Unit* unit) {
  unit->loaded = true;
  CollectFunctions(&unit->entries, 0, &unit->functions);
  for (uint32_t i = 0; i < unit->functions.size(); ++i) {
    AddRanges(unit->split.get(), &unit->functions[i], i, &unit->ranges);
  }
  SortRanges(&unit->ranges);
}

const FunctionName& DwarfLookup::NameOf(Dwarf_Die* die) {
  // All inlined copies of a function share the name of its abstract entry.
  Dwarf_Attribute attribute;
  Dwarf_Die origin = *die;
  if (dwarf_attr(die, DW_AT_abstract_origin, &attribute) != nullptr) {
    if (dwarf_formref_die(&attribute, &origin) == nullptr) origin = *die;
  }
  auto [entry, is_new] = names_.try_emplace(origin.addr);
  if (is_new) entry->second = NameOfFunction(&origin);
  return entry->second;
}

void DwarfLookup::SetName(const FunctionName& name, Frame* frame) {
  frame->function = name.function;
  frame->symbol = name.symbol;
  frame->origin = name.origin;
}

std::vector<Frame> DwarfLookup::Resolve(uint64_t address) {
  if (!units_loaded_) LoadUnits();
  const Range* in_unit = Find(unit_ranges_, address);
  if (in_unit == nullptr) return {};
  Unit& unit = units_[in_unit->index];
  // Lines without inlined calls would be given to the wrong function.
  if (unit.is_missing) return {};
  if (!unit.loaded) LoadFunctions(&unit);

  Frame place;
  if (Dwarf_Line* line = dwarf_getsrc_die(&unit.die, address); line != nullptr) {
    const char* file = dwarf_linesrc(line, nullptr, nullptr);
    int number = 0;
    if (file != nullptr) place.file = file;
    if (dwarf_lineno(line, &number) == 0 && number > 0) {
      place.line = static_cast<uint32_t>(number);
    }
  }
  const Range* in_function = Find(unit.ranges, address);
  if (in_function == nullptr) return {place};

  Dwarf_Die function = unit.functions[in_function->index];
  std::vector<Dwarf_Die> calls;
  CollectInlined(unit.split.get(), &function, address, 0, &calls);
  // The line belongs to the innermost; each call says where its caller was.
  std::vector<Frame> frames;
  for (auto call = calls.rbegin(); call != calls.rend(); ++call) {
    SetName(NameOf(&*call), &place);
    place.inlined = true;
    frames.push_back(place);
    place = Frame();
    place.file = CallFile(&unit.entries, &*call);
    if (place.file.empty()) place.file = CallFile(&unit.die, &*call);
    place.line = UnsignedAttribute(&*call, DW_AT_call_line);
  }
  SetName(NameOf(&function), &place);
  frames.push_back(place);
  return frames;
}

}  // namespace mallogram
