#include "analyzer/stacks/frame_table.h"

#include <string>
#include <tuple>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "analyzer/stacks/names.h"

namespace mallogram {

FrameTable::FrameTable(const Report& report) {
  for (const char* text :
       {"[outermost frame]", "[cut by --max-depth]",
        "[no unwind information further out]", "[call stack not known]"}) {
    FrameView view;
    view.function = text;
    view.note = true;
    functions_.push_back(static_cast<uint32_t>(frames_.size()));
    frames_.push_back(view);
  }
  absl::flat_hash_map<std::string, uint32_t> by_text, by_function;
  locations_.reserve(report.locations.size());
  for (const Location& location : report.locations) {
    std::vector<ShownFrame>& shown = locations_.emplace_back();
    // Equal text is one frame; equal name and origin in one module is one function.
    // What has no name is told apart by its address.
    const std::string module = location.module == kNoModuleIndex
                                   ? std::string()
                                   : report.modules[location.module].path;
    for (const Frame& frame : location.frames) {
      const std::string function =
          frame.function.empty()
              ? absl::StrCat(module, "+", location.offset)
              : absl::StrCat(module, "\n", frame.function, "\n", frame.origin);
      const std::string text =
          absl::StrCat(function, "\n", frame.file, ":", frame.line);
      const auto [entry, is_new] =
          by_text.try_emplace(text, static_cast<uint32_t>(frames_.size()));
      if (is_new) {
        const auto first = by_function.try_emplace(function, entry->second).first;
        functions_.push_back(first->second);
        frames_.push_back(
            {frame.function, frame.file, frame.line, module, location.offset,
             IsPlumbing(frame.function, frame.symbol), false, frame.symbol});
      }
      shown.push_back({entry->second, frame.inlined});
    }
  }
}

StackCursor::StackCursor(const Report& report, const FrameTable& table,
                         uint32_t node)
    : report_(&report), table_(&table), node_(node) {
  while (!AtRoot() && table.frame(frame().frame).plumbing) {
    outermost_folded_ = frame().frame;
    ++folded_;
    Next();
  }
  if (AtRoot()) {
    node_ = node;
    position_ = 0;
    folded_ = 0;
  }
}

const ShownFrame& StackCursor::frame() const {
  return table_->At(report_->nodes[node_].location)[position_];
}

void StackCursor::Next() {
  const CallNode& node = report_->nodes[node_];
  if (++position_ == table_->At(node.location).size()) {
    node_ = node.parent;
    position_ = 0;
  }
}

bool StackCursor::NextFunction() {
  const uint32_t function = table_->function(frame().frame);
  bool recursive = false;
  for (Next(); !AtRoot() && table_->function(frame().frame) == function; Next()) {
    recursive = true;
  }
  return recursive;
}

}  // namespace mallogram
