// What container a block is a part of, where the names of the standard library's
// functions on its stack show it.
#pragma once

#include <string>

#include "analyzer/stacks/stack_book.h"

namespace mallogram {

// "a node of std::map", "the elements of std::vector"; empty: not known. Looks at
// the frames inside of the first one that is the user's.
std::string ContainerOf(const StackBook& book, uint32_t node);

// The same of one function's name.
std::string ContainerOfFunction(absl::string_view function);

}  // namespace mallogram
