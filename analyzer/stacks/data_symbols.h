// The variables of one ELF file.
#pragma once

#include <elfutils/libdwfl.h>

#include <cstdint>

#include "analyzer/stacks/symbol_ranges.h"
#include "analyzer/stacks/symbolizer.h"

namespace mallogram {

class DataSymbols {
 public:
  // Reads the table: .symtab of the file or of its debug file, else .dynsym.
  explicit DataSymbols(Dwfl_Module* module);

  // The variable around `address` (as libdwfl lays out the module); the innermost
  // if there are several. Between variables: the section.
  DataName Find(uint64_t address) const;

 private:
  DataName InSection(uint64_t address) const;

  Dwfl_Module* const module_;
  SymbolRanges ranges_;
};

}  // namespace mallogram
