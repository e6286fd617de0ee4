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

// The path to the inlined calls around `address`, outermost first.
void CollectInlined(Dwarf_Die* die, uint64_t address, int depth,
                    std::vector<Dwarf_Die>* calls) {
  if (depth > kMaxNesting) return;
  ForEachChild(die, [&](Dwarf_Die* child) {
    const int tag = dwarf_tag(child);
    if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_lexical_block)
      return true;
    if (dwarf_haspc(child, address) != 1) return true;
    if (tag == DW_TAG_inlined_subroutine) calls->push_back(*child);
    CollectInlined(child, address, depth + 1, calls);
    return false;
  });
}

uint32_t UnsignedAttribute(Dwarf_Die* die, unsigned name) {
  Dwarf_Attribute attribute;
  Dwarf_Word value = 0;
  if (dwarf_formudata(dwarf_attr(die, name, &attribute), &value) != 0) return 0;
  return static_cast<uint32_t>(value);
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

void DwarfLookup::AddRanges(Dwarf_Die* die, uint32_t index,
                            std::vector<Range>* ranges) {
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

// .debug_aranges is not used: clang writes none.
void DwarfLookup::LoadUnits() {
  units_loaded_ = true;
  Dwarf_CU* cu = nullptr;
  Dwarf_Die die, split;
  uint8_t type = 0;
  while (dwarf_get_units(dwarf_, cu, &cu, nullptr, &type, &die, &split) == 0) {
    if (type != DW_UT_compile && type != DW_UT_skeleton) continue;
    AddRanges(&die, static_cast<uint32_t>(units_.size()), &unit_ranges_);
    Unit unit;
    unit.die = unit.entries = die;
    // A skeleton has ranges and lines; its functions are in the .dwo file, which
    // libdw looks for beside this file and where the compiler wrote it.
    if (const char* name = SplitName(&die); name != nullptr) {
      unit.is_missing = type != DW_UT_skeleton || split.addr == nullptr;
      if (!unit.is_missing) unit.entries = split;
      if (unit.is_missing && missing_++ == 0) first_missing_ = name;
    }
    units_.push_back(std::move(unit));
  }
  SortRanges(&unit_ranges_);
}

void DwarfLookup::LoadFunctions(Unit* unit) {
  unit->loaded = true;
  CollectFunctions(&unit->entries, 0, &unit->functions);
  for (uint32_t i = 0; i < unit->functions.size(); ++i) {
    AddRanges(&unit->functions[i], i, &unit->ranges);
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
  CollectInlined(&function, address, 0, &calls);
  // The line belongs to the innermost; each call says where its caller was.
  std::vector<Frame> frames;
  for (auto call = calls.rbegin(); call != calls.rend(); ++call) {
    SetName(NameOf(&*call), &place);
    place.inlined = true;
    frames.push_back(place);
    place = Frame();
    place.file = CallFile(&unit.entries, &*call);
    place.line = UnsignedAttribute(&*call, DW_AT_call_line);
  }
  SetName(NameOf(&function), &place);
  frames.push_back(place);
  return frames;
}

}  // namespace mallogram
