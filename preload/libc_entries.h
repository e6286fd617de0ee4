// The malloc family's entries in libc's own symbol table. Whatever looks a name up
// there (bypass.h) gets the address that the entry holds: ours, once the entries
// are pointed at us.
#pragma once

namespace mallogram {

// Points them: at our exported names, if libc is behind us; else at glibc's own
// names (interpose_libc.cc), which end in libc. All of them or none. False: none,
// since a name is not where it is expected, the table is not read-only data, or no
// system call may be made.
bool PointLibcEntries();

}  // namespace mallogram
