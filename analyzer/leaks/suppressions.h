// Suppressions: what is found and is not to be reported.
//
// Two syntaxes, also mixed in one file; "#" begins a comment.
//   LeakSanitizer's  leak:PATTERN   somewhere in a function's name, a source file
//   or
//     the module of any frame. "*" is any text, "^" the begin, "$" the end.
//   Valgrind's       { name, Memcheck:Leak, match-leak-kinds: …, fun:/obj:/src:/...
//   }
//     frames from the innermost on, "*" and "?" as in file names, "..." any frames.
//     Memcheck:Free is of frees that do not fit, by the stack that freed. Blocks of
//     other tools and errors are skipped. An addition: root:NAME is the variable
//     that holds the block, no other block between.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "analyzer/leaks/document.h"
#include "analyzer/stacks/stack_book.h"

namespace mallogram {

struct SuppressionPattern {
  enum class Of : uint8_t { kAnyPart, kFunction, kObject, kSource, kEllipsis };
  Of of = Of::kAnyPart;
  std::string text;
};

struct Suppression {
  std::string name, source;
  bool built_in = false;
  KindSet kinds = kAllKinds;
  bool of_frees = false;                     // of mismatches, not of leaks
  bool any_frame = false;                    // LSan: one pattern, of any frame
  std::vector<SuppressionPattern> patterns;  // Valgrind: a frame each
  std::string root;                          // empty: any
};

class SuppressionSet {
 public:
  // `source` names the text in errors (InvalidArgument, "source:line: …").
  absl::Status Add(absl::string_view text, absl::string_view source, bool built_in);

  const std::vector<Suppression>& all() const { return all_; }

 private:
  std::vector<Suppression> all_;
};

// The built-in ones as text, in Valgrind's syntax. They are of reachable blocks
// alone, so they cannot hide a block that is lost.
extern const char kBuiltInSuppressions[];

// Marks the document's records, indirect ones with the record that they hang on,
// and sums up.
void ApplySuppressions(const SuppressionSet& set, const StackBook& book,
                       LeakDocument* document);

// The frames of a call stack, innermost first, without folding and without the
// root.
std::vector<uint32_t> FramesOf(const StackBook& book, uint32_t node);

// LSan's: "*", "^" and "$".
bool MatchesPart(absl::string_view pattern, absl::string_view text);
// Valgrind's: the whole text; "*" and "?".
bool MatchesWhole(absl::string_view pattern, absl::string_view text);

// Adds the files' and, if asked to, the built-in ones. Errors: a file that cannot
// be read, or FILE:LINE of what is no suppression.
absl::Status LoadSuppressions(const std::vector<std::string>& files, bool built_in,
                              SuppressionSet* set);

}  // namespace mallogram
