// Why a record is of its kind, in a sentence, and the ways that hold blocks.
#pragma once

#include <string>

#include "analyzer/leaks/document.h"
#include "analyzer/stacks/stack_book.h"

namespace mallogram {

// "global `cache_` in libfoo.so", "the stack of thread \"worker\"". Empty: none.
std::string RootText(const StackBook& book, const RootView& root);

// Where a block was allocated: "node (foo.cc:12)"; the innermost function that is
// not plumbing. Empty: not known.
std::string PlaceOf(const StackBook& book, uint32_t node);

// From the root to the block, "global `cache_` in libfoo.so → 64 B of Add
// (foo.cc:12) +16". `arrow`: what stands between the hops.
std::string WayText(const StackBook& book, const LeakReason& reason,
                    absl::string_view arrow);

// "no pointer to it was found anywhere"
std::string WhyText(const LeakDocument& document, const StackBook& book,
                    const LeakRecord& record, absl::string_view arrow);

// "its array cookie"; empty for kStart.
absl::string_view IdiomText(PointerIdiom idiom);
// For JSON: "array_cookie".
absl::string_view IdiomName(PointerIdiom idiom);
absl::string_view RootKindName(RootKind kind);

}  // namespace mallogram
