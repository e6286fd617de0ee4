// Names for people: shortening them, and knowing which functions are
// an allocator's or a container's plumbing. Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "analyzer/stacks/symbolizer.h"

namespace mallogram {

// "void ns::f<int>(long) const" → "ns::f": without return type, arguments,
// template arguments, clone suffixes.
std::string BareName(absl::string_view name);

// What a report line shows: no parameters, inner template arguments as "<…>" if
// the name is longer than `width` characters; then cut in the middle.
std::string ShortName(absl::string_view name, size_t width, bool utf8);

// True for the functions that allocate on somebody's behalf: the malloc family,
// operator new, the standard library's own (containers, strings, allocators, smart
// pointers), and anybody's SomeAllocator<T>::allocate. Their caller is what the
// user wants to see. Rust's libraries count by `symbol`, as in Frame: a C++ program
// may have a namespace `core` of its own.
bool IsPlumbing(absl::string_view function, absl::string_view symbol = "");

// The last component of a path.
absl::string_view Basename(absl::string_view path);

}  // namespace mallogram
