// Functions, inlined calls and lines of an address in one file's DWARF.
//
// libdw answers the same questions by walking a unit's whole tree of entries at
// each call; here every unit is walked once, when the first address falls into
// it, into a table of its functions' ranges, and an address then costs a binary
// search and a descent into one function.
#pragma once

#include <elfutils/libdw.h>

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "analyzer/stacks/dwarf_names.h"
#include "analyzer/stacks/split_units.h"
#include "analyzer/stacks/symbolizer.h"

namespace mallogram {

class DwarfLookup {
 public:
  // `dwarf` must outlive the object. `paths`: where the program and its debug file
  // lie, beside which the files of split units are looked for.
  DwarfLookup(Dwarf* dwarf, std::vector<std::string> paths)
      : dwarf_(dwarf), splits_(dwarf_getelf(dwarf), std::move(paths)) {}

  // `address` as in the file. Empty: no function of this file's is there. A
  // frame without function: the line is known, the function is not.
  std::vector<Frame> Resolve(uint64_t address);

  // Units whose .dwo file is not found, once an address was asked for, and one of
  // these files: their functions are not known here.
  size_t missing() const { return missing_; }
  const std::string& first_missing() const { return first_missing_; }

 private:
  struct Range {
    uint64_t start, end;
    uint32_t index;  // in units_, or in Unit.functions
  };
  struct Unit {
    Dwarf_Die die;      // has ranges and lines
    Dwarf_Die entries;  // has functions: the same, or the split unit's
    std::unique_ptr<SplitUnit> split;  // if libdw does not find that
    bool is_missing = false;
    bool loaded = false;
    std::vector<Dwarf_Die> functions;
    std::vector<Range> ranges;
  };

  void LoadUnits();
  void LoadFunctions(Unit* unit);
  void OpenSplit(Dwarf_CU* cu, absl::string_view name, Unit* unit);
  static void AddRanges(const SplitUnit* split, Dwarf_Die* die, uint32_t index,
                        std::vector<Range>* ranges);
  static void SortRanges(std::vector<Range>* ranges);
  static const Range* Find(const std::vector<Range>& ranges, uint64_t address);
  const FunctionName& NameOf(Dwarf_Die* die);
  static void SetName(const FunctionName& name, Frame* frame);

  Dwarf* const dwarf_;
  SplitUnits splits_;  // before what it finds
  bool units_loaded_ = false;
  size_t missing_ = 0;
  std::string first_missing_;
  std::vector<Unit> units_;
  std::vector<Range> unit_ranges_;
  std::unordered_map<const void*, FunctionName> names_;  // by entry address
};

}  // namespace mallogram
