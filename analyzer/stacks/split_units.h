// Units of split DWARF that libdw 0.188 does not find: in a package beside the
// program (PROGRAM.dwp; DWARF 5 §7.3.5, and GNU's extension of DWARF 4), in .dwo
// files that were moved there with it, or compressed by zstd.
//
// A unit's parts of the package become a file in memory, which libdw reads. Not so
// addresses: the unit names them by number, their table is in the program, and
// ranges are relative to one that the program's skeleton of the unit has. They are
// read here.
#pragma once

#include <elfutils/libdw.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "analyzer/stacks/elf_image.h"

namespace mallogram {

// What the program says of a unit that is elsewhere.
struct Skeleton {
  uint64_t id = 0;
  int version = 0;              // of DWARF
  std::string file, directory;  // of the .dwo, as compiled
  uint64_t base = 0;            // its DW_AT_low_pc
  uint64_t addresses = 0;       // where its part of .debug_addr starts,
  uint64_t ranges = 0;          // and of .debug_ranges (DWARF 4)
};

struct SplitUnit {
  std::unique_ptr<DwarfImage> image;
  Dwarf_Die die;
  int version = 0;
  uint64_t base = 0;
  absl::string_view info;       // what attributes lie in
  absl::string_view addresses;  // 8 bytes each
  absl::string_view ranges;     // .debug_rnglists.dwo, or .debug_ranges
};

// Of an entry of such a unit: [start, end), as in the program.
std::vector<std::pair<uint64_t, uint64_t>> RangesOf(const SplitUnit& unit,
                                                    Dwarf_Die* die);

class SplitUnits {
 public:
  // `program`: has the skeletons. `paths`: where it and its debug file lie.
  SplitUnits(Elf* program, std::vector<std::string> paths);
  ~SplitUnits();
  SplitUnits(const SplitUnits&) = delete;
  SplitUnits& operator=(const SplitUnits&) = delete;

  // nullptr: not found. What is found lives no longer than the object.
  std::unique_ptr<SplitUnit> Find(const Skeleton& skeleton);

 private:
  class File;  // a package, or a .dwo
  std::unique_ptr<SplitUnit> FindIn(File* file, const Skeleton& skeleton);

  ElfSections program_;
  const std::vector<std::string> paths_;
  bool opened_packages_ = false;
  std::vector<std::unique_ptr<File>> packages_, units_;
};

}  // namespace mallogram
