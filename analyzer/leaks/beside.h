// What a trace says beside its leak checks: which of the mismatches the names
// clear, and the program's own pools.
#pragma once

#include <cstddef>
#include <vector>

#include "analyzer/leaks/document.h"
#include "analyzer/recording/trace.h"
#include "analyzer/stacks/stack_book.h"

namespace mallogram {

// The library sees malloc or free where an operator new or delete that it can't see
// was at work: the program's own, or libstdc++'s linked statically. Corrects the
// kinds by the names of the innermost frames; `allocated` and `freed` are the
// stacks' nodes. False: they fit then.
bool CorrectKinds(const StackBook& book, uint32_t allocated, uint32_t freed,
                  Mismatch* mismatch);

std::vector<PoolView> PoolsOf(const Trace& trace, size_t process, StackBook* book);

}  // namespace mallogram
