// Which thread this is, without a system call: the C library keeps the number in
// the thread's control block. Where it lies there is told by the descriptor that
// glibc exports for debuggers (nptl_db), and believed if the thread's own number is
// there.
#pragma once

#include <cstdint>

namespace mallogram {

// Of the calling thread: the address of its control block.
inline uint64_t ThreadPointer() {
  uint64_t pointer;
  asm("mov %%fs:0, %0" : "=r"(pointer));
  return pointer;
}

// False in a child that was cloned with a thread pointer that leads to no control
// block, as sandboxes do to call chroot and _exit (Chromium): nothing thread-local,
// errno included, may be touched there. A control block points to itself twice.
inline bool HasControlBlock() {
  uint64_t self, again;
  asm("mov %%fs:0, %0" : "=r"(self));
  asm("mov %%fs:16, %0" : "=r"(again));
  return self != 0 && self == again;
}

// At the start of a process, also of a forked one: remembers its number and that of
// the calling thread, which a bare clone() may have left wrong in the control
// block. `field`: glibc's descriptor _thread_db_pthread_tid, or nullptr.
void InitThreadIds(const uint32_t* field);

// The kernel's number of the calling thread; 0: it can't be told now.
int ThreadId();
bool IsMainThread();

}  // namespace mallogram
