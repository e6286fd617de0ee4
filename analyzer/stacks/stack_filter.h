// Which call stacks are shown, and which of their frames. Words and meaning are
// pprof's:
//
//   focus   stacks with a frame that matches
//   ignore  no stacks with a frame that matches
//   hide    all frames but those that match
//   show    only frames that match
//   module  stacks whose first frame, as shown, is in a module that matches
//
// An expression is RE2's. It matches anywhere in a frame's function, file or
// module. Of several in one word each will do. Focus and ignore look at
// all frames, hidden ones too.
//
// Rules come from options and from files, a rule a line:
//
//   # what a project would not like to see
//   hide ^(xmalloc|xrealloc|xstrdup)$
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "analyzer/stacks/code_frame.h"

namespace re2 {
class RE2;
}  // namespace re2

namespace mallogram {

// What the filter finds at a frame.
using FrameMarks = uint8_t;
inline constexpr FrameMarks kFocusFrame = 1, kIgnoredFrame = 2, kHiddenFrame = 4,
                            kShownFrame = 8, kModuleFrame = 16;

class StackFilter {
 public:
  // `word`: "focus", … as above. InvalidArgument: no such word, or no expression.
  absl::Status Add(absl::string_view word, absl::string_view expression);
  // The rules of a file's text; `name` is the file's, for errors.
  absl::Status AddRules(absl::string_view text, absl::string_view name);

  bool active() const { return !rules_.empty(); }
  bool focuses() const { return Any(kFocusFrame); }
  bool shows() const { return Any(kShownFrame); }
  bool asks_module() const { return Any(kModuleFrame); }
  // A frame is either hidden or shown.
  FrameMarks MarksOf(const CodeFrame& frame) const;

  // The rules in the order they were added: word, expression.
  std::vector<std::pair<std::string, std::string>> Rules() const;

 private:
  struct Rule {
    FrameMarks mark;
    std::shared_ptr<const re2::RE2> expression;  // immutable; filters are copied
  };
  bool Any(FrameMarks mark) const;

  std::vector<Rule> rules_;
};

}  // namespace mallogram
