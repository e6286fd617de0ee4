#include "analyzer/stacks/symbol_table.h"

#include <algorithm>
#include <tuple>

namespace mallogram {
namespace {

uint8_t RankOf(const GElf_Sym& symbol) {
  switch (GELF_ST_BIND(symbol.st_info)) {
    case STB_GLOBAL:
      return 0;
    case STB_WEAK:
      return 1;
    default:
      return 2;
  }
}

bool NamesCode(const GElf_Sym& symbol, GElf_Word section) {
  if (section == SHN_UNDEF || section == SHN_ABS) return false;
  switch (GELF_ST_TYPE(symbol.st_info)) {
    case STT_SECTION:
    case STT_FILE:
    case STT_TLS:
    case STT_OBJECT:
      return false;
    default:
      return true;
  }
}

}  // namespace

SymbolTable::SymbolTable(Dwfl_Module* module) : module_(module) {
  const int count = dwfl_module_getsymtab(module);
  for (int i = 0; i < count; ++i) {
    GElf_Sym symbol;
    GElf_Addr start = 0;
    GElf_Word section = SHN_UNDEF;
    const char* name = dwfl_module_getsym_info(module, i, &symbol, &start, &section,
                                               nullptr, nullptr);
    if (name == nullptr || name[0] == '\0' || !NamesCode(symbol, section)) continue;
    const uint64_t end = start + symbol.st_size;
    if (end < start) continue;
    symbols_.push_back({start, end, 0, i, RankOf(symbol)});
  }
  // At one address the shorter comes last, and so is met first; of equals the one
  // that ranks first.
  std::sort(symbols_.begin(), symbols_.end(), [](const Symbol& a, const Symbol& b) {
    return std::tuple(a.start, b.end, b.rank, b.index) <
           std::tuple(b.start, a.end, a.rank, a.index);
  });
  uint64_t reach = 0;
  for (Symbol& symbol : symbols_) {
    reach = std::max(reach, symbol.end);
    symbol.reach = reach;
  }
}

bool SymbolTable::InSectionOf(const Symbol& symbol, uint64_t address) const {
  GElf_Sym entry;
  GElf_Addr start = 0;
  GElf_Word section = SHN_UNDEF;
  Elf* elf = nullptr;
  Dwarf_Addr bias = 0;
  if (dwfl_module_getsym_info(module_, symbol.index, &entry, &start, &section, &elf,
                              &bias) == nullptr) {
    return false;
  }
  GElf_Shdr header;
  return gelf_getshdr(elf_getscn(elf, section), &header) != nullptr &&
         address - bias - header.sh_addr < header.sh_size;
}

const char* SymbolTable::Find(uint64_t address) const {
  auto at = std::upper_bound(
      symbols_.begin(), symbols_.end(), address,
      [](uint64_t value, const Symbol& symbol) { return value < symbol.start; });
  if (at == symbols_.begin()) return nullptr;
  const Symbol* found = &*--at;
  if (found->reach > address) {
    while (address >= at->end) --at;  // ends before the table does: `reach` says so
    found = &*at;
  } else if (found->start < found->reach || !InSectionOf(*found, address)) {
    // Between two symbols with sizes, or far behind the last label of a section.
    return nullptr;
  }
  GElf_Sym symbol;
  GElf_Addr start = 0;
  return dwfl_module_getsym_info(module_, found->index, &symbol, &start, nullptr,
                                 nullptr, nullptr);
}

}  // namespace mallogram
