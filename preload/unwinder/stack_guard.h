// Reads of stack memory that may not be there.
//
// Compiled CFI names slots that exist in any correct program, so they are read
// without asking. After a guess (a frame-pointer step through code without CFI)
// or beyond a signal frame, an address may be garbage, and a fault inside malloc
// would kill the program: such a walk is "guarded", every read is checked.
//
// The check costs nothing inside the thread's own stack, known page by page
// from its top (main thread: __libc_stack_end, others: the TCB, which lies above
// all frames) down to the lowest page needed so far: that range stays mapped
// while the thread lives. Elsewhere (coroutine stacks) every read asks the kernel
// through rt_sigprocmask with an invalid `how`, which reads the word, changes
// nothing and is allowed in every sandbox; what was read there is `unstable`:
// a memo may not read it again without asking.
#pragma once

#include <cstdint>

namespace mallogram {

// Zero is the valid initial state. One per thread.
class StackGuard {
 public:
  // *value = the word at `address`; false if it can't be read.
  bool Read(uint64_t address, uint64_t* value);

  // Whether a Read since Reset() was outside the thread's own stack.
  bool unstable() const { return unstable_; }
  void Reset() { unstable_ = false; }

 private:
  bool InOwnStack(uint64_t address);

  uint64_t low_, top_;  // [low_, top_): readable for the thread's life
  uint64_t barrier_;    // page below low_ that could not be read, 0: none
  bool unstable_;
};

}  // namespace mallogram
