// Our reading of call frame information against elfutils' (libdw): every FDE of
// several libraries at several pcs, all registers.
#include "preload/unwinder/cfi.h"

#include <dlfcn.h>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <gelf.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <random>
#include <set>

#include "preload/unwinder/dwarf_reader.h"
#include "preload/unwinder/rules.h"
#include "tests/unwinder/harness.h"

namespace mallogram::testing {
namespace {

constexpr uint8_t kOpBregx = 0x92, kOpCallFrameCfa = 0x9c, kOpPlusUconst = 0x23,
                  kOpStackValue = 0x9f, kOpRegx = 0x90;

// elfutils' decoded operations name the byte offset of each in the original.
bool SameExpression(const uint8_t* code, uint64_t bytes, const Dwarf_Op* ops,
                    size_t count) {
  for (size_t i = 0; i < count; ++i) {
    if (ops[i].offset >= bytes || code[ops[i].offset] != ops[i].atom) return false;
    if (ops[i].atom >= 0x70 && ops[i].atom <= 0x8f) {  // breg
      DwarfReader reader(code + ops[i].offset + 1, code + bytes);
      if (reader.Sleb() != static_cast<int64_t>(ops[i].number)) return false;
    }
  }
  return count > 0;
}

// What elfutils says of "CFA + constant"; false if it is not of that form.
bool CfaPlus(const Dwarf_Op* ops, size_t count, int64_t* offset, bool* value) {
  *value = count > 0 && ops[count - 1].atom == kOpStackValue;
  if (*value) --count;
  if (count == 0 || ops[0].atom != kOpCallFrameCfa) return false;
  *offset = 0;
  if (count == 1) return true;
  if (count == 2 && ops[1].atom == kOpPlusUconst) {
    *offset = static_cast<int64_t>(ops[1].number);
    return true;
  }
  return false;
}

std::string CompareRows(const UnwindRow& row, Dwarf_Frame* frame) {
  Dwarf_Op* ops;
  size_t count;
  if (dwarf_frame_cfa(frame, &ops, &count) != 0) return "libdw has no CFA";
  if (row.cfa_is_expression) {
    if (!SameExpression(row.cfa_expression.code, row.cfa_expression.bytes, ops,
                        count)) {
      return "CFA expression";
    }
  } else if (count != 1 || ops[0].atom != kOpBregx ||
             ops[0].number != row.cfa_register ||
             static_cast<int64_t>(ops[0].number2) != row.cfa_offset) {
    return "CFA register or offset";
  }
  for (int reg = 0; reg < kDwarfRegisters; ++reg) {
    Dwarf_Op memory[3];
    if (dwarf_frame_register(frame, reg, memory, &ops, &count) != 0)
      return "libdw error";
    const RegisterRule& rule = row.registers[reg];
    const std::string name = "register " + std::to_string(reg);
    int64_t offset = 0;
    bool value = false;
    switch (rule.kind) {
      case RegisterRule::kSame:
        // libdw's defaults: caller-saved registers undefined, rsp = CFA.
        if (count != 0 &&
            !(reg == kRsp && CfaPlus(ops, count, &offset, &value) && value)) {
          return name + " same";
        }
        break;
      case RegisterRule::kUndefined:
        if (count != 0 || ops == nullptr) return name + " undefined";
        break;
      case RegisterRule::kOffset:
      case RegisterRule::kValOffset:
        if (!CfaPlus(ops, count, &offset, &value) || offset != rule.offset ||
            value != (rule.kind == RegisterRule::kValOffset)) {
          return name + " offset";
        }
        break;
      case RegisterRule::kRegister:
        if (count != 1 || ops[0].atom != kOpRegx ||
            ops[0].number != static_cast<uint64_t>(rule.offset)) {
          return name + " register";
        }
        break;
      case RegisterRule::kExpression:
      case RegisterRule::kValExpression:
        // Preceded by the CFA, followed by stack_value if it is a value.
        if (count < 2 || ops[0].atom != kOpCallFrameCfa)
          return name + " expression start";
        value = ops[count - 1].atom == kOpStackValue;
        if (value != (rule.kind == RegisterRule::kValExpression))
          return name + " kind";
        if (!SameExpression(rule.expression, rule.expression_bytes, ops + 1,
                            count - 1 - (value ? 1 : 0))) {
          return name + " expression";
        }
        break;
    }
  }
  return "";
}

struct Totals {
  uint64_t entries = 0, rows = 0, simple = 0, special = 0, complex = 0;
};

void CheckModule(const char* library, uint64_t any_pc, Totals* totals) {
  CodeModule module;
  ASSERT_TRUE(FindModule(any_pc, &module)) << library;
  Dl_info info;
  ASSERT_NE(dladdr(reinterpret_cast<void*>(any_pc), &info), 0);
  const int fd = open(info.dli_fname, O_RDONLY);
  ASSERT_GE(fd, 0) << info.dli_fname;
  elf_version(EV_CURRENT);
  Elf* elf = elf_begin(fd, ELF_C_READ_MMAP, nullptr);
  Dwarf_CFI* cfi = dwarf_getcfi_elf(elf);
  ASSERT_NE(cfi, nullptr) << info.dli_fname;

  const auto* header = static_cast<const uint8_t*>(module.eh_frame_hdr);
  const auto* end = reinterpret_cast<const uint8_t*>(module.end);
  DwarfReader reader(header, end);
  reader.Skip(1);
  const uint8_t encoding = reader.U8();
  reader.Skip(2);
  const uint64_t section =
      reader.Encoded(encoding, reinterpret_cast<uint64_t>(header));
  std::mt19937_64 random(1);
  int failures = 0;
  const auto* next = reinterpret_cast<const uint8_t*>(section);
  while (next != nullptr && failures < 10) {
    FrameEntry listed;
    if (!ParseFrameEntry(next, end, &listed, &next)) continue;
    ++totals->entries;
    const uint64_t size = listed.pc_end - listed.pc_begin;
    std::set<uint64_t> pcs;
    if (size != 0) {
      pcs = {listed.pc_begin, listed.pc_end - 1};
      for (int i = 0; i < 4; ++i) pcs.insert(listed.pc_begin + random() % size);
    }
    for (const uint64_t pc : pcs) {
      FrameEntry entry;
      UnwindRow row;
      Dwarf_Frame* frame = nullptr;
      std::string difference;
      if (!FindFrameEntry(module, pc, &entry)) {
        difference = "not found through the table";
      } else if (entry.pc_begin != listed.pc_begin) {
        continue;  // overlapping FDEs: the table decides
      } else if (!ExecuteCfi(entry, pc, &row)) {
        difference = "not executed";
      } else if (dwarf_cfi_addrframe(cfi, pc - module.bias, &frame) != 0) {
        difference = std::string("libdw: ") + dwarf_errmsg(-1);
      } else {
        bool signal = false;
        Dwarf_Addr begin, past;
        const int ra = dwarf_frame_info(frame, &begin, &past, &signal);
        difference = CompareRows(row, frame);
        if (ra != row.return_register) difference = "return address column";
        if (signal != row.signal_frame) difference = "signal frame flag";
        free(frame);
        ++totals->rows;
        const Rule rule = CompileRule(pc | kExactPc);
        ++(rule.simple()                   ? totals->simple
           : rule.kind() == Rule::kComplex ? totals->complex
                                           : totals->special);
      }
      if (!difference.empty()) {
        ++failures;
        ADD_FAILURE() << info.dli_fname << " at " << std::hex << pc - module.bias
                      << ": " << difference;
      }
    }
  }
  dwarf_cfi_end(cfi);
  elf_end(elf);
  close(fd);
}

TEST(Cfi, EveryEntryOfSystemLibrariesReadsAsLibdwReadsIt) {
  Totals totals;
  CheckModule("this program", reinterpret_cast<uint64_t>(&CompareRows), &totals);
  const char* libraries[] = {
      "libc.so.6",     "ld-linux-x86-64.so.2", "libstdc++.so.6", "libm.so.6",
      "libgcc_s.so.1", "libunwind.so.8",       "libcrypto.so.3", "libxml2.so.2"};
  for (const char* library : libraries) {
    void* handle = dlopen(library, RTLD_LAZY | RTLD_LOCAL);
    if (handle == nullptr) continue;  // not everywhere
    void* map[1];
    ASSERT_EQ(dlinfo(handle, RTLD_DI_LINKMAP, map), 0);
    // The dynamic section lies inside the module.
    const auto* link = static_cast<const uint64_t*>(map[0]);
    CheckModule(library, link[2], &totals);
  }
  printf("%lu entries, %lu rows: %lu simple, %lu special, %lu for the full walk\n",
         totals.entries, totals.rows, totals.simple, totals.special,
         totals.complex);
  EXPECT_GT(totals.rows, 20000u);
  EXPECT_GT(totals.simple, totals.rows * 9 / 10);
}

// ---- hand-made CFI ---------------------------------------------------------

struct HandMade {
  std::vector<uint8_t> cie_code, code;

  bool Row(uint64_t pc, UnwindRow* row) const {
    FrameEntry entry{};
    entry.pc_begin = 1000;
    entry.pc_end = 2000;
    entry.cie_code = cie_code.data();
    entry.cie_code_end = cie_code.data() + cie_code.size();
    entry.code = code.data();
    entry.code_end = code.data() + code.size();
    entry.code_align = 1;
    entry.data_align = -8;
    entry.return_register = kRa;
    return ExecuteCfi(entry, pc, row);
  }
};

TEST(Cfi, AllRegisterRules) {
  const HandMade cfi{{0x0c, 7, 8, 0x90, 1},
                     {0x41, 0x0e, 16,   0x86, 2,     // +1: rbp at -16
                      0x41, 0x0d, 6,                 // +2: CFA from rbp
                      0x0a,                          //     remember
                      0x41, 0x14, 3,    3,           // +3: rbx is CFA - 24
                      0x15, 12,   0x7d,              //     r12 is CFA + 24
                      0x11, 13,   0x7e,              //     r13 at +16
                      0x09, 14,   15,                //     r14 in r15
                      0x07, 15,   0x2e, 64,          //     r15 undefined; args_size
                      0x2f, 1,    2,                 //     rdx at +16
                      0x12, 7,    0x7c, 0x13, 0x7b,  //     CFA rsp + 32, then + 40
                      0x41, 0x0b,                    // +4: restore
                      0x41, 0xc6, 0x06, 16,          // +5: rbp, RA as in the CIE
                      0x41, 0x08, 3,    0x05, 12,   5,  // +6: same, offset_extended
                      0x02, 10,   0x03, 0,    1,    0x0e, 99}};
  UnwindRow row;
  ASSERT_TRUE(cfi.Row(1000, &row));
  EXPECT_EQ(row.cfa_register, 7);
  EXPECT_EQ(row.cfa_offset, 8);
  EXPECT_EQ(row.registers[kRa].offset, -8);
  EXPECT_EQ(row.registers[kRbp].kind, RegisterRule::kSame);
  ASSERT_TRUE(cfi.Row(1002, &row));
  EXPECT_EQ(row.cfa_register, 6);
  EXPECT_EQ(row.registers[kRbp].offset, -16);
  ASSERT_TRUE(cfi.Row(1003, &row));
  EXPECT_EQ(row.registers[kRbx].kind, RegisterRule::kValOffset);
  EXPECT_EQ(row.registers[kRbx].offset, -24);
  EXPECT_EQ(row.registers[12].offset, 24);
  EXPECT_EQ(row.registers[13].kind, RegisterRule::kOffset);
  EXPECT_EQ(row.registers[13].offset, 16);
  EXPECT_EQ(row.registers[14].kind, RegisterRule::kRegister);
  EXPECT_EQ(row.registers[14].offset, 15);
  EXPECT_EQ(row.registers[15].kind, RegisterRule::kUndefined);
  EXPECT_EQ(row.registers[1].offset, 16);
  EXPECT_EQ(row.cfa_register, 7);
  EXPECT_EQ(row.cfa_offset, 40);
  ASSERT_TRUE(cfi.Row(1004, &row));
  EXPECT_EQ(row.cfa_register, 6);
  EXPECT_EQ(row.cfa_offset, 16);
  EXPECT_EQ(row.registers[kRbx].kind, RegisterRule::kSame);
  ASSERT_TRUE(cfi.Row(1005, &row));
  EXPECT_EQ(row.registers[kRbp].kind, RegisterRule::kSame);
  EXPECT_EQ(row.registers[kRa].offset, -8);
  ASSERT_TRUE(cfi.Row(1015, &row));
  EXPECT_EQ(row.registers[12].offset, -40);
  EXPECT_EQ(row.cfa_offset, 16);
  ASSERT_TRUE(cfi.Row(1999, &row));
  EXPECT_EQ(row.cfa_offset, 99);
}

TEST(Cfi, DamagedCodeIsRefused) {
  UnwindRow row;
  EXPECT_FALSE((HandMade{{}, {0x3f}}.Row(1500, &row)));        // unknown opcode
  EXPECT_FALSE((HandMade{{}, {0x0b}}.Row(1500, &row)));        // nothing remembered
  EXPECT_FALSE((HandMade{{}, {0x0c, 7}}.Row(1500, &row)));     // cut
  EXPECT_FALSE((HandMade{{}, {0x0f, 9, 1}}.Row(1500, &row)));  // expression cut
  EXPECT_FALSE((HandMade{{}, std::vector<uint8_t>(100, 0x0a)}.Row(1500, &row)));
  EXPECT_TRUE((HandMade{{}, {0x05, 99, 3}}.Row(1500, &row)));  // a vector register
}

TEST(Cfi, WideLengthsAndOddAugmentations) {
  // A CIE (64-bit DWARF, augmentation "zPLR") and its FDE, then a CIE with an
  // unknown augmentation.
  std::vector<uint8_t> section;
  const auto put = [&section](std::initializer_list<int> bytes) {
    for (int b : bytes) section.push_back(static_cast<uint8_t>(b));
  };
  const auto put64 = [&section](uint64_t v) {
    for (int i = 0; i < 8; ++i)
      section.push_back(static_cast<uint8_t>(v >> (8 * i)));
  };
  put({0xff, 0xff, 0xff, 0xff});
  put64(8 + 1 + 5 + 3 + 1 + 7 + 3);
  put64(0);
  put({3,    'z', 'P', 'L', 'R', 0,    1,    0x78, 16, 7,
       0x03, 1,   2,   3,   4,   0x1b, 0x00, 0x0c, 7,  8});
  const size_t fde = section.size();
  put({0xff, 0xff, 0xff, 0xff});
  put64(8 + 16 + 2 + 2);
  put64(fde + 12);
  put64(0x1000);
  put64(0x100);
  put({1, 0, 0x0e, 32});
  FrameEntry entry;
  const uint8_t* next;
  const uint8_t* end = section.data() + section.size();
  EXPECT_FALSE(ParseFrameEntry(section.data(), end, &entry, &next));  // the CIE
  EXPECT_EQ(next, section.data() + fde);
  ASSERT_TRUE(ParseFrameEntry(section.data() + fde, end, &entry, &next));
  EXPECT_EQ(next, end);
  EXPECT_EQ(entry.pc_begin, 0x1000u);
  EXPECT_EQ(entry.pc_end, 0x1100u);
  UnwindRow row;
  ASSERT_TRUE(ExecuteCfi(entry, 0x1080, &row));
  EXPECT_EQ(row.cfa_offset, 32);
  section[fde - 13] = 'Q';  // "zPLQ": known up to Q, the rest skipped by length
  EXPECT_TRUE(ParseFrameEntry(section.data() + fde, end, &entry, &next));
  for (size_t cut = 1; cut + fde < section.size(); ++cut) {
    EXPECT_FALSE(ParseFrameEntry(section.data() + fde, end - cut, &entry, &next))
        << cut;
  }
}

}  // namespace
}  // namespace mallogram::testing
