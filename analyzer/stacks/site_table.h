// Call stacks of any number of traces to call sites. An address (module, build-id,
// offset) is named once, whatever trace it is in; stacks that read the same after
// folding are one site, wherever the modules were loaded.
//
// Folding, from the outermost frame inwards: a function that is on the stack
// already takes its frame's place, and what lies between goes (loop erasure). So
// main → value → array → value → array → alloc becomes main → value → array →
// alloc, and a parser has the same few stacks whatever the depth of its input.
// Plumbing is folded only where it repeats in a row: std::function's call operator
// stands on many stacks twice without any recursion.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "analyzer/recording/trace.h"
#include "analyzer/scaling/runs.h"
#include "analyzer/stacks/symbolizer.h"
#include "preload/trace/mapped_array.h"

namespace mallogram {

class SiteTable {
 public:
  explicit SiteTable(SiteIdentity identity, absl::string_view debug_dir = "");

  // The trace that the next calls are about. It must outlive them.
  void Begin(const Trace& trace);
  // The site of a stack id of that trace, an index in sites().
  // `weight`: how much the stack counts when one must stand for its site.
  uint32_t SiteOf(uint32_t stack_id, uint64_t weight = 0);

  // Grows with SiteOf; what is there stays, but for the stack that stands for it.
  const std::vector<CallSite>& sites() const { return sites_; }
  std::vector<CallSite> TakeSites() { return std::move(sites_); }
  // Modules that could not be named: sentences for people.
  const std::vector<std::string>& notes() const { return symbolizer_.notes(); }

 private:
  // A frame as it reads: equal text is one frame.
  struct NamedFrame {
    StackFrame shown;
    std::string module;  // base name of its path
    bool nameless = false;
    uint32_t function = 0;  // equal: the same function, for folding
  };
  struct Node {  // a folded stack, as a path to the root 0
    uint32_t parent = 0;
    uint32_t frame = 0;
  };

  uint32_t FrameOf(const Frame& frame, absl::string_view module, uint64_t offset);
  const std::vector<uint32_t>& LocationOf(const Stack& stack);
  uint32_t NodeOf(uint32_t stack_id);
  uint32_t Push(uint32_t node, uint32_t frame);  // folded
  uint32_t Child(uint32_t parent, uint32_t frame);
  std::vector<uint32_t> FramesOf(uint32_t node) const;  // innermost first
  std::string KeyOf(const std::vector<uint32_t>& frames) const;
  CallSite MakeSite(const std::vector<uint32_t>& frames,
                    absl::string_view key) const;
  size_t Innermost(const std::vector<uint32_t>& frames) const;

  const SiteIdentity identity_;
  Symbolizer symbolizer_;
  std::vector<CallSite> sites_;
  std::vector<uint64_t> site_weights_;  // of the stack that stands for it
  absl::flat_hash_map<std::string, uint32_t> site_by_key_;

  std::vector<NamedFrame> frames_;
  absl::flat_hash_map<std::string, uint32_t> frame_by_text_, function_by_name_;
  absl::flat_hash_map<std::pair<std::string, std::string>, uint32_t> module_index_;
  std::vector<std::vector<uint32_t>> locations_;  // frames, outermost first
  absl::flat_hash_map<std::pair<uint32_t, uint64_t>, uint32_t> location_index_;
  std::vector<Node> nodes_;
  absl::flat_hash_map<std::pair<uint32_t, uint32_t>, uint32_t> child_, pushed_;
  std::vector<uint32_t> site_of_node_;  // index + 1

  const Trace* trace_ = nullptr;
  SparseArray<uint32_t> node_of_stack_;  // + 1
  absl::flat_hash_map<uint32_t, uint32_t> index_of_module_id_;
  std::vector<std::pair<uint32_t, Stack>> pending_;  // NodeOf's
};

}  // namespace mallogram
