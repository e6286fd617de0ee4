#include "preload/unwinder/rules.h"

#include <initializer_list>

#include "preload/modules.h"
#include "preload/own_memory.h"
#include "preload/unwinder/cfi.h"
#include "preload/unwinder/expression.h"

namespace mallogram {
namespace {

constexpr uint32_t kFirstBits = 10;
constexpr uint32_t kMaxBits = 26;

// The first table needs no mapping, so that rules can be cached at once.
constinit RuleEntry g_first_entries[1u << kFirstBits] = {};
constinit RuleTable g_first_table{nullptr, g_first_entries, kFirstBits, 0};

size_t TableBytes(uint32_t bits) {
  return sizeof(RuleTable) + (sizeof(RuleEntry) << bits);
}

// Makes a larger table the newest one. False: no memory.
bool Grow(RuleTable* full) {
  const uint32_t bits = full->bits + 2;
  if (bits > kMaxBits) return false;
  void* memory = TakeMemory(TableBytes(bits));
  if (memory == nullptr) return false;
  auto* table = static_cast<RuleTable*>(memory);
  table->older = full;
  table->entries = reinterpret_cast<RuleEntry*>(table + 1);
  table->bits = bits;
  // Release: a reader that sees the table sees its fields.
  if (!g_rules.compare_exchange_strong(full, table, std::memory_order_release,
                                       std::memory_order_relaxed)) {
    GiveMemory(memory, TableBytes(bits));  // another thread was first
  }
  return true;
}

bool FindIn(const RuleTable& table, uint64_t key, Rule* rule) {
  const uint32_t mask = (1u << table.bits) - 1;
  for (uint32_t i = static_cast<uint32_t>(RuleHash(key)) & mask;;
       i = (i + 1) & mask) {
    const uint64_t found = table.entries[i].key.load(std::memory_order_relaxed);
    if (found == 0) return false;
    if (found != key) continue;
    *rule = Rule(table.entries[i].rule.load(std::memory_order_relaxed));
    return rule->valid();
  }
}

void Insert(uint64_t key, Rule rule) {
  RuleTable* table = g_rules.load(std::memory_order_acquire);
  const uint32_t size = 1u << table->bits;
  if (table->used.load(std::memory_order_relaxed) >= size / 2) {
    if (Grow(table)) {
      table = g_rules.load(std::memory_order_acquire);
    } else if (table->used.load(std::memory_order_relaxed) >= size - size / 8) {
      return;  // lookups need free entries to end at
    }
  }
  const uint32_t mask = (1u << table->bits) - 1;
  for (uint32_t i = static_cast<uint32_t>(RuleHash(key)) & mask;;
       i = (i + 1) & mask) {
    RuleEntry& entry = table->entries[i];
    uint64_t found = entry.key.load(std::memory_order_relaxed);
    if (found == 0 &&
        entry.key.compare_exchange_strong(found, key, std::memory_order_relaxed)) {
      table->used.fetch_add(1, std::memory_order_relaxed);
      found = key;
    }
    if (found != key) continue;  // taken, perhaps just now
    entry.rule.store(rule.bits(), std::memory_order_relaxed);
    return;
  }
}

// The CFA of this row if it is rsp + constant at this very pc, as in PLT stubs,
// whose expressions look at the low bits of the pc.
bool CfaFromStackPointer(DwarfExpression expression, uint64_t pc, int64_t* offset) {
  RegisterFile registers;
  registers.known = 0;
  uint64_t at_a, at_b;
  constexpr uint64_t kA = 0x7ffd00000000, kB = 0x123456780;
  registers.Put(kRa, pc);
  registers.Put(kRsp, kA);
  if (!EvaluateExpression(expression, registers, nullptr, Deref::kNever, nullptr,
                          &at_a)) {
    return false;
  }
  registers.Put(kRsp, kB);
  if (!EvaluateExpression(expression, registers, nullptr, Deref::kNever, nullptr,
                          &at_b)) {
    return false;
  }
  *offset = static_cast<int64_t>(at_a - kA);
  return at_a - kA == at_b - kB;
}

DwarfExpression ExpressionOf(const RegisterRule& rule) {
  return {rule.expression, rule.expression_bytes};
}

bool IsSavedAt(const RegisterRule& rule, int reg, uint64_t offset) {
  int64_t found;
  return rule.kind == RegisterRule::kExpression &&
         IsBaseOffset(ExpressionOf(rule), reg, &found) &&
         static_cast<uint64_t>(found) == offset;
}

bool IsKernelSignalFrame(const UnwindRow& row) {
  int64_t cfa;
  return row.signal_frame && row.cfa_is_expression &&
         IsBaseOffsetDeref(row.cfa_expression, kRsp, &cfa) &&
         static_cast<uint64_t>(cfa) == kSignalRsp &&
         IsSavedAt(row.registers[kRa], kRsp, kSignalRip) &&
         IsSavedAt(row.registers[kRbp], kRsp, kSignalRbp);
}

// Whether there is any CFI for the instruction itself, not the one before.
bool HasEntryAt(const CodeModule& module, uint64_t key) {
  FrameEntry entry;
  return FindFrameEntry(module, key & kPcMask, &entry);
}

Rule Outermost() {
  Rule rule;
  Rule::Make(Rule::kOutermost, 0, 0, &rule);
  return rule;
}

// Empty if the row needs the full walk.
Rule FromRow(const UnwindRow& row, uint64_t pc) {
  Rule rule;
  const RegisterRule& ra = row.registers[row.return_register];
  const RegisterRule& rbp = row.registers[kRbp];
  if (row.return_register != kRa) return rule;
  if (ra.kind == RegisterRule::kUndefined) return Outermost();
  if (IsKernelSignalFrame(row)) {
    Rule::Make(Rule::kSignal, 0, 0, &rule);
    return rule;
  }
  // A row that restores rsp other than as the CFA is for the full walk, too.
  if (row.signal_frame || ra.kind != RegisterRule::kOffset || ra.offset != -8 ||
      row.registers[kRsp].kind != RegisterRule::kSame) {
    return rule;
  }
  uint64_t kind = Rule::kSimple;
  int64_t cfa_offset = row.cfa_offset, saved = 0;
  if (row.cfa_is_expression) {
    if (IsBaseOffsetDeref(row.cfa_expression, kRbp, &cfa_offset)) {
      if (rbp.kind == RegisterRule::kExpression &&
          IsBaseOffset(ExpressionOf(rbp), kRbp, &saved)) {
        Rule::Make(Rule::kDrap, cfa_offset, saved, &rule);
      }
      return rule;
    }
    if (!CfaFromStackPointer(row.cfa_expression, pc, &cfa_offset)) return rule;
  } else if (row.cfa_register == kRbp) {
    kind |= Rule::kBaseRbp;
  } else if (row.cfa_register != kRsp) {
    return rule;
  }
  if (rbp.kind == RegisterRule::kOffset) {
    kind |= Rule::kSavedRbp;
    saved = rbp.offset;
  } else if (rbp.kind != RegisterRule::kSame &&
             rbp.kind != RegisterRule::kUndefined) {
    return rule;
  }
  Rule::Make(kind, cfa_offset, saved, &rule);
  return rule;
}

// True if a call instruction ends at `pc`, or seems to.
bool FollowsCall(uint64_t pc) {
  const auto* code = reinterpret_cast<const uint8_t*>(pc);
  if (code[-5] == 0xe8) return true;  // call rel32
  // call r/m64: ff /2, behind it 0, 1 (SIB), 1, 2 (disp8) or 4, 5 (disp32) bytes.
  for (const int back : {2, 3, 4, 6, 7}) {
    if (code[-back] == 0xff && (code[1 - back] & 0x38) == 0x10) return true;
  }
  return false;
}

}  // namespace

constinit std::atomic<RuleTable*> g_rules{&g_first_table};
constinit std::atomic<uint64_t> g_code_epoch{1};

bool Rule::Make(uint64_t kind, int64_t cfa_offset, int64_t rbp_slot, Rule* rule) {
  constexpr int64_t kCfaLimit = int64_t{1} << 26, kSlotLimit = int64_t{1} << 17;
  if (cfa_offset < -kCfaLimit || cfa_offset >= kCfaLimit || rbp_slot % 8 != 0 ||
      rbp_slot / 8 < -kSlotLimit || rbp_slot / 8 >= kSlotLimit) {
    return false;
  }
  const uint64_t cfa_bits = static_cast<uint64_t>(cfa_offset) & ((1u << 27) - 1);
  const uint64_t slot_bits = static_cast<uint64_t>(rbp_slot / 8) & ((1u << 18) - 1);
  *rule = Rule(kind | cfa_bits << 4 | slot_bits << 31);
  return true;
}

bool IsPlantedEnd(uint64_t key) {
  constexpr uint64_t kLongestCall = 7;
  const uint64_t pc = key & kPcMask;
  CodeModule module;
  FrameEntry entry;
  if ((key & kExactPc) != 0 || !FindModule(pc, &module) ||
      pc < module.start + kLongestCall) {
    return false;
  }
  // Beyond a signal's trampoline there is more, and no call leads to it either.
  const bool described = FindFrameEntry(module, pc, &entry);
  if (described && (entry.pc_begin != pc || entry.signal_frame)) return false;
  return !FollowsCall(pc);
}

Rule CompileRule(uint64_t key) {
  const Rule guess = Rule(Rule::kGuess);
  const uint64_t lookup = LookupPc(key);
  CodeModule module;
  if (!FindModule(lookup, &module)) return guess.WithModule(kNoModule);
  FrameEntry entry;
  UnwindRow row;
  const bool described = FindFrameEntry(module, lookup, &entry);
  if ((!described || entry.pc_end == lookup + 1) && HasEntryAt(module, key) &&
      IsPlantedEnd(key)) {
    return Outermost().WithModule(module.index);
  }
  if (!described || !ExecuteCfi(entry, lookup, &row)) {
    return guess.WithModule(module.index);
  }
  const Rule rule = FromRow(row, key & kPcMask);
  return (rule.valid() ? rule : Rule(Rule::kComplex)).WithModule(module.index);
}

[[gnu::noinline, gnu::cold]] Rule LookupRuleSlow(uint64_t key) {
  const RuleTable* newest = g_rules.load(std::memory_order_acquire);
  Rule rule;
  bool found = false;
  for (const RuleTable* t = newest->older; t != nullptr && !found; t = t->older) {
    found = FindIn(*t, key, &rule);
  }
  if (!found) {
    rule = CompileRule(key);
    if (rule.kind() == Rule::kGuess && ModuleOfKey(rule.bits()) == kNoModule) {
      return rule;  // outside every module: not cached
    }
  }
  Insert(key, rule);
  return rule;
}

void ForgetCode(uint64_t start, uint64_t end) {
  for (RuleTable* t = g_rules.load(std::memory_order_acquire); t != nullptr;
       t = t->older) {
    for (uint32_t i = 0; i < 1u << t->bits; ++i) {
      RuleEntry& entry = t->entries[i];
      const uint64_t key = entry.key.load(std::memory_order_relaxed);
      if (key == 0) continue;
      const uint64_t pc = LookupPc(key);
      if (pc >= start && pc < end) entry.rule.store(0, std::memory_order_relaxed);
    }
  }
  // Release: a thread that sees the new epoch sees the emptied entries. A thread
  // that runs code loaded later has synchronised with the loader, so it does.
  g_code_epoch.fetch_add(1, std::memory_order_release);
}

}  // namespace mallogram
