// Names of addresses as libdwfl finds them by its linear search, for every symbol
// of this program and of libc: at its first byte, in it, at its last, and after it.
#include "analyzer/stacks/symbol_table.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <string>

#include "analyzer/stacks/data_symbols.h"

namespace mallogram {
namespace {

class File {
 public:
  explicit File(const std::string& path) {
    callbacks_.find_elf = dwfl_build_id_find_elf;
    callbacks_.find_debuginfo = dwfl_standard_find_debuginfo;
    callbacks_.section_address = dwfl_offline_section_address;
    dwfl_ = dwfl_begin(&callbacks_);
    module_ = dwfl_report_offline(dwfl_, "module", path.c_str(), -1);
    dwfl_report_end(dwfl_, nullptr, nullptr);
  }
  ~File() { dwfl_end(dwfl_); }
  Dwfl_Module* module() { return module_; }

 private:
  Dwfl_Callbacks callbacks_ = {};
  Dwfl* dwfl_ = nullptr;
  Dwfl_Module* module_ = nullptr;
};

// True if `address` lies in a section of code.
bool IsCode(Dwfl_Module* module, uint64_t address) {
  GElf_Addr bias = 0;
  Elf* elf = dwfl_module_getelf(module, &bias);
  for (Elf_Scn* section = nullptr;
       (section = elf_nextscn(elf, section)) != nullptr;) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) != nullptr &&
        (header.sh_flags & SHF_EXECINSTR) != 0 &&
        address - bias - header.sh_addr < header.sh_size) {
      return true;
    }
  }
  return false;
}

bool HasSymbol(Dwfl_Module* module, const std::string& name, uint64_t address) {
  for (int i = 0; i < dwfl_module_getsymtab(module); ++i) {
    GElf_Sym symbol;
    GElf_Addr start = 0;
    const char* other = dwfl_module_getsym_info(module, i, &symbol, &start, nullptr,
                                                nullptr, nullptr);
    if (other != nullptr && start == address && other == name) return true;
  }
  return false;
}

// True if the table says what libdwfl says; of several names of one function
// either.
bool Agrees(Dwfl_Module* module, const SymbolTable& table, uint64_t address) {
  if (!IsCode(module, address)) return true;
  GElf_Off offset = 0;
  GElf_Sym symbol;
  const char* expected = dwfl_module_addrinfo(module, address, &offset, &symbol,
                                              nullptr, nullptr, nullptr);
  const char* found = table.Find(address);
  if (expected == nullptr || found == nullptr) return expected == found;
  return std::string(expected) == found ||
         HasSymbol(module, found, address - offset);
}

void CompareFile(const std::string& path, bool every_byte) {
  File file(path);
  ASSERT_NE(file.module(), nullptr) << path;
  const SymbolTable table(file.module());
  const int count = dwfl_module_getsymtab(file.module());
  const int step = 1 + count / 1000;  // libdwfl takes a while for each address
  int symbols = 0;
  for (int i = 0; i < count; i += step) {
    GElf_Sym symbol;
    GElf_Addr start = 0;
    if (dwfl_module_getsym_info(file.module(), i, &symbol, &start, nullptr, nullptr,
                                nullptr) == nullptr ||
        !IsCode(file.module(), start)) {
      continue;
    }
    ++symbols;
    const uint64_t end = start + symbol.st_size;
    for (const uint64_t address : {start, (start + end) / 2, end - 1, end}) {
      ASSERT_TRUE(Agrees(file.module(), table, address)) << std::hex << address;
    }
    for (uint64_t near = 0; every_byte && near < 160; ++near) {
      ASSERT_TRUE(Agrees(file.module(), table, start - 80 + near))
          << std::hex << start - 80 + near;
    }
  }
  EXPECT_GT(symbols, every_byte ? 5 : 300);
}

TEST(SymbolTable, ThisProgram) { CompareFile("/proc/self/exe", false); }

TEST(SymbolTable, LibC) {
  Dl_info info;
  ASSERT_NE(dladdr(reinterpret_cast<void*>(&::qsort), &info), 0);
  CompareFile(info.dli_fname, false);
}

TEST(SymbolTable, EveryByteOfOddSymbols) { CompareFile(ODD_SYMBOLS, true); }

// Where libdwfl has `name`; 0: nowhere.
uint64_t AddressOf(Dwfl_Module* module, const std::string& name) {
  for (int i = 0; i < dwfl_module_getsymtab(module); ++i) {
    GElf_Sym symbol;
    GElf_Addr start = 0;
    const char* other = dwfl_module_getsym_info(module, i, &symbol, &start, nullptr,
                                                nullptr, nullptr);
    if (other != nullptr && other == name) return start;
  }
  return 0;
}

// libdwfl takes any of these; which one is ours to say.
TEST(SymbolTable, OfOneAddress) {
  File file(ODD_SYMBOLS);
  const SymbolTable table(file.module());
  const uint64_t twins = AddressOf(file.module(), "local_twin");
  const uint64_t lengths = AddressOf(file.module(), "long_one");
  ASSERT_NE(twins, 0);
  ASSERT_NE(lengths, 0);
  EXPECT_STREQ(table.Find(twins), "twin_of_local");
  EXPECT_STREQ(table.Find(lengths + 15), "short_one");
  EXPECT_STREQ(table.Find(lengths + 16), "long_one");
}

TEST(DataSymbols, OfOneAddress) {
  File file(ODD_SYMBOLS);
  const DataSymbols variables(file.module());
  const uint64_t bindings = AddressOf(file.module(), "local_one");
  const uint64_t whole = AddressOf(file.module(), "whole");
  ASSERT_NE(bindings, 0);
  ASSERT_NE(whole, 0);
  EXPECT_EQ(variables.Find(bindings + 3).name, "plain");
  EXPECT_EQ(variables.Find(whole + 7).name, "whole");
  EXPECT_EQ(variables.Find(whole + 8).name, "part");
  EXPECT_EQ(variables.Find(whole + 20).name, "whole");
  EXPECT_EQ(variables.Find(whole + 20).offset, 20);
  // Functions are no variables; between variables there is the section.
  const DataName code = variables.Find(AddressOf(file.module(), "outer"));
  EXPECT_EQ(code.name, "");
  EXPECT_EQ(code.section, ".text");
}

}  // namespace
}  // namespace mallogram
