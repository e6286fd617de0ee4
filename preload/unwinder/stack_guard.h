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
// while the thread lives, so its walkers share what they know (a handler that
// interrupts the recorder has a walker of its own). Elsewhere (alternate and
// coroutine stacks) a walk asks the kernel once for each page on its way,
// through rt_sigprocmask with an invalid `how`, which reads the word, changes
// nothing and is allowed in every sandbox; what was read there is `unstable`:
// a memo may not read it again without asking.
#pragma once

#include <cstdint>

namespace mallogram {

// Zero is the valid initial state. One a walker.
class StackGuard {
 public:
  // *value = the word at `address`; false if it can't be read.
  bool Read(uint64_t address, uint64_t* value);

  // A new walk: pages elsewhere may have gone.
  void StartWalk() { page_ = 0; }

  // Whether a Read since Reset() was outside the thread's own stack.
  bool unstable() const { return unstable_; }
  void Reset() { unstable_ = false; }

 private:
  uint64_t page_;  // elsewhere, read in this walk; 0: none
  bool unstable_;
};

}  // namespace mallogram
