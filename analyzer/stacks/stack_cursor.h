// Ways through one call stack of a StackBook, innermost frame first. Who allocates
// on somebody's behalf is folded away at the inner end: the first frame is the
// user's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "analyzer/stacks/stack_book.h"

namespace mallogram {

// What is folded at the inner end of a stack.
enum class Fold : uint8_t {
  kPlumbing,            // allocators and the C++ and Rust libraries (names.h)
  kPlumbingAndLibrary,  // the C library as well: strdup, getline, fopen
};

bool IsFolded(const CodeFrame& frame, Fold fold);

// A position in a call stack, walking outwards. Starts at the innermost frame
// that is not folded; if all are, at the innermost.
class StackCursor {
 public:
  // `book` must outlive the object.
  StackCursor(const StackBook& book, uint32_t node, Fold fold = Fold::kPlumbing);

  bool AtRoot() const { return node_ < kFirstStackId; }
  uint32_t root() const { return node_; }  // REQUIRES: AtRoot()
  const PlacedFrame& frame() const;        // REQUIRES: !AtRoot()
  void Next();
  // Next, and past further frames of the same function: direct recursion, and
  // functions of which a part was inlined into itself. True if there were any.
  bool NextFunction();

  uint32_t node() const { return node_; }
  uint32_t position() const { return position_; }
  // Frames folded before the start; the outermost of them, if any.
  uint32_t folded() const { return folded_; }
  uint32_t outermost_folded() const { return outermost_folded_; }

 private:
  void Settle();  // past locations that show no frame (any more)

  const StackBook* book_;
  uint32_t node_;
  uint32_t position_ = 0;
  uint32_t folded_ = 0, outermost_folded_ = 0;
};

// A call stack as a list.
struct ShownStack {
  std::vector<PlacedFrame> frames;  // innermost first, the folded ones included
  size_t folded = 0;                // so many of them; 0 if all would be
  uint32_t root = 0;                // how the stack ends, as in records.h
};
ShownStack StackOf(const StackBook& book, uint32_t node, Fold fold);

}  // namespace mallogram
