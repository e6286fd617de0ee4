// The resource limits that a recording was started under. They are meant for the
// program: launcher and collector raise their own as far as they may before they
// need anything, and the program gets back exactly those that were there.
#pragma once

#include <stdint.h>
#include <sys/resource.h>

#include <string>

#include "absl/strings/string_view.h"

namespace mallogram {

class ResourceLimits {
 public:
  // Those that this process has now.
  ResourceLimits();
  // Raises this process's soft limits to the hard ones; where it may
  // (CAP_SYS_RESOURCE), the hard ones, too. Nothing follows from an error.
  static void Raise();
  // Gives this process back what was found. Async-signal-safe.
  void Restore() const;
  // Those that may keep the library out of a program: "ulimit -n 4, -f 0"; empty if
  // none is that narrow.
  std::string Narrow() const;

 private:
  static constexpr int kCount = RLIM_NLIMITS;
  rlimit limits_[kCount];
};

// How threads of the calling process take memory. Small stacks of their own size,
// not of the program's `ulimit -s`; under a limit of the address space one heap for
// all. REQUIRES: no other thread has been started.
void UseLittleMemory();

// The limit of this process that explains a system call's error, as text to append:
// " (ulimit -n 4)". Empty: none does. ETIME: of the processor time.
std::string LimitBehind(int error);
// True if a text made with LimitBehind names one.
bool NamesALimit(absl::string_view text);
// "out of memory", with the limit behind it.
std::string OutOfMemory();

// Processor time (ns) after which the kernel kills this process; UINT64_MAX: never.
uint64_t CpuAllowance();

}  // namespace mallogram
