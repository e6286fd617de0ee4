// The call stacks of any number of traces as one tree of named frames: the one way
// from an address to what people read.
//
//   trace's stack id ─> node ─> location ─> frames ─> text
//                        │         └ module, offset: named once, whatever trace
//                        └ parent, and so on to a root
//
// What is equal has one number: a module (path and build-id), a location (address
// of code), a frame (text, module), a function (name and origin in a module), a
// node (a location below a parent). Analyses group by the numbers, renderers print
// what the numbers stand for. site_book.h folds recursion and gives call sites ids
// that outlive the process.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "analyzer/recording/trace.h"
#include "analyzer/stacks/code_frame.h"
#include "analyzer/stacks/stack_filter.h"
#include "analyzer/stacks/symbolizer.h"
#include "preload/trace/mapped_array.h"

namespace mallogram {

struct CodeModule {
  std::string path;
  std::string build_id;  // raw bytes
};

inline constexpr uint32_t kNoModuleIndex = 0xffffffffu;

// A frame where it stands.
struct PlacedFrame {
  uint32_t frame = 0;
  bool inlined = false;
};

// One address of code; its frames innermost first.
struct Location {
  uint32_t module = kNoModuleIndex;  // in modules()
  uint64_t offset = 0;
  std::vector<PlacedFrame> frames;  // all, never none
  // Those that the filter shows, if it hides any of them.
  std::vector<PlacedFrame> shown = {};
  bool hides = false;
  FrameMarks marks = 0;  // of all its frames

  const std::vector<PlacedFrame>& visible() const { return hides ? shown : frames; }
};

// A call stack is the path from a node to a root. Nodes 0…3 are the roots of
// records.h. A parent precedes its children.
struct CallNode {
  uint32_t parent = 0;
  uint32_t location = 0;
};

// When two addresses are one location.
enum class SameLocation : uint8_t {
  kByAddress,  // module and offset
  kByText,     // all their frames read the same, in one module
};

class StackBook {
 public:
  // `debug_dir`: searched like /usr/lib/debug, and before it; may be empty.
  explicit StackBook(SameLocation same, absl::string_view debug_dir = "",
                     StackFilter filter = StackFilter());
  StackBook(const StackBook&) = delete;
  StackBook& operator=(const StackBook&) = delete;

  // The trace that stack ids are of from now on. The trace must outlive its calls.
  void Begin(const Trace& trace);
  // The node of a stack's innermost frame, or the root that the stack is.
  uint32_t NodeOf(uint32_t stack_id);
  uint32_t ModuleIndex(const Module& module);
  // Names what is no code: variables, and what functions return.
  Symbolizer& symbolizer() { return symbolizer_; }

  // What NodeOf is made of; for tests, which have no trace.
  uint32_t AddModule(absl::string_view path, absl::string_view build_id);
  uint32_t AddLocation(uint32_t module, uint64_t offset,
                       const std::vector<Frame>& frames);
  uint32_t Child(uint32_t parent, uint32_t location);

  const std::vector<CodeModule>& modules() const { return modules_; }
  const CallNode& node(uint32_t node) const { return nodes_[node]; }
  size_t node_count() const { return nodes_.size(); }
  const Location& location(uint32_t location) const { return locations_[location]; }
  size_t location_count() const { return locations_.size(); }
  // The frames of a node's location that the filter shows; may be none.
  const std::vector<PlacedFrame>& Shown(uint32_t node) const {
    return locations_[nodes_[node].location].visible();
  }
  // Whether the filter takes the stack at all.
  bool Selects(uint32_t node) const;
  const StackFilter& filter() const { return filter_; }
  const CodeFrame& frame(uint32_t frame) const { return frames_[frame]; }
  size_t frame_count() const { return frames_.size(); }
  // Frames with one function in one module have one number (unknown ones: one
  // address is one function). The number is that of the first such frame.
  uint32_t function(uint32_t frame) const { return functions_[frame]; }
  // The frame that stands for the end of a stack: kRootComplete's is never shown.
  static uint32_t RootFrame(uint32_t root) { return root; }

  // Modules that could not be named: sentences for people.
  const std::vector<std::string>& notes() const { return symbolizer_.notes(); }

 private:
  uint32_t LocationOf(const Stack& stack);
  uint32_t FrameOf(const Frame& frame, const std::string& module, uint64_t offset);

  const SameLocation same_;
  const StackFilter filter_;
  Symbolizer symbolizer_;
  std::vector<CodeModule> modules_;
  std::vector<Location> locations_;
  std::vector<CallNode> nodes_;
  std::vector<CodeFrame> frames_;
  std::vector<uint32_t> functions_;      // a frame each
  std::vector<FrameMarks> frame_marks_;  // a frame each
  std::vector<FrameMarks> node_marks_;   // a node each: of all its stack
  absl::flat_hash_map<std::pair<std::string, std::string>, uint32_t> module_index_;
  absl::flat_hash_map<std::pair<uint32_t, uint64_t>, uint32_t> location_index_;
  absl::flat_hash_map<std::string, uint32_t> location_by_text_;
  absl::flat_hash_map<std::string, uint32_t> frame_by_text_, function_by_name_;
  absl::flat_hash_map<std::pair<uint32_t, uint32_t>, uint32_t> child_;

  // Of the trace at hand.
  const Trace* trace_ = nullptr;
  SparseArray<uint32_t> node_of_stack_;  // + 1
  absl::flat_hash_map<uint32_t, uint32_t> index_of_module_id_;
  std::vector<std::pair<uint32_t, Stack>> pending_;  // NodeOf's
};

}  // namespace mallogram
