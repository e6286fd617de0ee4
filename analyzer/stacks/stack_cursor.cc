#include "analyzer/stacks/stack_cursor.h"

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "analyzer/stacks/names.h"

namespace mallogram {
namespace {

bool IsLibrary(const CodeFrame& frame) {
  const absl::string_view file = Basename(frame.module);
  return absl::StartsWith(file, "libc.so.") || absl::StartsWith(file, "libc-") ||
         absl::StartsWith(file, "libstdc++.so") ||
         absl::StartsWith(file, "ld-linux") || absl::StartsWith(file, "ld-musl");
}

}  // namespace

bool IsFolded(const CodeFrame& frame, Fold fold) {
  return frame.plumbing || (fold == Fold::kPlumbingAndLibrary && IsLibrary(frame));
}

StackCursor::StackCursor(const StackBook& book, uint32_t node, Fold fold)
    : book_(&book), node_(node) {
  Settle();
  while (!AtRoot() && IsFolded(book.frame(frame().frame), fold)) {
    outermost_folded_ = frame().frame;
    ++folded_;
    Next();
  }
  if (AtRoot()) {
    node_ = node;
    position_ = 0;
    folded_ = 0;
    Settle();
  }
}

const PlacedFrame& StackCursor::frame() const {
  return book_->Shown(node_)[position_];
}

void StackCursor::Settle() {
  while (!AtRoot() && position_ == book_->Shown(node_).size()) {
    node_ = book_->node(node_).parent;
    position_ = 0;
  }
}

void StackCursor::Next() {
  ++position_;
  Settle();
}

bool StackCursor::NextFunction() {
  const uint32_t function = book_->function(frame().frame);
  bool recursive = false;
  for (Next(); !AtRoot() && book_->function(frame().frame) == function; Next()) {
    recursive = true;
  }
  return recursive;
}

ShownStack StackOf(const StackBook& book, uint32_t node, Fold fold) {
  ShownStack stack;
  bool folding = true;
  for (; node >= kFirstStackId; node = book.node(node).parent) {
    for (const PlacedFrame& frame : book.Shown(node)) {
      folding = folding && IsFolded(book.frame(frame.frame), fold);
      if (folding) ++stack.folded;
      stack.frames.push_back(frame);
    }
  }
  if (stack.folded == stack.frames.size()) stack.folded = 0;
  stack.root = node;
  return stack;
}

}  // namespace mallogram
