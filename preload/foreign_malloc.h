// Programs whose malloc can't be followed at all: a sanitizer's runtime or a tool
// of Valgrind's has put its own in the place of all others.
#pragma once

namespace mallogram {

// True if this process is one: nothing is to be set up then. By dlsym, once per
// process and its forked children. REQUIRES: the caller is in set-up, so that what
// dlsym allocates is not recorded.
bool HasForeignMalloc();

}  // namespace mallogram
