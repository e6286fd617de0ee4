// What could pass the library by: code that is bound to libc's own malloc and free.
//
// RTLD_DEEPBIND puts a plug-in's own dependencies before the global scope in which
// we come first; a handle of libc's and RTLD_NEXT in a plug-in lead there, too. All
// of them look the names up in libc's symbol table. So before the first dlopen the
// malloc family's entries there are pointed at us: whatever is bound afterwards, by
// whomever, while the module is loaded, lazily, in its constructors, with all that
// it brings along, comes to us and goes on to libc's functions as before. This
// needs neither to know the module nor to come after dlopen, which must be reached
// by a jump (interpose_process.cc).
//
// Where a wrapper or an allocator that the user preloads is behind us, a deep-bound
// module must not become its customer: then libc's entries are pointed at glibc's
// own names (interpose_libc.cc), which end in libc, and at the first RTLD_DEEPBIND
// alone. Where none of this can be done, and for a namespace of its own (dlmopen),
// which has a libc and a heap of its own, the recording names the module and judges
// no address.
#pragma once

#include <cstdint>

#include "preload/image.h"

namespace mallogram {

// Before the real dlopen or dlmopen, in any thread, from constructors on.
void BeforeLoad(const char* file, int mode);
void BeforeLoadInNamespace(long name_space, const char* file, int mode);

// Whether something was opened with RTLD_DEEPBIND.
bool HasDeepBound();
// Whether a module was seen, beside the C++ runtime, whose calls of operators do
// not all pass here.
bool HasOperatorsElsewhere();
// Times that something was opened with RTLD_GLOBAL, and that dlclose was called.
uint32_t GlobalLoads();
uint32_t Unloads();
void AfterUnload();

// A process's set-up: what is known so far is true of it, too.
void WatchBypasses(ImageHeader* header);

}  // namespace mallogram
