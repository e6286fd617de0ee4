// Compiled unwind rules: one 64-bit word a pc, cached for the whole process.
//
// The cache is an open-addressed table of {key, rule}, lock-free and readable in
// signal handlers. An entry's key is set once by compare-and-swap and never
// changes; its rule is 0 (being written, or forgotten) or valid, so an insertion
// that was interrupted half-way costs a compilation, nothing else. A table that is
// half full is succeeded by one four times as large, which fills from the older
// ones as rules are asked for: no insertion ever waits for a rehash.
//
// Invariant: a cached rule is a pure function of the code mapped at its pc, until
// ForgetCode. Pcs outside every module are not cached (JIT code comes and goes
// without a word).
#pragma once

#include <atomic>
#include <cstdint>

#include "preload/image.h"

namespace mallogram {

// ---- frame keys -----------------------------------------------------------

// A frame's pc with what else decides how it is unwound.
//   bits 0…46   pc
//   bit  47     exact: pc is where the frame was interrupted by a signal, not a
//               return address; its own instruction is meant, not the one before
//   bit  48     guarded: reached by a guess, see stack_guard.h
//   bits 49…63  module index (kKeyNoModule: none); set once the rule is known
inline constexpr uint64_t kPcMask = (uint64_t{1} << 47) - 1;
inline constexpr uint64_t kExactPc = uint64_t{1} << 47;
inline constexpr uint64_t kGuardedWalk = uint64_t{1} << 48;
inline constexpr int kModuleShift = 49;
inline constexpr uint64_t kKeyNoModule = 0x7fff;
inline constexpr uint64_t kStateMask = (uint64_t{1} << kModuleShift) - 1;

inline uint32_t ModuleOfKey(uint64_t key) {
  const uint64_t module = key >> kModuleShift;
  return module == kKeyNoModule ? kNoModule : static_cast<uint32_t>(module);
}
// The address to look rules up with: inside the call instruction, because a call
// that does not return may be the last instruction of its function.
inline uint64_t LookupPc(uint64_t key) {
  return (key & kPcMask) - ((key & kExactPc) != 0 ? 0 : 1);
}

// ---- rules ----------------------------------------------------------------

// bits 0…3 kind, 4…30 CFA offset (signed bytes), 31…48 rbp slot (signed, in
// words, from the CFA), 49…63 module as in a key.
class Rule {
 public:
  enum Kind : uint64_t {
    kNone = 0,
    kDrap = 1,       // CFA = [rbp + offset]; rbp saved at [rbp + rbp slot]
    kSignal = 2,     // the kernel's rt_sigframe: rsp, rip and rbp from its context
    kOutermost = 3,  // return address undefined: the stack ends here
    kComplex = 4,    // needs the full walk
    kGuess = 5,      // no CFI: frame-pointer step
    kSimple = 8,     // | kBaseRbp | kSavedRbp; return address at CFA - 8
  };
  static constexpr uint64_t kBaseRbp = 1, kSavedRbp = 2;

  constexpr Rule() : bits_(0) {}
  constexpr explicit Rule(uint64_t bits) : bits_(bits) {}
  // False if an offset does not fit.
  static bool Make(uint64_t kind, int64_t cfa_offset, int64_t rbp_slot, Rule* rule);

  uint64_t bits() const { return bits_; }
  bool valid() const { return bits_ != 0; }
  uint64_t kind() const { return bits_ & 15; }
  bool simple() const { return (bits_ & kSimple) != 0; }
  bool base_rbp() const { return (bits_ & kBaseRbp) != 0; }    // if simple
  bool saved_rbp() const { return (bits_ & kSavedRbp) != 0; }  // if simple
  uint64_t cfa_offset() const {
    return static_cast<uint64_t>(static_cast<int64_t>(bits_ << 33) >> 37);
  }
  uint64_t rbp_offset() const {
    return static_cast<uint64_t>(static_cast<int64_t>(bits_ << 15) >> 46) * 8;
  }
  uint64_t module_bits() const { return bits_ & ~kStateMask; }
  Rule WithModule(uint32_t module) const {
    const uint64_t m = module < kKeyNoModule ? module : kKeyNoModule;
    return Rule((bits_ & kStateMask) | m << kModuleShift);
  }

 private:
  uint64_t bits_;
};

// Where the kernel's x86-64 signal frame keeps registers, from rsp in the
// trampoline: ucontext.uc_mcontext.gregs. ABI.
inline constexpr uint64_t kSignalRbp = 120, kSignalRsp = 160, kSignalRip = 168;

// ---- cache ----------------------------------------------------------------

struct RuleEntry {
  std::atomic<uint64_t> key;  // pc | kExactPc; 0: free
  std::atomic<uint64_t> rule;
};

struct RuleTable {
  RuleTable* older;
  RuleEntry* entries;
  uint32_t bits;
  std::atomic<uint32_t> used;
};

extern std::atomic<RuleTable*> g_rules;
// Bumped by ForgetCode; memos of an older epoch are void.
extern std::atomic<uint64_t> g_code_epoch;

inline uint64_t RuleHash(uint64_t key) {
  return (key * 0x9e3779b97f4a7c15ULL) >> 32;
}

// The rule if the newest table has it, else an invalid one. `key`: bits beyond
// pc | kExactPc are ignored. Cost of a hit: one multiplication, one cache line.
inline Rule RecallRule(uint64_t key) {
  key &= kPcMask | kExactPc;
  // Acquire pairs with the release that published the table.
  const RuleTable* table = g_rules.load(std::memory_order_acquire);
  const uint32_t mask = (1u << table->bits) - 1;
  for (uint32_t i = static_cast<uint32_t>(RuleHash(key)) & mask;;
       i = (i + 1) & mask) {
    const RuleEntry& entry = table->entries[i];
    const uint64_t found = entry.key.load(std::memory_order_relaxed);
    if (found == key) [[likely]] {
      // Self-contained word: nothing else is read through it.
      return Rule(entry.rule.load(std::memory_order_relaxed));
    }
    if (found == 0) return Rule();
  }
}

// Never invalid.
Rule LookupRuleSlow(uint64_t key);
inline Rule LookupRule(uint64_t key) {
  const Rule rule = RecallRule(key);
  if (rule.valid()) [[likely]]
    return rule;
  return LookupRuleSlow(key & (kPcMask | kExactPc));
}

// Forgets every rule whose pc lies in [start, end) and, through the code epoch,
// every thread's memo: called after a module went away.
void ForgetCode(uint64_t start, uint64_t end);

// True for a return address that no call left: it was put there by hand, as the
// beginning of a coroutine's stack (makecontext, libco, boost.context), and nothing
// is beyond it. Either a function's first instruction or, where there is no CFI,
// any.
bool IsPlantedEnd(uint64_t key);

// The rule as the module's CFI gives it, bypassing the cache.
Rule CompileRule(uint64_t key);

}  // namespace mallogram
