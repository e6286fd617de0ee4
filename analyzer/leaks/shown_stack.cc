#include "analyzer/leaks/shown_stack.h"

#include "absl/strings/match.h"
#include "analyzer/stacks/names.h"

namespace mallogram {
namespace {

// The C library allocates on somebody's behalf: strdup, getline, fopen.
bool IsLibrary(const FrameView& frame) {
  const absl::string_view file = Basename(frame.module);
  return absl::StartsWith(file, "libc.so.") || absl::StartsWith(file, "libc-") ||
         absl::StartsWith(file, "libstdc++.so") ||
         absl::StartsWith(file, "ld-linux") || absl::StartsWith(file, "ld-musl");
}

}  // namespace

ShownStack StackOf(const Report& names, const FrameTable& frames, uint32_t node) {
  ShownStack stack;
  bool folding = true;
  for (; node >= kFirstStackId; node = names.nodes[node].parent) {
    for (const ShownFrame& frame : frames.At(names.nodes[node].location)) {
      const FrameView& view = frames.frame(frame.frame);
      folding = folding && (view.plumbing || IsLibrary(view));
      if (folding) ++stack.folded;
      stack.frames.push_back(frame);
    }
  }
  if (stack.folded == stack.frames.size()) stack.folded = 0;
  stack.root = node;
  return stack;
}

}  // namespace mallogram
