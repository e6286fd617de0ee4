#include "analyzer/stacks/stack_book.h"

#include <functional>
#include <iterator>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "analyzer/stacks/names.h"
#include "analyzer/stacks/stack_cursor.h"
#include "preload/trace/records.h"

namespace mallogram {

StackBook::StackBook(SameLocation same, absl::string_view debug_dir,
                     StackFilter filter)
    : same_(same), filter_(std::move(filter)), symbolizer_(debug_dir) {
  nodes_.resize(kFirstStackId);
  node_marks_.resize(kFirstStackId);
  // In the order of the roots of records.h.
  for (const char* text :
       {"[outermost frame]", "[cut by --max-depth]",
        "[no unwind information further out]", "[call stack not known]"}) {
    CodeFrame frame;
    frame.function = text;
    frame.note = true;
    functions_.push_back(static_cast<uint32_t>(frames_.size()));
    frame_marks_.push_back(0);
    frames_.push_back(std::move(frame));
  }
}

void StackBook::Begin(const Trace& trace) {
  trace_ = &trace;
  symbolizer_.Prefer(&trace.names);
  node_of_stack_ = {};
  index_of_module_id_.clear();
}

uint32_t StackBook::AddModule(absl::string_view path, absl::string_view build_id) {
  const auto [entry, is_new] =
      module_index_.try_emplace(std::pair<std::string, std::string>(path, build_id),
                                static_cast<uint32_t>(modules_.size()));
  if (is_new) modules_.push_back({entry->first.first, entry->first.second});
  return entry->second;
}

uint32_t StackBook::ModuleIndex(const Module& module) {
  return AddModule(module.path, module.build_id);
}

// Equal text is one frame; equal name and origin in one module is one function.
// What has no name is told apart by its address.
uint32_t StackBook::FrameOf(const Frame& frame, const std::string& module,
                            uint64_t offset) {
  const std::string function =
      frame.function.empty()
          ? absl::StrCat(module, "+", offset)
          : absl::StrCat(module, "\n", frame.function, "\n", frame.origin);
  const auto [entry, is_new] = frame_by_text_.try_emplace(
      absl::StrCat(function, "\n", frame.file, ":", frame.line),
      static_cast<uint32_t>(frames_.size()));
  if (is_new) {
    functions_.push_back(
        function_by_name_.try_emplace(function, entry->second).first->second);
    frames_.push_back({frame.function, frame.file, frame.line, module, offset,
                       IsPlumbing(frame.function, frame.symbol), /*note=*/false,
                       frame.symbol});
    frame_marks_.push_back(filter_.MarksOf(frames_.back()));
  }
  return entry->second;
}

uint32_t StackBook::AddLocation(uint32_t module, uint64_t offset,
                                const std::vector<Frame>& frames) {
  const bool known = module != kNoModuleIndex;
  const std::string path = known ? modules_[module].path : std::string();
  Location location{module, offset, {}};
  const auto is_hidden = [this](const PlacedFrame& frame) {
    return (frame_marks_[frame.frame] & kHiddenFrame) != 0;
  };
  std::string key = path;
  for (const Frame& frame : frames) {
    location.frames.push_back({FrameOf(frame, path, offset), frame.inlined});
    absl::StrAppend(&key, "\n", location.frames.back().frame);
    location.marks |= frame_marks_[location.frames.back().frame];
  }
  location.hides = absl::c_any_of(location.frames, is_hidden);
  if (location.hides) {
    absl::c_copy_if(location.frames, std::back_inserter(location.shown),
                    std::not_fn(is_hidden));
  }
  const auto index = static_cast<uint32_t>(locations_.size());
  if (same_ == SameLocation::kByText && known && !frames[0].function.empty()) {
    const auto [entry, is_new] = location_by_text_.try_emplace(key, index);
    if (!is_new) return entry->second;
  }
  locations_.push_back(std::move(location));
  return index;
}

uint32_t StackBook::LocationOf(const Stack& stack) {
  const auto [known, is_new_module] =
      index_of_module_id_.try_emplace(stack.module, kNoModuleIndex);
  if (is_new_module) {
    const Module* module = trace_->FindModule(stack.module);
    if (module != nullptr) known->second = ModuleIndex(*module);
  }
  const auto [entry, is_new] =
      location_index_.try_emplace(std::pair(known->second, stack.offset), 0);
  if (!is_new) return entry->second;
  // First time that this address is met, in whatever trace: name it. Later traces
  // pay a hash lookup.
  const Module* module = trace_->FindModule(stack.module);
  return entry->second = AddLocation(
             known->second, stack.offset,
             module == nullptr ? std::vector<Frame>(1)
                               : symbolizer_.Resolve(*module, stack.offset));
}

uint32_t StackBook::Child(uint32_t parent, uint32_t location) {
  const auto [entry, is_new] = child_.try_emplace(
      std::pair(parent, location), static_cast<uint32_t>(nodes_.size()));
  if (is_new) {
    nodes_.push_back({parent, location});
    node_marks_.push_back(node_marks_[parent] | locations_[location].marks);
  }
  return entry->second;
}

bool StackBook::Selects(uint32_t node) const {
  if (!filter_.active()) return true;
  const FrameMarks marks = node_marks_[node];
  if ((marks & kIgnoredFrame) != 0) return false;
  if (filter_.focuses() && (marks & kFocusFrame) == 0) return false;
  // All frames hidden. A stack that is not known hides nothing.
  if ((marks & kShownFrame) == 0 && (node >= kFirstStackId || filter_.shows()))
    return false;
  if (!filter_.asks_module()) return true;
  const StackCursor cursor(*this, node);
  return !cursor.AtRoot() &&
         (frame_marks_[cursor.frame().frame] & kModuleFrame) != 0;
}

// Iterative: recursion of the traced program makes stacks of 100,000 frames.
uint32_t StackBook::NodeOf(uint32_t stack_id) {
  pending_.clear();
  uint32_t node = kRootUnknown;
  for (uint32_t id = stack_id;;) {
    if (id < kFirstStackId) {
      node = id;
      break;
    }
    if (const uint32_t known = node_of_stack_.Get(id); known != 0) {
      node = known - 1;
      break;
    }
    Stack stack;
    if (!trace_->FindStack(id, &stack)) break;
    pending_.emplace_back(id, stack);
    id = stack.parent;
  }
  for (auto at = pending_.rbegin(); at != pending_.rend(); ++at) {
    node = Child(node, LocationOf(at->second));
    node_of_stack_[at->first] = node + 1;
  }
  return node;
}

}  // namespace mallogram
