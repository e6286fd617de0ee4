// Entry points other than the malloc family: what replaces a process or starts
// another, and what loads and unloads code. What ends one: interpose_end.cc.
//
// fork needs no wrapper: a forked child finds its thread states wiped and starts a
// trace of its own (recorder.h). A vfork child is its parent: interpose_vfork.cc.
#include <alloca.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "preload/bypass.h"
#include "preload/caller_state.h"
#include "preload/child_check.h"
#include "preload/environment.h"
#include "preload/modules.h"
#include "preload/real.h"
#include "preload/recorder_parts.h"

using mallogram::CheckChild;
using mallogram::CheckSpawn;
using mallogram::g_real;
using mallogram::Resolved;
using mallogram::Unrecordable;

namespace {

// The result of an exec, which returns only if it failed, or of a posix_spawn.
int Failed(Unrecordable why, int result) {
  if (result != 0) mallogram::ForgetChild(why);
  return result;
}

int Unsupported() {
  errno = ENOSYS;
  return -1;
}

}  // namespace

// The environment `in` for a child that was judged `why`: with the launch
// variables, and our library where it does no harm. In this frame's memory: the
// caller may be a vfork child, which may not allocate.
#define LAUNCH_ENVIRONMENT(in, why)                                              \
  mallogram::WithLaunch(in,                                                      \
                        static_cast<char**>(alloca(                              \
                            sizeof(char*) * (mallogram::CountEntries(in) +       \
                                             mallogram::kLaunchEntries + 1))),   \
                        static_cast<char*>(alloca(mallogram::PreloadBytes(in))), \
                        mallogram::IgnoresPreload(why))

MALLOGRAM_EXPORT int execve(const char* path, char* const argv[],
                            char* const envp[]) {
  if (!Resolved(g_real.execve)) return Unsupported();
  const Unrecordable why = CheckChild({.path = path}, envp);
  return Failed(why, g_real.execve(path, argv, LAUNCH_ENVIRONMENT(envp, why)));
}

MALLOGRAM_EXPORT int execv(const char* path, char* const argv[]) {
  return execve(path, argv, environ);
}

MALLOGRAM_EXPORT int execvpe(const char* file, char* const argv[],
                             char* const envp[]) {
  if (!Resolved(g_real.execvpe)) return Unsupported();
  const Unrecordable why =
      CheckChild({.path = file, .search = true, .shell = true}, envp);
  return Failed(why, g_real.execvpe(file, argv, LAUNCH_ENVIRONMENT(envp, why)));
}

MALLOGRAM_EXPORT int execvp(const char* file, char* const argv[]) {
  return execvpe(file, argv, environ);
}

MALLOGRAM_EXPORT int fexecve(int fd, char* const argv[], char* const envp[]) {
  if (!Resolved(g_real.fexecve)) return Unsupported();
  const Unrecordable why = CheckChild({.descriptor = fd}, envp);
  return Failed(why, g_real.fexecve(fd, argv, LAUNCH_ENVIRONMENT(envp, why)));
}

MALLOGRAM_EXPORT int execveat(int directory, const char* path, char* const argv[],
                              char* const envp[], int flags) {
  if (!Resolved(g_real.execveat)) return Unsupported();
  const Unrecordable why =
      CheckChild({.directory = directory,
                  .path = path,
                  .descriptor = directory,
                  .may_be_empty = (flags & AT_EMPTY_PATH) != 0},
                 envp);
  return Failed(why, g_real.execveat(directory, path, argv,
                                     LAUNCH_ENVIRONMENT(envp, why), flags));
}

// The variadic forms: the arguments up to the terminating NULL as an array on
// the stack. `last` is left at the argument after the NULL.
#define ARGUMENT_ARRAY(argv, first, last)                                        \
  size_t argv##_count = 1;                                                       \
  {                                                                              \
    va_list counting;                                                            \
    va_start(counting, first);                                                   \
    while (va_arg(counting, char*) != nullptr) ++argv##_count;                   \
    va_end(counting);                                                            \
  }                                                                              \
  auto** argv = static_cast<char**>(alloca(sizeof(char*) * (argv##_count + 1))); \
  argv[0] = const_cast<char*>(first);                                            \
  va_start(last, first);                                                         \
  for (size_t i = 1; i <= argv##_count; ++i) argv[i] = va_arg(last, char*)

MALLOGRAM_EXPORT int execl(const char* path, const char* first, ...) {
  va_list last;
  ARGUMENT_ARRAY(argv, first, last);
  va_end(last);
  return execve(path, argv, environ);
}

MALLOGRAM_EXPORT int execlp(const char* file, const char* first, ...) {
  va_list last;
  ARGUMENT_ARRAY(argv, first, last);
  va_end(last);
  return execvpe(file, argv, environ);
}

MALLOGRAM_EXPORT int execle(const char* path, const char* first, ...) {
  va_list last;
  ARGUMENT_ARRAY(argv, first, last);
  char** envp = va_arg(last, char**);
  va_end(last);
  return execve(path, argv, envp);
}

MALLOGRAM_EXPORT int posix_spawn(pid_t* pid, const char* path,
                                 const posix_spawn_file_actions_t* actions,
                                 const posix_spawnattr_t* attributes,
                                 char* const argv[], char* const envp[]) {
  if (!Resolved(g_real.posix_spawn)) return ENOSYS;
  const Unrecordable why = CheckSpawn({.path = path}, actions, envp);
  return Failed(why, g_real.posix_spawn(pid, path, actions, attributes, argv,
                                        LAUNCH_ENVIRONMENT(envp, why)));
}

MALLOGRAM_EXPORT int posix_spawnp(pid_t* pid, const char* file,
                                  const posix_spawn_file_actions_t* actions,
                                  const posix_spawnattr_t* attributes,
                                  char* const argv[], char* const envp[]) {
  if (!Resolved(g_real.posix_spawnp)) return ENOSYS;
  const Unrecordable why =
      CheckSpawn({.path = file, .search = true}, actions, envp);
  return Failed(why, g_real.posix_spawnp(pid, file, actions, attributes, argv,
                                         LAUNCH_ENVIRONMENT(envp, why)));
}

MALLOGRAM_EXPORT int dlclose(void* handle) {
  if (!Resolved(g_real.dlclose)) return -1;
  const int result = g_real.dlclose(handle);
  // Whatever that unloaded must not lend its names to the next one there.
  if (mallogram::IsRecorded()) mallogram::SweepModules();
  mallogram::AfterUnload();
  return result;
}

// dlopen and dlmopen look at their caller (RPATH, $ORIGIN, namespace), so they
// must be reached by a jump, the caller's return address untouched. Before it,
// modules that libc unloaded behind our back are struck off, since the new one may
// take their place.
extern "C" {
[[gnu::visibility("hidden")]] void MallogramBeforeDlopen(const char* file,
                                                         int mode);
[[gnu::visibility("hidden")]] void MallogramBeforeDlmopen(long name_space,
                                                          const char* file,
                                                          int mode);
}
extern "C" void MallogramBeforeDlopen(const char* file, int mode) {
  mallogram::ResolveReal();
  if (mallogram::IsRecorded()) mallogram::SweepModules();
  mallogram::BeforeLoad(file, mode);
}
extern "C" void MallogramBeforeDlmopen(long name_space, const char* file,
                                       int mode) {
  mallogram::ResolveReal();
  if (mallogram::IsRecorded()) mallogram::SweepModules();
  mallogram::BeforeLoadInNamespace(name_space, file, mode);
}

asm(R"(
  .text
  .macro MALLOGRAM_JUMP name, before, target
  .globl \name
  .type \name, @function
\name:
  .cfi_startproc
  endbr64
  push %rdi
  .cfi_adjust_cfa_offset 8
  push %rsi
  .cfi_adjust_cfa_offset 8
  push %rdx
  .cfi_adjust_cfa_offset 8
  call \before
  pop %rdx
  .cfi_adjust_cfa_offset -8
  pop %rsi
  .cfi_adjust_cfa_offset -8
  pop %rdi
  .cfi_adjust_cfa_offset -8
  jmp *\target(%rip)
  .cfi_endproc
  .size \name, .-\name
  .endm
  MALLOGRAM_JUMP dlopen, MallogramBeforeDlopen, mallogram_real_dlopen
  MALLOGRAM_JUMP dlmopen, MallogramBeforeDlmopen, mallogram_real_dlmopen
)");
