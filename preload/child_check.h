// What a program is about to execute, looked at before it does: where our library
// in LD_PRELOAD would be fatal (another C library, a sanitizer's runtime, a chroot
// without the library), the child does not get it, and is counted.
#pragma once

#include <fcntl.h>
#include <spawn.h>

#include "preload/unrecordable.h"

namespace mallogram {

// How an exec names its program.
struct ChildName {
  int directory = AT_FDCWD;
  const char* path = nullptr;  // nullptr: `descriptor` is the program
  int descriptor = -1;
  bool may_be_empty = false;  // "" means `descriptor`, too
  bool search = false;        // in PATH, if there is no slash in it
  bool shell = false;         // a text without "#!" goes to /bin/sh
};

// Looks, unless a sandbox could kill for the look: then no program is taken for
// recordable. Counts one that is not recorded. `environment` is the child's. Usable
// in a vfork child; errno kept.
Unrecordable CheckChild(const ChildName& name, char* const* environment);
// The same for posix_spawn, whose actions may change the directory before.
Unrecordable CheckSpawn(ChildName name, const posix_spawn_file_actions_t* actions,
                        char* const* environment);

// This process is one that is not recorded.
void CountChild(Unrecordable why);
// It was not executed after all.
void ForgetChild(Unrecordable why);

}  // namespace mallogram
