#include "analyzer/stacks/symbol_table.h"

namespace mallogram {
namespace {

uint8_t RankOf(const GElf_Sym& symbol, const char*) {
  switch (GELF_ST_BIND(symbol.st_info)) {
    case STB_GLOBAL:
      return 2;
    case STB_WEAK:
      return 1;
    default:
      return 0;
  }
}

bool NamesCode(const GElf_Sym& symbol) {
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

SymbolTable::SymbolTable(Dwfl_Module* module)
    : module_(module), ranges_(module, NamesCode, RankOf) {}

bool SymbolTable::InSectionOf(const SymbolRanges::Range& symbol,
                              uint64_t address) const {
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
  if (const SymbolRanges::Range* around = ranges_.FindAround(address))
    return ranges_.NameOf(*around);
  const SymbolRanges::Range* before = ranges_.FindBefore(address);
  // Between two symbols with sizes, or far behind the last label of a section.
  if (before == nullptr || before->start < before->reach ||
      !InSectionOf(*before, address)) {
    return nullptr;
  }
  return ranges_.NameOf(*before);
}

}  // namespace mallogram
