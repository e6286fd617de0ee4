// Entry points that install a filter for system calls (prctl, syscall), before
// which the recorder must have all that it needs (sandbox.h).
#include <errno.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/caller_state.h"
#include "preload/real.h"
#include "preload/recorder_parts.h"
#include "preload/sandbox.h"
#include "preload/sys.h"

using mallogram::g_real;
using mallogram::Resolved;

extern "C" __attribute__((visibility("hidden"))) void* mallogram_real_syscall;

// An executable's own malloc may call prctl or syscall from its set-up, under its
// lock (Chromium). A look-up allocates, and would wait for that lock for ever.
static long Unresolved(long number, long a, long b, long c, long d, long e = 0,
                       long f = 0) {
  const long result = mallogram::sys::Call(number, a, b, c, d, e, f);
  if (!mallogram::sys::IsError(result)) return result;
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
  if (number == SYS_prctl) {  // as if it were called by its name
    return prctl(static_cast<int>(a), b, c, d, e);
  }
  if (number != SYS_seccomp && mallogram_real_syscall == nullptr) {
    return Unresolved(number, a, b, c, d, e, f);
  }
  mallogram::ResolveReal();
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
