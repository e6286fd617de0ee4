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
// It is also the library that looks for frees that do not fit (kinds.h): only here
// is it known which operator a program called.
//
// An operator is recorded here if and only if it comes from the same object as the
// malloc behind us; any other one ends in that malloc and is recorded there.
#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>

#include "preload/caller_state.h"
#include "preload/inside.h"
#include "preload/kinds.h"
#include "preload/operators.h"
#include "preload/real.h"
#include "preload/recorder.h"

namespace mallogram {
namespace {

struct NoThrow;        // std::nothrow_t, passed through
using Align = size_t;  // std::align_val_t is passed as its size_t

// Nothing behind us has the operator (a plug-in with a private libstdc++ in a C
// program): what libstdc++ would do. Where that is to throw, the operator that the
// caller was linked with does it.
template <typename... Alignment>
void* Fallback(OperatorIndex index, const CallerState& caller, bool may_fail,
               size_t size, Alignment... alignment) {
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
[[gnu::noinline]] void* NewLocalBlock(OperatorIndex index, bool may_fail,
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
// operator could leave that state behind by its exception, its nothrow sister,
// `quiet`, is asked for the block first. If that fails the real one is called: its
// exception passes through this frame, which has nothing to clean up.
template <typename... Alignment>
void* NewBlock(OperatorIndex index, OperatorIndex quiet, const CallerState& caller,
               size_t size, Alignment... alignment) {
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
[[gnu::noinline]] void DeleteLocalBlock(OperatorIndex index, uint64_t caller_pc,
                                        void* p, Arguments... arguments) {
  const LocalFunction local = LocalOperator(index, caller_pc);
  if (local.function == nullptr) return free(p);
  const CallFor calling(CallerOutside(caller_pc));
  reinterpret_cast<void (*)(void*, Arguments...)>(local.function)(p, arguments...);
}

template <typename... Arguments>
void DeleteBlock(OperatorIndex index, uint64_t caller_pc, void* p,
                 Arguments... arguments) {
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
HowFreed HowDeleted(OperatorIndex index, size_t first = 0, size_t second = 0) {
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
HowFreed HowDeleted(OperatorIndex index, const NoThrow*) {
  return HowDeleted(index);
}
HowFreed HowDeleted(OperatorIndex index, size_t first, const NoThrow*) {
  return HowDeleted(index, first);
}

// The same, noted. libstdc++'s operators call one another, each by its exported
// name: the outermost is the program's. Reached by a jump, so that the stack is its
// own.
template <OperatorIndex kIndex, typename... Arguments>
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
