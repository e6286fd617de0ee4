#include "preload/unwinder/verify.h"

#include <dlfcn.h>

#include "preload/own_memory.h"
#include "preload/unwinder/rules.h"

namespace mallogram {
namespace {

using BacktraceFunction = int (*)(void**, int);
using FlushFunction = void (*)(void* space, uint64_t low, uint64_t high);

BacktraceFunction g_backtrace;
FlushFunction g_flush;  // libunwind's caches, stale after a dlclose
void** g_local_space;
std::atomic<uint64_t> g_flushed_epoch;
std::atomic<bool> g_described;

// Writes the first difference into the header. No libc: this runs inside malloc.
class Description {
 public:
  explicit Description(ImageHeader* header) : header_(header) {}
  void Text(const char* s) {
    while (*s != 0 && used_ + 1 < sizeof(header_->verify_first)) {
      header_->verify_first[used_++] = *s++;
    }
  }
  void Hex(uint64_t value) {
    char digits[17];
    int n = 16;
    digits[16] = 0;
    do {
      digits[--n] = "0123456789abcdef"[value & 15];
      value >>= 4;
    } while (value != 0);
    Text(digits + n);
  }

 private:
  ImageHeader* header_;
  size_t used_ = 0;
};

struct Difference {
  VerifyClass verify_class;
  int at;  // index of the first frame that differs
};

bool IsSignalFrame(uint64_t pc) {
  return pc != 0 && LookupRule(pc).kind() == Rule::kSignal;
}
bool IsGuessed(uint64_t pc) {
  return pc != 0 && LookupRule(pc).kind() == Rule::kGuess;
}

Difference Compare(uint32_t stack, const StackTable& table, void** oracle,
                   int count) {
  uint64_t inner = 0;
  bool guessed = false;
  for (int i = 0;; ++i) {
    if (stack < kFirstNode) {
      if (i == count) return {VerifyClass::kEqual, i};
      if (stack == kRootCut || stack == kRootUnknown) return {VerifyClass::kCut, i};
      return {guessed ? VerifyClass::kOracleGuessed : VerifyClass::kUnexplained, i};
    }
    if (i == count) return {VerifyClass::kOracleStoppedEarly, i};
    const StackNode& node = table.node(stack);
    // Beyond a signal frame we intern the pc + 1 (see walker.h).
    const uint64_t pc = node.pc - (IsSignalFrame(inner) ? 1 : 0);
    if (pc != reinterpret_cast<uint64_t>(oracle[i])) {
      return {guessed ? VerifyClass::kOracleGuessed : VerifyClass::kUnexplained, i};
    }
    guessed = guessed || IsGuessed(pc);
    inner = pc;
    stack = node.parent;
  }
}

[[gnu::noinline, gnu::cold]] void Describe(uint32_t stack, const StackTable& table,
                                           void** oracle, int count, int at) {
  bool expected = false;
  if (!g_described.compare_exchange_strong(expected, true)) return;
  Description out(table.header());
  out.Text("frame ");
  out.Hex(static_cast<uint64_t>(at));
  out.Text(" differs; ours (module:pc):");
  const int first = at < 3 ? 0 : at - 3;
  for (int i = 0; stack >= kFirstNode && i < at + 5; ++i) {
    const StackNode& node = table.node(stack);
    if (i >= first) {
      out.Text(" ");
      out.Hex(node.module);
      out.Text(":");
      out.Hex(node.pc);
    }
    stack = node.parent;
  }
  out.Text("; libunwind:");
  for (int i = first; i < count && i < at + 5; ++i) {
    out.Text(" ");
    out.Hex(reinterpret_cast<uint64_t>(oracle[i]));
  }
}

}  // namespace

constinit std::atomic<bool> g_verify_walks{false};
thread_local constinit bool t_in_oracle = false;

bool EnableVerify(const char** error) {
  void* library = dlopen("libunwind.so.8", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    *error =
        "MALLOGRAM_VERIFY needs libunwind.so.8; install the package libunwind8";
    return false;
  }
  g_backtrace =
      reinterpret_cast<BacktraceFunction>(dlsym(library, "unw_backtrace"));
  g_flush = reinterpret_cast<FlushFunction>(dlsym(library, "_Ux86_64_flush_cache"));
  g_local_space = static_cast<void**>(dlsym(library, "_ULx86_64_local_addr_space"));
  if (g_backtrace == nullptr) {
    *error = "libunwind.so.8 has no unw_backtrace; MALLOGRAM_VERIFY can't be used";
    return false;
  }
  g_verify_walks.store(true, std::memory_order_release);
  return true;
}

void VerifyWalk(const CallerState& caller, uint32_t stack, const StackTable& table,
                void*** buffer) {
  if (*buffer == nullptr) {
    *buffer = static_cast<void**>(TakeMemory(sizeof(void*) * kOracleFrames));
    if (*buffer == nullptr) return;
  }
  const uint64_t epoch = g_code_epoch.load(std::memory_order_acquire);
  if (g_flushed_epoch.exchange(epoch) != epoch && g_flush != nullptr &&
      g_local_space != nullptr) {
    g_flush(*g_local_space, 0, 0);
  }
  void** oracle = *buffer;
  t_in_oracle = true;
  int count = g_backtrace(oracle, kOracleFrames);
  t_in_oracle = false;
  const bool limited = count >= kOracleFrames;
  // The library's own frames come first.
  while (count > 0 && reinterpret_cast<uint64_t>(*oracle) != caller.pc) {
    ++oracle;
    --count;
  }
  Difference difference = Compare(stack, table, oracle, count);
  if (limited && difference.verify_class != VerifyClass::kEqual &&
      difference.at == count) {
    difference.verify_class = VerifyClass::kOracleLimit;
  }
  if (count == 0) difference.verify_class = VerifyClass::kUnexplained;
  if (difference.verify_class == VerifyClass::kUnexplained) {
    Describe(stack, table, oracle, count, difference.at);
  }
  const int index = static_cast<int>(difference.verify_class);
  table.header()->verify_class[index].fetch_add(1, std::memory_order_relaxed);
}

}  // namespace mallogram
