#include "analyzer/stacks/data_symbols.h"

#include <algorithm>
#include <cctype>
#include <tuple>

#include "absl/strings/match.h"
#include "analyzer/stacks/demangle.h"

namespace mallogram {
namespace {

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

DataSymbols::DataSymbols(Dwfl_Module* module) : module_(module) {
  const int count = dwfl_module_getsymtab(module);
  for (int i = 0; i < count; ++i) {
    GElf_Sym symbol;
    GElf_Addr start = 0;
    GElf_Word section = SHN_UNDEF;
    const char* name = dwfl_module_getsym_info(module, i, &symbol, &start, &section,
                                               nullptr, nullptr);
    if (name == nullptr || name[0] == '\0' || symbol.st_size == 0 ||
        section == SHN_UNDEF || section == SHN_ABS ||
        GELF_ST_TYPE(symbol.st_info) != STT_OBJECT) {
      continue;
    }
    const uint64_t end = start + symbol.st_size;
    if (end < start) continue;
    variables_.push_back({start, end, 0, i, RankOf(symbol, name)});
  }
  // At one address the shorter comes last, and so is met first; of equals the one
  // of the highest rank.
  std::sort(variables_.begin(), variables_.end(),
            [](const Variable& a, const Variable& b) {
              return std::tuple(a.start, b.end, a.rank, b.index) <
                     std::tuple(b.start, a.end, b.rank, a.index);
            });
  uint64_t reach = 0;
  for (Variable& variable : variables_) {
    reach = std::max(reach, variable.end);
    variable.reach = reach;
  }
}

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
  auto at = std::upper_bound(variables_.begin(), variables_.end(), address,
                             [](uint64_t value, const Variable& variable) {
                               return value < variable.start;
                             });
  if (at == variables_.begin() || (at - 1)->reach <= address)
    return InSection(address);
  --at;
  while (address >= at->end) --at;  // ends before the table does: `reach` says so
  GElf_Sym symbol;
  GElf_Addr start = 0;
  const char* name = dwfl_module_getsym_info(module_, at->index, &symbol, &start,
                                             nullptr, nullptr, nullptr);
  if (name == nullptr) return InSection(address);
  // "[abi:cxx11]" is for the linker.
  const std::string demangled = Demangle(name);
  return {WithoutNumber(demangled.substr(0, demangled.find("[abi:"))),
          address - at->start, ""};
}

}  // namespace mallogram
