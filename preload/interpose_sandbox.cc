// Entry points that tell what the recorder could not know otherwise: a child that
// runs in its parent's memory (vfork, clone), and a filter for system calls
// (prctl, syscall), before which the recorder must have all that it needs.
#include <errno.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/caller_state.h"
#include "preload/real.h"
#include "preload/recorder.h"
#include "preload/sandbox.h"
#include "preload/thread_id.h"

using mallogram::g_real;
using mallogram::Resolved;
using mallogram::t_lent;

extern "C" __attribute__((visibility("hidden"))) void* mallogram_real_syscall;

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
  if (result > -4096 && result < 0) {
    errno = static_cast<int>(-result);
    return -1;
  }
  return result;
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

// An executable's own malloc may call prctl or syscall from its set-up, under its
// lock (Chromium). A look-up allocates, and would wait for that lock for ever.
static long Unresolved(long number, long a, long b, long c, long d, long e = 0,
                       long f = 0) {
  const long result = mallogram::sys::Call(number, a, b, c, d, e, f);
  if (result >= 0 || result < -4095) return result;
  errno = static_cast<int>(-result);
  return -1;
}

MALLOGRAM_EXPORT int prctl(int option, ...) {
  va_list more;
  va_start(more, option);
  unsigned long arguments[4];
  for (unsigned long& one : arguments) one = va_arg(more, unsigned long);
  va_end(more);
  const bool filters = option == PR_SET_SECCOMP;
  if (!filters && option != PR_SET_TSC && g_real.prctl == nullptr) {
    return static_cast<int>(
        Unresolved(SYS_prctl, option, static_cast<long>(arguments[0]),
                   static_cast<long>(arguments[1]), static_cast<long>(arguments[2]),
                   static_cast<long>(arguments[3])));
  }
  if (!Resolved(g_real.prctl)) {
    errno = ENOSYS;
    return -1;
  }
  const bool strict = filters && arguments[0] == SECCOMP_MODE_STRICT;
  if (filters) mallogram::PrepareForFilter(strict);
  const bool tsc = option == PR_SET_TSC;
  if (tsc && arguments[0] == PR_TSC_SIGSEGV) mallogram::ForbidTsc();
  const int result =
      g_real.prctl(option, arguments[0], arguments[1], arguments[2], arguments[3]);
  if (filters) mallogram::FilterSet(result == 0, strict);
  if (tsc && (result != 0 || arguments[0] == PR_TSC_ENABLE)) mallogram::AllowTsc();
  return result;
}

// syscall() is reached by a jump, whatever its caller passes, but for the calls
// that install a filter.
extern "C" __attribute__((visibility("hidden"))) long MallogramFilterCall(
    long number, long a, long b, long c, long d, long e, long f);
extern "C" long MallogramFilterCall(long number, long a, long b, long c, long d,
                                    long e, long f) {
  using Syscall = long (*)(long, ...);
  if (mallogram_real_syscall == nullptr && number != SYS_prctl &&
      number != SYS_seccomp) {
    return Unresolved(number, a, b, c, d, e, f);
  }
  if (number != SYS_prctl) mallogram::ResolveReal();
  if (number == SYS_prctl) {  // as if it were called by its name
    return prctl(static_cast<int>(a), b, c, d, e);
  }
  const bool strict = number == SYS_seccomp && a == SECCOMP_SET_MODE_STRICT;
  const bool filters =
      strict || (number == SYS_seccomp && a == SECCOMP_SET_MODE_FILTER);
  if (filters) mallogram::PrepareForFilter(strict);
  const long result =
      reinterpret_cast<Syscall>(mallogram_real_syscall)(number, a, b, c, d, e, f);
  // With a listener the result is a descriptor.
  if (filters) mallogram::FilterSet(result >= 0, strict);
  return result;
}

asm(R"(
  .text
  .globl syscall
  .type syscall, @function
syscall:
  .cfi_startproc
  endbr64
  cmp $317, %rdi
  je MallogramFilterCall
  cmp $157, %rdi
  je MallogramFilterCall
  mov mallogram_real_syscall(%rip), %rax
  test %rax, %rax
  je MallogramFilterCall
  jmp *%rax
  .cfi_endproc
  .size syscall, .-syscall
)");
