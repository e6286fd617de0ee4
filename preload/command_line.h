// The command that the program was started with. Servers write their state over
// their arguments, where `ps` shows it, and forked children show it from birth.
#pragma once

#include <cstdint>

namespace mallogram {

// Writes the arguments, each with a NUL behind it, to `out`; returns their bytes,
// at most `room`, 0: not known. The first call of the program, before it can have
// written over them, remembers them (if they fit) for forked children. Not
// thread-safe: images are made one at a time.
uint32_t CommandLine(char* out, uint32_t room);

}  // namespace mallogram
