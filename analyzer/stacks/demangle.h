// Symbols to names, for every language whose symbols a well-kept demangler reads:
// C++ by the C++ library, Rust and D by GNU libiberty. Pure functions.
#pragma once

#include <string>

namespace mallogram {

// The name itself if it is not a mangled one. What the compiler and the linker add
// to a function that they split or copy is left out (".part.0", "@@VERSION"), and
// so is a Rust symbol's hash, which changes with every build.
std::string Demangle(const char* name);

// Whether the symbol is mangled, so that equal symbols are one function.
bool IsMangled(const char* name);

// Whether it is a Rust function's, of either mangling scheme.
bool IsRust(const char* name);

}  // namespace mallogram
