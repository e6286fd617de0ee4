// Programs that put themselves into a sandbox, and those that were put into one.
//
// A program installs a seccomp filter through prctl() or syscall(), which pass
// here, or by an instruction of its own, which the collector finds in
// /proc/PID/status some milliseconds later. From then on no system call of ours is
// made (may_call.h).
//
// A process that starts with more filters than its launcher has was put into a
// sandbox before exec. Nothing is known of that filter, so such a process is not
// recorded.
#pragma once

#include <cstdint>

namespace mallogram {

// Before a filter is installed: what the recorder may need from then on is set up
// and reserved, and no system call is made any more.
// `strict`: SECCOMP_MODE_STRICT, which forbids the TSC as well.
void PrepareForFilter(bool strict);
// It was installed, or was refused: then all is as before.
void FilterSet(bool installed, bool strict);

// Seccomp filters of this process; kNoCount (options.h): not known.
uint32_t CountFilters();
// At the start of the process: true if there are filters that the launcher does not
// have. Reads /proc/self/status, as the loader has just read other files.
bool StartsInSandbox();

}  // namespace mallogram
