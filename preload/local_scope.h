// Where a module that was opened RTLD_LOCAL finds a name that the global scope has
// not: in what it was loaded with. libmallogram_new.so exports operators into every
// program; a plug-in of a C program, which would have found them there, must.
#pragma once

#include <cstdint>

namespace mallogram {

// Names that are asked for, by index.
inline constexpr int kMaxLocalNames = 20;

struct LocalFunction {
  void* function;  // nullptr: nowhere
  bool runtime;    // libstdc++'s or libc++'s own
};

// `names[index]`, as the module that holds `pc` would be bound to it behind the
// global scope. The first question of a module lists all modules (dl_iterate_phdr,
// under the loader's lock for lists alone, which is not held while code is run).
LocalFunction FindLocal(uint64_t pc, const char* const* names, int count,
                        int index);

}  // namespace mallogram
