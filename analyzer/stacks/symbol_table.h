// The function symbols of one ELF file, sorted: an address costs a binary search.
// libdwfl's own answer walks the whole table for each address; with the 10,000
// addresses of a recorded clang and libLLVM's 100,000 symbols that took 8 of
// the 8.8 seconds of a report.
#pragma once

#include <elfutils/libdwfl.h>

#include <cstdint>
#include <vector>

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
  struct Symbol {
    uint64_t start, end;  // equal: without size
    uint64_t reach;       // highest end of this and all symbols before
    int index;            // libdwfl's
    uint8_t rank;         // of several at one address the lowest is taken
  };
  bool InSectionOf(const Symbol& symbol, uint64_t address) const;

  Dwfl_Module* const module_;
  std::vector<Symbol> symbols_;
};

}  // namespace mallogram
