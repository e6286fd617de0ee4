// Entry points whose child runs in its parent's memory until it is gone: vfork, and
// the clone that is one. The child must not speak for its parent (recorder.h:
// t_lent). fork needs no wrapper.
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <unistd.h>

#include "preload/caller_state.h"
#include "preload/real.h"
#include "preload/recorder_parts.h"
#include "preload/sys.h"
#include "preload/thread_id.h"

using mallogram::g_real;
using mallogram::Resolved;
using mallogram::t_lent;

// Not by the real function: between its two returns there is no place for ours, and
// the child must not run on a frame of ours either. As every libc has it: the
// return address is kept in a register, since the child overwrites the stack. %rdi
// is free: vfork takes nothing.
extern "C" {
__attribute__((visibility("hidden"))) void MallogramLend();
__attribute__((visibility("hidden"))) long MallogramReturned(long result);
}
extern "C" void MallogramLend() {
  if (mallogram::HasControlBlock()) ++t_lent;
}
// In the parent, when the child is gone; in the child at once.
extern "C" long MallogramReturned(long result) {
  if (result == 0) return 0;
  if (mallogram::HasControlBlock()) --t_lent;
  if (!mallogram::sys::IsError(result)) return result;
  errno = static_cast<int>(-result);
  return -1;
}

// Both calls happen with the stack as the caller left it, but for the return
// address that is pushed again: what the child does below is its own.
asm(R"(
  .text
  .globl vfork
  .type vfork, @function
vfork:
  .cfi_startproc
  endbr64
  sub $8, %rsp
  .cfi_adjust_cfa_offset 8
  call MallogramLend
  add $8, %rsp
  .cfi_adjust_cfa_offset -8
  pop %rdi
  .cfi_adjust_cfa_offset -8
  .cfi_register %rip, %rdi
  mov $58, %eax
  syscall
  push %rdi
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %rip, 0
  mov %rax, %rdi
  sub $8, %rsp
  .cfi_adjust_cfa_offset 8
  call MallogramReturned
  add $8, %rsp
  .cfi_adjust_cfa_offset -8
  ret
  .cfi_endproc
  .size vfork, .-vfork
)");

// With CLONE_VFORK the caller stands still until the child is gone. Others have
// memory of their own, or are threads.
MALLOGRAM_EXPORT int clone(int (*function)(void*), void* stack, int flags,
                           void* argument, ...) {
  va_list more;
  va_start(more, argument);
  void* const parent_tid = va_arg(more, void*);
  void* const tls = va_arg(more, void*);
  void* const child_tid = va_arg(more, void*);
  va_end(more);
  if (!Resolved(g_real.clone)) {
    errno = ENOSYS;
    return -1;
  }
  constexpr int kLends = CLONE_VM | CLONE_VFORK;
  const bool lends = (flags & kLends) == kLends && (flags & CLONE_SETTLS) == 0;
  if (lends) ++t_lent;
  const int result =
      g_real.clone(function, stack, flags, argument, parent_tid, tls, child_tid);
  if (lends) --t_lent;
  return result;
}
