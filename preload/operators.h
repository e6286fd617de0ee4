// The operators new and delete behind us: which there are, whose they are, and what
// kind of block each is for. Part of libmallogram_new.so (interpose_new.cc).
#pragma once

#include <cstdint>

#include "preload/block_kind.h"
#include "preload/local_scope.h"

namespace mallogram {

struct Operator {
  const char* name;
  void* function;  // nullptr: nothing behind us defines it
  bool records;    // its blocks are not seen by malloc's wrapper
};

enum OperatorIndex : int {
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

[[gnu::visibility("hidden")]] extern Operator g_operators[kOperators];

// The operator as the global scope has it now.
const Operator& Get(OperatorIndex index);

// The kind of the operator's blocks, kUnknown if that can't be told. `caller_pc`:
// of its call, 0: not asked.
BlockKind KindOf(OperatorIndex index, uint64_t caller_pc = 0);

// The caller's pc; that of the call which CallFor stands for, if it is this
// library's.
uint64_t CallerOutside(uint64_t pc);

// What the module that called us would have been bound to if we were not there and
// the global scope has none.
LocalFunction LocalOperator(OperatorIndex index, uint64_t caller_pc);

// The call of an operator for a module, on this thread: operators reach one another
// by jumps, so that the caller of the second is this library.
[[gnu::visibility("hidden")]] extern thread_local constinit uint64_t t_caller_pc;

class CallFor {
 public:
  explicit CallFor(uint64_t pc) : outer_(t_caller_pc) { t_caller_pc = pc; }
  ~CallFor() { t_caller_pc = outer_; }

 private:
  const uint64_t outer_;
};

}  // namespace mallogram
