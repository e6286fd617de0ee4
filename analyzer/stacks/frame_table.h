// The frames of a report as the user reads them: numbered, so that what reads the
// same is the same number. Analyses group by these numbers, renderers print them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analyzer/report/report.h"

namespace mallogram {

struct FrameView {
  std::string function;  // empty: not known
  std::string file;
  uint32_t line = 0;
  std::string module;   // path; empty: none
  uint64_t offset = 0;  // of the first address with this frame
  bool plumbing = false;
  // A line that says how the stack ends, instead of a frame.
  bool note = false;
  std::string symbol = {};  // mangled; empty: none
};

// How a stack is shown: the frames after folding.
struct ShownFrame {
  uint32_t frame = 0;
  bool inlined = false;
};

class FrameTable {
 public:
  explicit FrameTable(const Report& report);

  const FrameView& frame(uint32_t id) const { return frames_[id]; }
  size_t size() const { return frames_.size(); }
  // Frames with one function in one module are one function (unknown ones: one
  // address is one function).
  uint32_t function(uint32_t frame) const { return functions_[frame]; }

  // The frames of a location, innermost first.
  const std::vector<ShownFrame>& At(uint32_t location) const {
    return locations_[location];
  }

  // The frame that stands for the end of a stack: kRootComplete's is never shown.
  static uint32_t RootFrame(uint32_t root) { return root; }

 private:
  std::vector<FrameView> frames_;
  std::vector<uint32_t> functions_;
  std::vector<std::vector<ShownFrame>> locations_;
};

// A position in a call stack, walking outwards. Starts at the innermost frame
// that is not plumbing; if all are, at the innermost.
class StackCursor {
 public:
  StackCursor(const Report& report, const FrameTable& table, uint32_t node);

  bool AtRoot() const { return node_ < kFirstStackId; }
  uint32_t root() const { return node_; }  // REQUIRES: AtRoot()
  const ShownFrame& frame() const;         // REQUIRES: !AtRoot()
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
  const Report* report_;
  const FrameTable* table_;
  uint32_t node_;
  uint32_t position_ = 0;
  uint32_t folded_ = 0, outermost_folded_ = 0;
};

}  // namespace mallogram
