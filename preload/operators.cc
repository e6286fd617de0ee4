#include "preload/operators.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>

#include <atomic>

#include "preload/bypass.h"
#include "preload/inside.h"
#include "preload/loaded.h"
#include "preload/modules.h"
#include "preload/real.h"
#include "preload/recorder_parts.h"

namespace mallogram {

thread_local constinit uint64_t t_caller_pc = 0;

Operator g_operators[kOperators] = {
    {"_Znwm", nullptr, false},
    {"_Znam", nullptr, false},
    {"_ZnwmRKSt9nothrow_t", nullptr, false},
    {"_ZnamRKSt9nothrow_t", nullptr, false},
    {"_ZnwmSt11align_val_t", nullptr, false},
    {"_ZnamSt11align_val_t", nullptr, false},
    {"_ZnwmSt11align_val_tRKSt9nothrow_t", nullptr, false},
    {"_ZnamSt11align_val_tRKSt9nothrow_t", nullptr, false},
    {"_ZdlPv", nullptr, false},
    {"_ZdaPv", nullptr, false},
    {"_ZdlPvm", nullptr, false},
    {"_ZdaPvm", nullptr, false},
    {"_ZdlPvRKSt9nothrow_t", nullptr, false},
    {"_ZdaPvRKSt9nothrow_t", nullptr, false},
    {"_ZdlPvSt11align_val_t", nullptr, false},
    {"_ZdaPvSt11align_val_t", nullptr, false},
    {"_ZdlPvmSt11align_val_t", nullptr, false},
    {"_ZdaPvmSt11align_val_t", nullptr, false},
    {"_ZdlPvSt11align_val_tRKSt9nothrow_t", nullptr, false},
    {"_ZdaPvSt11align_val_tRKSt9nothrow_t", nullptr, false},
};
namespace {

std::atomic<bool> g_found;
std::atomic<uint32_t> g_global_loads;  // when they were looked for
// The executable has operators of its own, which its calls go to: what a block that
// passes here is, or who will free it, can't be told.
bool g_overridden;

bool Overridden(const char* name) {
  void* const visible = dlsym(RTLD_DEFAULT, name);
  if (visible == nullptr || IsInLibrary(reinterpret_cast<uint64_t>(visible))) {
    return false;
  }
  // Of a program that only takes an operator's address it is undefined there.
  Dl_info info;
  ElfW(Sym)* symbol = nullptr;
  return dladdr1(visible, &info, reinterpret_cast<void**>(&symbol),
                 RTLD_DL_SYMENT) != 0 &&
         symbol != nullptr && symbol->st_shndx != SHN_UNDEF;
}

void FindOperators() {
  ResolveReal();
  const Uncounted uncounted;  // what dlsym allocates is not the program's
  const link_map* const allocator = ModuleOf(
      reinterpret_cast<void*>(LibcIsBehind() ? g_real.malloc : g_original.malloc));
  for (Operator& op : g_operators) {
    op.function = dlsym(RTLD_NEXT, op.name);
    g_overridden = g_overridden || Overridden(op.name);
    op.records = op.function != nullptr && ModuleOf(op.function) == allocator;
  }
  dlerror();
  dlerror();
  g_found.store(true, std::memory_order_release);
}

}  // namespace

uint64_t CallerOutside(uint64_t pc) { return IsInLibrary(pc) ? t_caller_pc : pc; }

LocalFunction LocalOperator(OperatorIndex index, uint64_t caller_pc) {
  static_assert(kOperators <= kMaxLocalNames);
  const char* names[kOperators];
  for (int i = 0; i < kOperators; ++i) names[i] = g_operators[i].name;
  return FindLocal(CallerOutside(caller_pc), names, kOperators, index);
}

const Operator& Get(OperatorIndex index) {
  if (!g_found.load(std::memory_order_acquire)) [[unlikely]]
    FindOperators();
  // A library with operators may have come into the global scope.
  if (g_operators[index].function == nullptr) [[unlikely]] {
    const uint32_t loads = GlobalLoads();
    if (g_global_loads.exchange(loads, std::memory_order_relaxed) != loads)
      FindOperators();
  }
  return g_operators[index];
}

BlockKind KindOf(OperatorIndex index, uint64_t caller_pc) {
  Get(index);  // finds out
  if (g_overridden) return BlockKind::kUnknown;
  // The runtime's operators call one another: of a module that is bound to them, an
  // inner call is all that is seen.
  if (caller_pc != 0 && HasDeepBound() && IsRecorded() &&
      AreKindsUnsureAt(caller_pc - 1))
    return BlockKind::kUnknown;
  constexpr uint32_t kArrays =
      1u << kNewArray | 1u << kNewArrayNoThrow | 1u << kNewArrayAligned |
      1u << kNewArrayAlignedNoThrow | 1u << kDeleteArray | 1u << kDeleteArraySized |
      1u << kDeleteArrayNoThrow | 1u << kDeleteArrayAligned |
      1u << kDeleteArraySizedAligned | 1u << kDeleteArrayAlignedNoThrow;
  return (kArrays >> index & 1) != 0 ? BlockKind::kNewArray : BlockKind::kNew;
}

}  // namespace mallogram
