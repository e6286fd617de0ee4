#include "preload/unwinder/cfi.h"

#include <dwarf.h>

#include "preload/unwinder/dwarf_reader.h"

namespace mallogram {
namespace {

// Nested DW_CFA_remember_state: compilers nest one or two. Kept small: the
// tracer runs on the program's stacks, and some have only 16 KiB.
constexpr int kRememberDepth = 6;

struct CfiLength {
  uint64_t bytes;
  bool wide;  // 64-bit DWARF
};

CfiLength ReadLength(DwarfReader* reader) {
  const uint32_t length = reader->Fixed<uint32_t>();
  if (length != 0xffffffffu) return {length, false};
  return {reader->Fixed<uint64_t>(), true};
}

bool ParseCie(const uint8_t* cie, const uint8_t* end, FrameEntry* entry) {
  DwarfReader reader(cie, end);
  const CfiLength length = ReadLength(&reader);
  if (!reader.ok() || length.bytes == 0 || length.bytes > reader.left())
    return false;
  end = reader.position() + length.bytes;
  reader = DwarfReader(reader.position(), end);
  const uint64_t id =
      length.wide ? reader.Fixed<uint64_t>() : reader.Fixed<uint32_t>();
  if (id != 0) return false;
  const uint8_t version = reader.U8();
  if (version != 1 && version != 3 && version != 4) return false;

  const uint8_t* augmentation = reader.position();
  while (reader.ok() && reader.U8() != 0) {
  }
  if (augmentation[0] == 'e' && augmentation[1] == 'h') {
    reader.Skip(8);  // gcc 2's pointer to its exception table
    augmentation += 2;
  }
  if (version == 4) reader.Skip(2);  // address and segment sizes
  entry->code_align = reader.Uleb();
  entry->data_align = reader.Sleb();
  const uint64_t ra = version == 1 ? reader.U8() : reader.Uleb();
  if (ra >= kDwarfRegisters) return false;
  entry->return_register = static_cast<uint8_t>(ra);
  entry->pointer_encoding = kPeAbsolute;
  entry->signal_frame = false;
  entry->augmented = augmentation[0] == 'z';

  if (entry->augmented) {
    const uint64_t bytes = reader.Uleb();
    if (!reader.ok() || bytes > reader.left()) return false;
    const uint8_t* data_end = reader.position() + bytes;
    for (++augmentation; *augmentation != 0; ++augmentation) {
      if (*augmentation == 'R') {
        entry->pointer_encoding = reader.U8();
      } else if (*augmentation == 'P') {
        const uint8_t encoding = reader.U8();
        reader.Encoded(encoding, 0, /*follow=*/false);
      } else if (*augmentation == 'L') {
        reader.U8();
      } else if (*augmentation == 'S') {
        entry->signal_frame = true;
      } else {
        break;  // unknown, but its data is skipped by length
      }
    }
    if (!reader.ok() || reader.position() > data_end) return false;
    reader = DwarfReader(data_end, end);
  } else if (augmentation[0] != 0) {
    return false;
  }
  entry->cie_code = reader.position();
  entry->cie_code_end = end;
  return reader.ok();
}

bool FindLinear(const uint8_t* section, const uint8_t* end, uint64_t pc,
                FrameEntry* entry) {
  while (section != nullptr) {
    const uint8_t* next;
    if (ParseFrameEntry(section, end, entry, &next) && pc >= entry->pc_begin &&
        pc < entry->pc_end) {
      return true;
    }
    section = next;
  }
  return false;
}

// ---- execution ------------------------------------------------------------

class CfiMachine {
 public:
  CfiMachine(const FrameEntry& entry, uint64_t pc, UnwindRow* row)
      : entry_(entry), pc_(pc), location_(entry.pc_begin), row_(*row) {}

  bool Run() {
    __builtin_memset(&row_, 0, sizeof(row_));
    row_.signal_frame = entry_.signal_frame;
    row_.return_register = entry_.return_register;
    if (!RunCode(entry_.cie_code, entry_.cie_code_end)) return false;
    initial_ = row_;
    location_ = entry_.pc_begin;
    return RunCode(entry_.code, entry_.code_end);
  }

 private:
  void Set(uint64_t reg, RegisterRule::Kind kind, int64_t offset) {
    if (reg >= kDwarfRegisters) return;  // vector registers
    row_.registers[reg].kind = kind;
    row_.registers[reg].offset = offset;
  }
  void SetExpression(DwarfReader* reader, uint64_t reg, RegisterRule::Kind kind) {
    const uint64_t bytes = reader->Uleb();
    if (reg < kDwarfRegisters) {
      row_.registers[reg].kind = kind;
      row_.registers[reg].expression = reader->position();
      row_.registers[reg].expression_bytes = static_cast<uint32_t>(bytes);
    }
    reader->Skip(bytes);
  }
  void SetCfa(uint64_t reg, int64_t offset) {
    row_.cfa_is_expression = false;
    row_.cfa_register = static_cast<uint8_t>(reg < kDwarfRegisters ? reg : 255);
    row_.cfa_offset = offset;
  }
  int64_t Scaled(uint64_t factor) const {
    return static_cast<int64_t>(factor * static_cast<uint64_t>(entry_.data_align));
  }
  // True if the row for pc_ is complete: the next row starts beyond it.
  bool Advance(uint64_t delta) {
    location_ += delta * entry_.code_align;
    return location_ > pc_;
  }

  bool RunCode(const uint8_t* code, const uint8_t* end);
  bool RunExtended(uint8_t op, DwarfReader* reader, bool* done);
  bool DefineCfa(uint8_t op, DwarfReader* reader);
  bool DefineRegister(uint8_t op, DwarfReader* reader);

  const FrameEntry& entry_;
  const uint64_t pc_;
  uint64_t location_;
  UnwindRow& row_;
  UnwindRow initial_;
  UnwindRow remembered_[kRememberDepth];
  int remembered_count_ = 0;
};

bool CfiMachine::RunCode(const uint8_t* code, const uint8_t* end) {
  DwarfReader reader(code, end);
  while (!reader.AtEnd()) {
    const uint8_t op = reader.U8();
    const uint8_t low = op & 0x3f;  // an operand within the opcode
    switch (op & 0xc0) {
      case DW_CFA_advance_loc:
        if (Advance(low)) return true;
        break;
      case DW_CFA_offset:
        Set(low, RegisterRule::kOffset, Scaled(reader.Uleb()));
        break;
      case DW_CFA_restore:
        if (low < kDwarfRegisters) row_.registers[low] = initial_.registers[low];
        break;
      default: {
        bool done = false;
        if (!RunExtended(op, &reader, &done)) return false;
        if (done) return reader.ok();
      }
    }
  }
  return reader.ok();
}

// False: another kind of op.
bool CfiMachine::DefineCfa(uint8_t op, DwarfReader* reader) {
  switch (op) {
    case DW_CFA_def_cfa: {
      const uint64_t reg = reader->Uleb();
      SetCfa(reg, static_cast<int64_t>(reader->Uleb()));
      return true;
    }
    case DW_CFA_def_cfa_register:
      SetCfa(reader->Uleb(), row_.cfa_offset);
      return true;
    case DW_CFA_def_cfa_offset:
      row_.cfa_offset = static_cast<int64_t>(reader->Uleb());
      return true;
    case DW_CFA_def_cfa_expression:
      row_.cfa_is_expression = true;
      row_.cfa_expression.bytes = reader->Uleb();
      row_.cfa_expression.code = reader->position();
      reader->Skip(row_.cfa_expression.bytes);
      return true;
    case DW_CFA_def_cfa_sf: {
      const uint64_t reg = reader->Uleb();
      SetCfa(reg, Scaled(static_cast<uint64_t>(reader->Sleb())));
      return true;
    }
    case DW_CFA_def_cfa_offset_sf:
      row_.cfa_offset = Scaled(static_cast<uint64_t>(reader->Sleb()));
      return true;
    default:
      return false;
  }
}

// False: another kind of op.
bool CfiMachine::DefineRegister(uint8_t op, DwarfReader* reader) {
  switch (op) {
    case DW_CFA_offset_extended: {
      const uint64_t reg = reader->Uleb();
      Set(reg, RegisterRule::kOffset, Scaled(reader->Uleb()));
      return true;
    }
    case DW_CFA_restore_extended: {
      const uint64_t reg = reader->Uleb();
      if (reg < kDwarfRegisters) row_.registers[reg] = initial_.registers[reg];
      return true;
    }
    case DW_CFA_undefined:
      Set(reader->Uleb(), RegisterRule::kUndefined, 0);
      return true;
    case DW_CFA_same_value:
      Set(reader->Uleb(), RegisterRule::kSame, 0);
      return true;
    case DW_CFA_register: {
      const uint64_t reg = reader->Uleb();
      Set(reg, RegisterRule::kRegister, static_cast<int64_t>(reader->Uleb()));
      return true;
    }
    case DW_CFA_expression:
      SetExpression(reader, reader->Uleb(), RegisterRule::kExpression);
      return true;
    case DW_CFA_offset_extended_sf: {
      const uint64_t reg = reader->Uleb();
      Set(reg, RegisterRule::kOffset,
          Scaled(static_cast<uint64_t>(reader->Sleb())));
      return true;
    }
    case DW_CFA_val_offset: {
      const uint64_t reg = reader->Uleb();
      Set(reg, RegisterRule::kValOffset, Scaled(reader->Uleb()));
      return true;
    }
    case DW_CFA_val_offset_sf: {
      const uint64_t reg = reader->Uleb();
      Set(reg, RegisterRule::kValOffset,
          Scaled(static_cast<uint64_t>(reader->Sleb())));
      return true;
    }
    case DW_CFA_val_expression:
      SetExpression(reader, reader->Uleb(), RegisterRule::kValExpression);
      return true;
    case DW_CFA_GNU_negative_offset_extended: {
      const uint64_t reg = reader->Uleb();
      Set(reg, RegisterRule::kOffset, -Scaled(reader->Uleb()));
      return true;
    }
    default:
      return false;
  }
}

bool CfiMachine::RunExtended(uint8_t op, DwarfReader* reader, bool* done) {
  switch (op) {
    case DW_CFA_nop:
      return true;
    case DW_CFA_set_loc:
      location_ = reader->Encoded(entry_.pointer_encoding, 0);
      *done = location_ > pc_;
      return true;
    case DW_CFA_advance_loc1:
      *done = Advance(reader->U8());
      return true;
    case DW_CFA_advance_loc2:
      *done = Advance(reader->Fixed<uint16_t>());
      return true;
    case DW_CFA_advance_loc4:
      *done = Advance(reader->Fixed<uint32_t>());
      return true;
    case DW_CFA_MIPS_advance_loc8:
      *done = Advance(reader->Fixed<uint64_t>());
      return true;
    case DW_CFA_remember_state:
      if (remembered_count_ == kRememberDepth) return false;
      remembered_[remembered_count_++] = row_;
      return true;
    case DW_CFA_restore_state:  // the CFA included (as compilers expect)
      if (remembered_count_ == 0) return false;
      row_ = remembered_[--remembered_count_];
      return true;
    case DW_CFA_GNU_args_size:  // for exceptions only
      reader->Uleb();
      return true;
    default:
      return DefineCfa(op, reader) || DefineRegister(op, reader);
  }
}

}  // namespace

bool ParseFrameEntry(const uint8_t* fde, const uint8_t* end, FrameEntry* entry,
                     const uint8_t** next) {
  *next = nullptr;
  DwarfReader reader(fde, end);
  const CfiLength length = ReadLength(&reader);
  if (!reader.ok() || length.bytes == 0 || length.bytes > reader.left())
    return false;
  const uint8_t* entry_end = reader.position() + length.bytes;
  *next = entry_end;
  reader = DwarfReader(reader.position(), entry_end);
  const uint8_t* here = reader.position();
  const uint64_t cie_distance =
      length.wide ? reader.Fixed<uint64_t>() : reader.Fixed<uint32_t>();
  if (!reader.ok() || cie_distance == 0) return false;  // 0: this is a CIE
  if (!ParseCie(here - cie_distance, end, entry)) return false;
  entry->pc_begin = reader.Encoded(entry->pointer_encoding, 0);
  entry->pc_end =
      entry->pc_begin + reader.Encoded(entry->pointer_encoding & kPeFormatMask, 0);
  if (entry->augmented) reader.Skip(reader.Uleb());
  entry->code = reader.position();
  entry->code_end = entry_end;
  return reader.ok();
}

bool FindFrameEntry(const CodeModule& module, uint64_t pc, FrameEntry* entry) {
  const auto* header = static_cast<const uint8_t*>(module.eh_frame_hdr);
  if (header == nullptr) return false;
  const auto base = reinterpret_cast<uint64_t>(header);
  const auto* end = reinterpret_cast<const uint8_t*>(module.end);
  DwarfReader reader(header, end);
  const uint8_t version = reader.U8();
  const uint8_t frame_encoding = reader.U8();
  const uint8_t count_encoding = reader.U8();
  const uint8_t table_encoding = reader.U8();
  const uint64_t eh_frame = reader.Encoded(frame_encoding, base);
  if (!reader.ok() || version != 1) return false;
  const auto* section = reinterpret_cast<const uint8_t*>(eh_frame);
  if (count_encoding == kPeOmit ||
      table_encoding != (DW_EH_PE_datarel | DW_EH_PE_sdata4)) {
    return eh_frame != 0 && FindLinear(section, end, pc, entry);
  }
  const uint64_t count = reader.Encoded(count_encoding, base);
  struct Row {
    int32_t pc, fde;  // relative to the header
  };
  if (!reader.ok() || count == 0 || count > reader.left() / sizeof(Row))
    return false;
  const auto* rows = reinterpret_cast<const Row*>(reader.position());
  const int64_t key = static_cast<int64_t>(pc - base);
  if (key < rows[0].pc) return false;
  uint64_t low = 0, high = count;  // rows[low].pc <= key < rows[high].pc
  while (high - low > 1) {
    const uint64_t middle = (low + high) / 2;
    (rows[middle].pc <= key ? low : high) = middle;
  }
  const uint8_t* next;
  return ParseFrameEntry(header + rows[low].fde, end, entry, &next) &&
         pc >= entry->pc_begin && pc < entry->pc_end;
}

bool ExecuteCfi(const FrameEntry& entry, uint64_t pc, UnwindRow* row) {
  CfiMachine machine(entry, pc, row);
  return machine.Run();
}

}  // namespace mallogram
