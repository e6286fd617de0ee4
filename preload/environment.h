// The environment of programs that the traced program starts: whatever the program
// makes of it, the launch variables and the preload are there, so that children
// are recorded too, and the user's own LD_PRELOAD entries stay.
#pragma once

#include <cstddef>

#include "preload/unrecordable.h"

namespace mallogram {

// The program's environment, also where the libc has not set `environ` yet: in
// .preinit_array functions, which run before the libc's constructor. May be
// nullptr.
char** ProgramEnvironment();

// Remembers the library's path and the launch variables. Call once, early.
void RememberLaunch();

// How many entries WithLaunch may add.
inline constexpr size_t kLaunchEntries = 14;

size_t CountEntries(char* const* environment);
// Room for the one string that depends on the environment: a combined LD_PRELOAD.
size_t PreloadBytes(char* const* environment);

// Fills `out` (CountEntries(in) + kLaunchEntries + 1 pointers) with `in` and what
// it lacks; `preload` (PreloadBytes(in)) holds an LD_PRELOAD with our library, or
// without any of ours if not `with_library`; the user's own entries stay. Returns
// `in` itself if that is what it has, or recording is off. Allocates nothing: the
// caller may be a vfork child.
char* const* WithLaunch(char* const* in, char** out, char* preload,
                        bool with_library);

// The value of `name`, or nullptr.
const char* FindVariable(char* const* environment, const char* name);

// A sanitizer's library with a malloc of its own in LD_PRELOAD, or kNot.
Unrecordable PreloadedSanitizer(char* const* environment);
// True if a tool of Valgrind's that has its own malloc has preloaded its library.
bool IsUnderValgrind(char* const* environment);
// False if our library can't be opened from here, by this user, any more.
bool LibraryIsThere();

// True if something that WithLaunch adds is missing. Nothing is, if recording is
// off or the library cannot be seen (another root): the loader would complain of
// it.
bool LacksLaunch(char* const* environment);

// Room for all that is to be exported.
inline constexpr size_t kExportBytes = 14336;
// Writes a shell command that exports what is missing, "export A='b' C='d'; ", to
// `out` (kExportBytes), without a NUL; returns its length. 0: it can't be said.
size_t ExportLaunch(char* const* environment, char* out);

}  // namespace mallogram
