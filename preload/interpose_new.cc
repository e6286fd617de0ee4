// operator new and delete, for allocators that bring their own (jemalloc, tcmalloc,
// mimalloc): those never reach malloc's exported name, so C++ blocks would be
// invisible. Part of libmallogram_new.so only, which the launcher takes when such
// an allocator is in play.
//
// Not part of the plain library: exporting these names to every program would
// capture the operators of plug-ins that are loaded RTLD_LOCAL with replacements of
// their own. libstdc++'s operators call malloc and need no help.
//
// (In a C++ program such plug-ins are captured by libstdc++ anyway. In a C program
// this library captures them where the plain one does not, and passes each call on
// to the operator that the caller's module has of its own.)
//
// It is also the library that looks for frees that do not fit (notes.h): only here
// is it known which operator a program called.
//
// An operator is recorded here if and only if it comes from the same object as the
// malloc behind us; any other one ends in that malloc and is recorded there.
#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>

#include "preload/bypass.h"
#include "preload/caller_state.h"
#include "preload/inside.h"
#include "preload/loaded.h"
#include "preload/local_scope.h"
#include "preload/modules.h"
#include "preload/notes.h"
#include "preload/real.h"
#include "preload/recorder.h"

namespace mallogram {
namespace {

struct NoThrow;        // std::nothrow_t, passed through
using Align = size_t;  // std::align_val_t is passed as its size_t

struct Operator {
  const char* name;
  void* function;  // nullptr: nothing behind us defines it
  bool records;    // its blocks are not seen by malloc's wrapper
};

enum Index : int {
  kNew,
  kNewArray,
  kNewNoThrow,
  kNewArrayNoThrow,
  kNewAligned,
  kNewArrayAligned,
  kNewAlignedNoThrow,
  kNewArrayAlignedNoThrow,
  kDelete,
  kDeleteArray,
  kDeleteSized,
  kDeleteArraySized,
  kDeleteNoThrow,
  kDeleteArrayNoThrow,
  kDeleteAligned,
  kDeleteArrayAligned,
  kDeleteSizedAligned,
  kDeleteArraySizedAligned,
  kDeleteAlignedNoThrow,
  kDeleteArrayAlignedNoThrow,
  kOperators,
};

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

// The call of an operator for a module, on this thread: operators reach one another
// by jumps, so that the caller of the second is this library.
thread_local constinit uint64_t t_caller_pc = 0;

class CallFor {
 public:
  explicit CallFor(uint64_t pc) : outer_(t_caller_pc) { t_caller_pc = pc; }
  ~CallFor() { t_caller_pc = outer_; }

 private:
  const uint64_t outer_;
};

// The caller's own pc, if it is this library's.
uint64_t CallerOutside(uint64_t pc) { return IsInLibrary(pc) ? t_caller_pc : pc; }

// What the module that called us would have been bound to if we were not there and
// the global scope has none.
LocalFunction LocalOperator(Index index, uint64_t caller_pc) {
  static_assert(kOperators <= kMaxLocalNames);
  const char* names[kOperators];
  for (int i = 0; i < kOperators; ++i) names[i] = g_operators[i].name;
  return FindLocal(CallerOutside(caller_pc), names, kOperators, index);
}

const Operator& Get(Index index) {
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

BlockKind KindOf(Index index, uint64_t caller_pc = 0) {
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

// Nothing behind us has the operator (a plug-in with a private libstdc++ in a C
// program): what libstdc++ would do. Where that is to throw, the operator that the
// caller was linked with does it.
template <typename... Alignment>
void* Fallback(Index index, const CallerState& caller, bool may_fail, size_t size,
               Alignment... alignment) {
  using Loud = void* (*)(size_t, Alignment...);
  const size_t bytes = size != 0 ? size : 1;
  void* p;
  if constexpr (sizeof...(alignment) == 0) {
    p = malloc(bytes);
  } else {
    const size_t whole = (size_t{0} + ... + alignment);
    p = aligned_alloc(whole, (bytes + whole - 1) & ~(whole - 1));
  }
  if (p != nullptr || may_fail) return p;
  dl_find_object found;
  void* own = nullptr;
  if (_dl_find_object(reinterpret_cast<void*>(caller.pc), &found) == 0) {
    const Uncounted uncounted;
    // glibc's handles are its link maps.
    own = dlsym(found.dlfo_link_map, g_operators[index].name);
    if (own == nullptr) {
      void* const library = dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_NOLOAD);
      if (library != nullptr) own = dlsym(library, g_operators[index].name);
    }
  }
  if (own == nullptr) abort();
  return reinterpret_cast<Loud>(own)(size, alignment...);
}

// Where the global scope has none: the module's own, whose block is recorded as
// what it asks malloc for, or its runtime's, or what that would do.
template <typename... Alignment>
[[gnu::noinline]] void* NewLocalBlock(Index index, bool may_fail,
                                      const CallerState& caller, size_t size,
                                      Alignment... alignment) {
  using Quiet = void* (*)(size_t, Alignment..., const void*);
  using Loud = void* (*)(size_t, Alignment...);
  static const char nothrow = 0;
  const LocalFunction local = LocalOperator(index, caller.pc);
  const CallFor calling(CallerOutside(caller.pc));
  void* const p =
      local.function == nullptr
          ? Fallback(index, caller, may_fail, size, alignment...)
      : may_fail
          ? reinterpret_cast<Quiet>(local.function)(size, alignment..., &nothrow)
          : reinterpret_cast<Loud>(local.function)(size, alignment...);
  const bool known = local.function == nullptr || local.runtime;
  if (g_recorder.mismatches && p != nullptr && known)
    NoteKind(p, KindOf(index, caller.pc), size, (size_t{0} + ... + alignment));
  return p;
}

// The operator `index` of (size, alignment...), recorded with the caller's stack.
//
// The allocator's operators may call its exported malloc, aligned_alloc and so on,
// that is, our wrappers, which must not count the block again. Since the throwing
// operator could leave that state behind by its exception, the block is first asked
// of its nothrow sister, `quiet`; if that fails the real one has its way, its
// exception passing through this frame, which has nothing to clean up.
template <typename... Alignment>
void* NewBlock(Index index, Index quiet, const CallerState& caller, size_t size,
               Alignment... alignment) {
  using Quiet = void* (*)(size_t, Alignment..., const void*);
  using Loud = void* (*)(size_t, Alignment...);
  static const char nothrow = 0;
  const bool may_fail = index == quiet;
  const Operator& op = Get(index);
  if (op.function == nullptr)
    return NewLocalBlock(index, may_fail, caller, size, alignment...);
  const Operator& quiet_op = Get(quiet);
  void* p = nullptr;
  if (op.records && quiet_op.records) {
    {
      const InAllocator mark;
      p = reinterpret_cast<Quiet>(quiet_op.function)(size, alignment..., &nothrow);
    }
    if (p == nullptr && may_fail) return nullptr;
  } else if (op.records) {
    // One operator of several is the allocator's. An exception leaves the mark,
    // which the next event finds out.
    const InAllocator mark;
    p = may_fail
            ? reinterpret_cast<Quiet>(op.function)(size, alignment..., &nothrow)
            : reinterpret_cast<Loud>(op.function)(size, alignment...);
    if (p == nullptr) return nullptr;
  }
  if (p == nullptr) {
    p = may_fail
            ? reinterpret_cast<Quiet>(op.function)(size, alignment..., &nothrow)
            : reinterpret_cast<Loud>(op.function)(size, alignment...);
  }
  if (p != nullptr && op.records) OnAlloc(p, size, caller);
  if (g_recorder.mismatches && p != nullptr) [[unlikely]]
    NoteKind(p, KindOf(index, caller.pc), size, (size_t{0} + ... + alignment));
  return p;
}

template <typename... Arguments>
[[gnu::noinline]] void DeleteLocalBlock(Index index, uint64_t caller_pc, void* p,
                                        Arguments... arguments) {
  const LocalFunction local = LocalOperator(index, caller_pc);
  if (local.function == nullptr) return free(p);
  const CallFor calling(CallerOutside(caller_pc));
  reinterpret_cast<void (*)(void*, Arguments...)>(local.function)(p, arguments...);
}

template <typename... Arguments>
void DeleteBlock(Index index, uint64_t caller_pc, void* p, Arguments... arguments) {
  using Real = void (*)(void*, Arguments...);
  if (p == nullptr || IsBootstrapBlock(p)) return;
  const Operator& op = Get(index);
  if (op.function == nullptr) {
    DeleteLocalBlock(index, caller_pc, p, arguments...);
  } else if (op.records) {
    OnFree(p);
    const InAllocator mark;
    reinterpret_cast<Real>(op.function)(p, arguments...);
  } else {
    reinterpret_cast<Real>(op.function)(p, arguments...);
  }
}

// How the program calls operator `index`, from its arguments behind the pointer.
HowFreed HowDeleted(Index index, size_t first = 0, size_t second = 0) {
  HowFreed how = {.kind = KindOf(index)};
  switch (index) {
    case kDeleteSized:
    case kDeleteArraySized:
      how.told_size = true;
      how.size = first;
      break;
    case kDeleteSizedAligned:
    case kDeleteArraySizedAligned:
      how.told_size = true;
      how.size = first;
      how.alignment = second;
      break;
    case kDeleteAligned:
    case kDeleteArrayAligned:
    case kDeleteAlignedNoThrow:
    case kDeleteArrayAlignedNoThrow:
      how.alignment = first;
      break;
    default:
      break;
  }
  return how;
}

// With std::nothrow in the end.
HowFreed HowDeleted(Index index, const NoThrow*) { return HowDeleted(index); }
HowFreed HowDeleted(Index index, size_t first, const NoThrow*) {
  return HowDeleted(index, first);
}

// The same, noted. libstdc++'s operators call one another, each by its exported
// name: the outermost is the program's. Reached by a jump, so that the stack is its
// own.
template <Index kIndex, typename... Arguments>
[[gnu::noinline]] void NotedDelete(void* p, Arguments... arguments) {
  const auto caller_pc = reinterpret_cast<uint64_t>(__builtin_return_address(0));
  if (Get(kIndex).function == nullptr) {
    const LocalFunction local = LocalOperator(kIndex, caller_pc);
    // Noted as what it gives to free.
    if (local.function != nullptr && !local.runtime)
      return DeleteBlock(kIndex, caller_pc, p, arguments...);
  }
  if (p != nullptr && p != t_deleting && !IsBootstrapBlock(p)) {
    NoteFree(p, HowDeleted(kIndex, arguments...), CALLER_STATE());
  }
  const void* const outer = t_deleting;
  t_deleting = p;
  DeleteBlock(kIndex, caller_pc, p, arguments...);
  t_deleting = outer == p ? nullptr : outer;
}

}  // namespace
}  // namespace mallogram

using mallogram::Align;
using mallogram::NoThrow;

#define MALLOGRAM_NEW(NAME, SYMBOL, INDEX, QUIET, PARAMETERS, ...)                 \
  MALLOGRAM_EXPORT void* NAME PARAMETERS asm(SYMBOL);                              \
  MALLOGRAM_EXPORT void* NAME PARAMETERS {                                         \
    return mallogram::NewBlock(mallogram::INDEX, mallogram::QUIET, CALLER_STATE(), \
                               __VA_ARGS__);                                       \
  }
#define MALLOGRAM_DELETE(NAME, SYMBOL, INDEX, PARAMETERS, ...)                     \
  MALLOGRAM_EXPORT void NAME PARAMETERS asm(SYMBOL);                               \
  MALLOGRAM_EXPORT void NAME PARAMETERS {                                          \
    if (mallogram::g_recorder.mismatches)                                          \
      return mallogram::NotedDelete<mallogram::INDEX>(__VA_ARGS__);                \
    mallogram::DeleteBlock(                                                        \
        mallogram::INDEX, reinterpret_cast<uint64_t>(__builtin_return_address(0)), \
        __VA_ARGS__);                                                              \
  }

MALLOGRAM_NEW(New, "_Znwm", kNew, kNewNoThrow, (size_t size), size)
MALLOGRAM_NEW(NewArray, "_Znam", kNewArray, kNewArrayNoThrow, (size_t size), size)
MALLOGRAM_NEW(NewNoThrow, "_ZnwmRKSt9nothrow_t", kNewNoThrow, kNewNoThrow,
              (size_t size, const NoThrow*), size)
MALLOGRAM_NEW(NewArrayNoThrow, "_ZnamRKSt9nothrow_t", kNewArrayNoThrow,
              kNewArrayNoThrow, (size_t size, const NoThrow*), size)
MALLOGRAM_NEW(NewAligned, "_ZnwmSt11align_val_t", kNewAligned, kNewAlignedNoThrow,
              (size_t size, Align alignment), size, alignment)
MALLOGRAM_NEW(NewArrayAligned, "_ZnamSt11align_val_t", kNewArrayAligned,
              kNewArrayAlignedNoThrow, (size_t size, Align alignment), size,
              alignment)
MALLOGRAM_NEW(NewAlignedNoThrow, "_ZnwmSt11align_val_tRKSt9nothrow_t",
              kNewAlignedNoThrow, kNewAlignedNoThrow,
              (size_t size, Align alignment, const NoThrow*), size, alignment)
MALLOGRAM_NEW(NewArrayAlignedNoThrow, "_ZnamSt11align_val_tRKSt9nothrow_t",
              kNewArrayAlignedNoThrow, kNewArrayAlignedNoThrow,
              (size_t size, Align alignment, const NoThrow*), size, alignment)

MALLOGRAM_DELETE(Delete, "_ZdlPv", kDelete, (void* p), p)
MALLOGRAM_DELETE(DeleteArray, "_ZdaPv", kDeleteArray, (void* p), p)
MALLOGRAM_DELETE(DeleteSized, "_ZdlPvm", kDeleteSized, (void* p, size_t size), p,
                 size)
MALLOGRAM_DELETE(DeleteArraySized, "_ZdaPvm", kDeleteArraySized,
                 (void* p, size_t size), p, size)
MALLOGRAM_DELETE(DeleteNoThrow, "_ZdlPvRKSt9nothrow_t", kDeleteNoThrow,
                 (void* p, const NoThrow* tag), p, tag)
MALLOGRAM_DELETE(DeleteArrayNoThrow, "_ZdaPvRKSt9nothrow_t", kDeleteArrayNoThrow,
                 (void* p, const NoThrow* tag), p, tag)
MALLOGRAM_DELETE(DeleteAligned, "_ZdlPvSt11align_val_t", kDeleteAligned,
                 (void* p, Align alignment), p, alignment)
MALLOGRAM_DELETE(DeleteArrayAligned, "_ZdaPvSt11align_val_t", kDeleteArrayAligned,
                 (void* p, Align alignment), p, alignment)
MALLOGRAM_DELETE(DeleteSizedAligned, "_ZdlPvmSt11align_val_t", kDeleteSizedAligned,
                 (void* p, size_t size, Align alignment), p, size, alignment)
MALLOGRAM_DELETE(DeleteArraySizedAligned, "_ZdaPvmSt11align_val_t",
                 kDeleteArraySizedAligned, (void* p, size_t size, Align alignment),
                 p, size, alignment)
MALLOGRAM_DELETE(DeleteAlignedNoThrow, "_ZdlPvSt11align_val_tRKSt9nothrow_t",
                 kDeleteAlignedNoThrow,
                 (void* p, Align alignment, const NoThrow* tag), p, alignment, tag)
MALLOGRAM_DELETE(DeleteArrayAlignedNoThrow, "_ZdaPvSt11align_val_tRKSt9nothrow_t",
                 kDeleteArrayAlignedNoThrow,
                 (void* p, Align alignment, const NoThrow* tag), p, alignment, tag)
