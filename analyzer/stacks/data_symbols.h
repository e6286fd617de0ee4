// The variables of one ELF file, sorted by address.
#pragma once

#include <elfutils/libdwfl.h>

#include <cstdint>
#include <string>
#include <vector>

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
  struct Variable {
    uint64_t start, end;
    uint64_t reach;  // highest end of this and all before
    int index;       // libdwfl's
    uint8_t rank;    // of several at one address the highest is taken
  };
  DataName InSection(uint64_t address) const;

  Dwfl_Module* const module_;
  std::vector<Variable> variables_;
};

}  // namespace mallogram
