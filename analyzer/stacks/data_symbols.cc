#include "analyzer/stacks/data_symbols.h"

#include <algorithm>
#include <cctype>
#include <string>

#include "absl/strings/match.h"
#include "analyzer/stacks/demangle.h"

namespace mallogram {
namespace {

bool NamesVariable(const GElf_Sym& symbol) {
  return symbol.st_size != 0 && GELF_ST_TYPE(symbol.st_info) == STT_OBJECT;
}

uint8_t RankOf(const GElf_Sym& symbol, const char* name) {
  // "environ" rather than "__environ": what people write.
  const bool reserved = name[0] == '_' && !absl::StartsWith(name, "_Z");
  switch (GELF_ST_BIND(symbol.st_info)) {
    case STB_GLOBAL:
      return reserved ? 2 : 5;
    case STB_WEAK:
      return reserved ? 1 : 4;
    default:
      return reserved ? 0 : 3;
  }
}

// "cache.0", a static local of C: without the number that keeps it apart from
// others. "completed.0" of the compiler's own start files reads no worse.
std::string WithoutNumber(std::string name) {
  const size_t dot = name.rfind('.');
  if (dot == std::string::npos || dot == 0 || dot + 1 == name.size()) return name;
  if (!std::all_of(name.begin() + static_cast<ptrdiff_t>(dot) + 1, name.end(),
                   [](unsigned char c) { return std::isdigit(c) != 0; })) {
    return name;
  }
  return name.substr(0, dot);
}

}  // namespace

DataSymbols::DataSymbols(Dwfl_Module* module)
    : module_(module), ranges_(module, NamesVariable, RankOf) {}

DataName DataSymbols::InSection(uint64_t address) const {
  DataName found;
  Dwarf_Addr bias = 0;
  Elf* elf = dwfl_module_getelf(module_, &bias);
  size_t names = 0;
  if (elf == nullptr || elf_getshdrstrndx(elf, &names) != 0) return found;
  for (Elf_Scn* section = nullptr;
       (section = elf_nextscn(elf, section)) != nullptr;) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr ||
        (header.sh_flags & SHF_ALLOC) == 0 || (header.sh_flags & SHF_TLS) != 0 ||
        address - bias - header.sh_addr >= header.sh_size) {
      continue;
    }
    const char* name = elf_strptr(elf, names, header.sh_name);
    if (name != nullptr) found.section = name;
    found.offset = address - bias - header.sh_addr;
  }
  return found;
}

DataName DataSymbols::Find(uint64_t address) const {
  const SymbolRanges::Range* variable = ranges_.FindAround(address);
  const char* name = variable == nullptr ? nullptr : ranges_.NameOf(*variable);
  if (name == nullptr) return InSection(address);
  // "[abi:cxx11]" is for the linker.
  const std::string demangled = Demangle(name);
  return {WithoutNumber(demangled.substr(0, demangled.find("[abi:"))),
          address - variable->start, ""};
}

}  // namespace mallogram
