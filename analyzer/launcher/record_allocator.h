// Does an allocator with operators of its own take part in a program?
#pragma once

#include <string>
#include <vector>

namespace mallogram {

// True if one of `libraries` (files that will be preloaded) exports operator new,
// or `program` is linked with an allocator that is known to. Such operators do not
// call malloc, so their blocks need libmallogram_new.so. A script's interpreter and
// what a program loads later are not looked into; files that can't be read say no.
bool BringsOperatorNew(const std::string& program,
                       const std::vector<std::string>& libraries);

}  // namespace mallogram
