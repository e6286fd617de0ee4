// The function symbols of one ELF file.
#pragma once

#include <elfutils/libdwfl.h>

#include <cstdint>

#include "analyzer/stacks/symbol_ranges.h"

namespace mallogram {

class SymbolTable {
 public:
  // Reads the table: .symtab of the file or of its debug file, else .dynsym.
  explicit SymbolTable(Dwfl_Module* module);

  // The mangled name of the innermost symbol around `address` (as libdwfl lays out
  // the module); else of a symbol without size, as hand-written assembly has, if it
  // is the last one before `address` and in its section. nullptr: none. The name
  // lives as long as the module.
  const char* Find(uint64_t address) const;

 private:
  bool InSectionOf(const SymbolRanges::Range& symbol, uint64_t address) const;

  Dwfl_Module* const module_;
  SymbolRanges ranges_;
};

}  // namespace mallogram
