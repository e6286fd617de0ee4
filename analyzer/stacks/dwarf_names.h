// What DWARF calls a function, and what tells it from others of the same name.
#pragma once

#include <elfutils/libdw.h>

#include <string>

namespace mallogram {

struct FunctionName {
  std::string function, symbol, origin;  // as in Frame
};

// Of a function's entry, or of an inlined call's. g++ gives a lambda's function no
// linkage name: its name is made of the scopes, as the C++ ABI would write it
// ("routeA(int)::{lambda(int)#1}::operator()(int) const").
FunctionName NameOfFunction(Dwarf_Die* die);

}  // namespace mallogram
