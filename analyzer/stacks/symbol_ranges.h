// Symbols of one ELF file, sorted: an address costs a binary search. libdwfl's own
// answer walks the whole table for each address; with the 10,000 addresses of a
// recorded clang and libLLVM's 100,000 symbols that took 8 of the 8.8 seconds of
// a report.
#pragma once

#include <elfutils/libdwfl.h>

#include <cstdint>
#include <vector>

namespace mallogram {

class SymbolRanges {
 public:
  // Whether a symbol is taken. Undefined, absolute and nameless ones never are.
  using Filter = bool (*)(const GElf_Sym& symbol);
  // Of several symbols at one address the one of the highest rank is found.
  using Rank = uint8_t (*)(const GElf_Sym& symbol, const char* name);

  struct Range {
    uint64_t start, end;  // as libdwfl lays out the module; equal: without size
    uint64_t reach;       // highest end of this and all ranges before
    int index;            // libdwfl's
    uint8_t rank;
  };

  // Reads the table: .symtab of the file or of its debug file, else .dynsym.
  SymbolRanges(Dwfl_Module* module, Filter filter, Rank rank);

  // The innermost range around `address`. nullptr: none.
  const Range* FindAround(uint64_t address) const;

  // The last range that starts at or before `address`, wherever it ends.
  // nullptr: none.
  const Range* FindBefore(uint64_t address) const;

  // The symbol's name as in the file; lives as long as the module.
  const char* NameOf(const Range& range) const;

 private:
  Dwfl_Module* const module_;
  std::vector<Range> ranges_;
};

}  // namespace mallogram
