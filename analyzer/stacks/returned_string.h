// The constant string that a function of an ELF file returns, read from its code.
#pragma once

#include <elfutils/libdwfl.h>

#include "analyzer/stacks/symbolizer.h"

namespace mallogram {

// Understands what compilers make of `return "…";` on x86-64, with and without
// optimization, in executables and libraries, and of returning a variable that is
// initialized so. Anything else is not constant.
ReturnedString ReadReturnedString(Dwfl_Module* module, const char* function);

}  // namespace mallogram
