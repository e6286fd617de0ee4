// Entry points that end the process, and ptrace, which may take our tracer away.
//
// exit() runs the library's destructor (interpose.cc); these don't. A SIGKILL needs
// nothing at all: what was recorded lies in the collector's memory.
#undef NDEBUG  // or the header does not declare what is defined here
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <unistd.h>

#include "preload/caller_state.h"
#include "preload/errno_guard.h"
#include "preload/leak_hold.h"
#include "preload/real.h"
#include "preload/recorder_parts.h"
#include "preload/thread_id.h"

using mallogram::g_real;
using mallogram::Resolved;

// Noinline, so that the entry point stays on the stack while it is unwound.
[[gnu::noinline]] static void EndsHere(const mallogram::CallerState& caller,
                                       int wait_status) {
  if (!mallogram::HasControlBlock()) return;
  const mallogram::KeepErrno keep;
  mallogram::NoteExit();
  mallogram::HoldAtEnd(&caller, wait_status);
}

MALLOGRAM_EXPORT void _exit(int status) {
  EndsHere(CALLER_STATE(), (status & 0xff) << 8);
  if (Resolved(g_real.exit_now)) g_real.exit_now(status);
  __builtin_trap();
}

MALLOGRAM_EXPORT void _Exit(int status) {
  EndsHere(CALLER_STATE(), (status & 0xff) << 8);
  if (Resolved(g_real.exit_now)) g_real.exit_now(status);
  __builtin_trap();
}

// Its handlers run behind it, and free what they free.
MALLOGRAM_EXPORT void quick_exit(int status) {
  EndsHere(CALLER_STATE(), (status & 0xff) << 8);
  if (Resolved(g_real.quick_exit)) g_real.quick_exit(status);
  __builtin_trap();
}

MALLOGRAM_EXPORT void abort() {
  EndsHere(CALLER_STATE(), SIGABRT);
  if (Resolved(g_real.abort)) g_real.abort();
  __builtin_trap();
}

// The C library calls its own abort here, not ours.
MALLOGRAM_EXPORT void __assert_fail(const char* assertion, const char* file,
                                    unsigned int line, const char* function) {
  EndsHere(CALLER_STATE(), SIGABRT);
  if (Resolved(g_real.assert_fail)) {
    g_real.assert_fail(assertion, file, line, function);
  }
  __builtin_trap();
}

// A process has one tracer. The collector lets go of a process that offers itself
// to its parent, and of one that this process is about to trace. (glibc declares
// ptrace with `...` after an enum, and va_start allows no enum there; callers pass
// all four arguments in registers.)
MALLOGRAM_EXPORT long Ptrace(int request, pid_t pid, void* address,
                             void* data) asm("ptrace");
MALLOGRAM_EXPORT long Ptrace(int request, pid_t pid, void* address, void* data) {
  if (request == PTRACE_TRACEME) mallogram::LetGoOfTracer(0);
  if (request == PTRACE_ATTACH || request == PTRACE_SEIZE)
    mallogram::LetGoOfTracer(pid);
  if (!Resolved(g_real.ptrace)) {
    errno = ENOSYS;
    return -1;
  }
  return g_real.ptrace(static_cast<__ptrace_request>(request), pid, address, data);
}
