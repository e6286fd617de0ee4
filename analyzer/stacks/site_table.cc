#include "analyzer/stacks/site_table.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "analyzer/stacks/names.h"
#include "preload/trace/records.h"

namespace mallogram {
namespace {

constexpr uint32_t kNoModule = 0xffffffffu;

// FNV-1a: the same in every process, as ids must be.
uint64_t StableHash(absl::string_view text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  }
  return hash;
}

}  // namespace

SiteTable::SiteTable(SiteIdentity identity, absl::string_view debug_dir)
    : identity_(identity), symbolizer_(debug_dir) {
  nodes_.emplace_back();
  Frame unknown;
  unknown.function = "[call stack not known]";
  FrameOf(unknown, "", 0);  // frame 0, that of the root
}

void SiteTable::Begin(const Trace& trace) {
  trace_ = &trace;
  node_of_stack_ = {};
  index_of_module_id_.clear();
}

uint32_t SiteTable::FrameOf(const Frame& frame, absl::string_view module,
                            uint64_t offset) {
  NamedFrame named;
  named.module = std::string(Basename(module));
  named.nameless = frame.function.empty();
  named.shown.function = !frame.function.empty() ? frame.function
                         : named.module.empty()
                             ? absl::StrFormat("0x%x", offset)
                             : absl::StrFormat("%s+0x%x", named.module, offset);
  named.shown.file = frame.file;
  named.shown.line = frame.line;
  named.shown.plumbing = IsPlumbing(frame.function, frame.symbol);
  // Of one name and one origin: a static of another file is another function.
  const std::string name =
      absl::StrCat(named.module, "\n", named.shown.function, "\n", frame.origin);
  const auto [entry, is_new] = frame_by_text_.try_emplace(
      absl::StrCat(name, "\n", frame.file, ":", frame.line),
      static_cast<uint32_t>(frames_.size()));
  if (is_new) {
    named.function =
        function_by_name_
            .try_emplace(name, static_cast<uint32_t>(function_by_name_.size()))
            .first->second;
    frames_.push_back(std::move(named));
  }
  return entry->second;
}

const std::vector<uint32_t>& SiteTable::LocationOf(const Stack& stack) {
  const Module* module = nullptr;
  const auto [known, is_new_module] =
      index_of_module_id_.try_emplace(stack.module, kNoModule);
  if (is_new_module && (module = trace_->FindModule(stack.module)) != nullptr) {
    known->second = module_index_
                        .try_emplace(std::pair(module->path, module->build_id),
                                     static_cast<uint32_t>(module_index_.size()))
                        .first->second;
  }
  const auto [entry, is_new] =
      location_index_.try_emplace(std::pair(known->second, stack.offset),
                                  static_cast<uint32_t>(locations_.size()));
  if (!is_new) return locations_[entry->second];

  module = trace_->FindModule(stack.module);
  std::vector<uint32_t> frames;
  if (module == nullptr) {
    frames.push_back(FrameOf(Frame(), "", stack.offset));
  } else {
    for (const Frame& frame : symbolizer_.Resolve(*module, stack.offset)) {
      frames.push_back(FrameOf(frame, module->path, stack.offset));
    }
  }
  std::reverse(frames.begin(), frames.end());
  return locations_.emplace_back(std::move(frames));
}

uint32_t SiteTable::Child(uint32_t parent, uint32_t frame) {
  const auto [entry, is_new] = child_.try_emplace(
      std::pair(parent, frame), static_cast<uint32_t>(nodes_.size()));
  if (is_new) nodes_.push_back({parent, frame});
  return entry->second;
}

uint32_t SiteTable::Push(uint32_t node, uint32_t frame) {
  const auto [entry, is_new] = pushed_.try_emplace(std::pair(node, frame), 0);
  if (!is_new) return entry->second;
  const NamedFrame& pushed = frames_[frame];
  uint32_t below = node;
  for (uint32_t at = node; at != 0; at = nodes_[at].parent) {
    if (frames_[nodes_[at].frame].function == pushed.function) {
      below = nodes_[at].parent;
      break;
    }
    if (pushed.shown.plumbing) break;
  }
  return entry->second = Child(below, frame);
}

// Iterative: recursion of the traced program makes stacks of 100,000 frames.
uint32_t SiteTable::NodeOf(uint32_t stack_id) {
  pending_.clear();
  uint32_t node = 0;
  Stack stack;
  for (uint32_t id = stack_id; trace_->FindStack(id, &stack); id = stack.parent) {
    if (const uint32_t known = node_of_stack_.Get(id); known != 0) {
      node = known - 1;
      break;
    }
    pending_.emplace_back(id, stack);
  }
  for (auto at = pending_.rbegin(); at != pending_.rend(); ++at) {
    for (const uint32_t frame : LocationOf(at->second)) node = Push(node, frame);
    node_of_stack_[at->first] = node + 1;
  }
  return node;
}

std::vector<uint32_t> SiteTable::FramesOf(uint32_t node) const {
  if (node == 0) return {0};
  std::vector<uint32_t> frames;
  for (; node != 0; node = nodes_[node].parent)
    frames.push_back(nodes_[node].frame);
  return frames;
}

size_t SiteTable::Innermost(const std::vector<uint32_t>& frames) const {
  for (size_t i = 0; i < frames.size(); ++i) {
    if (!frames_[frames[i]].shown.plumbing) return i;
  }
  return 0;
}

std::string SiteTable::KeyOf(const std::vector<uint32_t>& frames) const {
  const NamedFrame& own = frames_[frames[Innermost(frames)]];
  std::string key;
  const auto add_line = [&key](const NamedFrame& frame) {
    absl::StrAppend(&key, "\n", frame.shown.file, ":", frame.shown.line);
  };
  switch (identity_) {
    case SiteIdentity::kFunction:
      return own.shown.function;
    case SiteIdentity::kLine:
      key = own.shown.function;
      add_line(own);
      return key;
    case SiteIdentity::kStack:
      for (const uint32_t frame : frames) {
        absl::StrAppend(&key, frames_[frame].module, "\n",
                        frames_[frame].shown.function);
        add_line(frames_[frame]);
        key.push_back('\n');
      }
      return key;
    case SiteIdentity::kNames:
      break;
  }
  // What is inlined, and how deep the library's own calls go, depends on the
  // compiler's options; which of our functions call each other does not. Addresses
  // change with every build: of a function without name only the module counts.
  const bool all = own.shown.plumbing;
  const NamedFrame* last = nullptr;
  for (const uint32_t frame : frames) {
    const NamedFrame& named = frames_[frame];
    if (named.shown.plumbing && !all) continue;
    const bool again =
        last != nullptr &&
        (named.nameless ? last->nameless && last->module == named.module
                        : last->function == named.function);
    if (again) continue;
    absl::StrAppend(&key, named.nameless ? named.module : named.shown.function,
                    "\n");
    last = &named;
  }
  return key;
}

CallSite SiteTable::MakeSite(const std::vector<uint32_t>& frames,
                             absl::string_view key) const {
  CallSite site;
  const StackFrame& own = frames_[frames[Innermost(frames)]].shown;
  site.id = absl::StrFormat("%s#%016x", BareName(own.function), StableHash(key));
  site.function = own.function;
  site.file = own.file;
  site.line = own.line;
  for (const uint32_t frame : frames) site.stack.push_back(frames_[frame].shown);
  return site;
}

uint32_t SiteTable::SiteOf(uint32_t stack_id, uint64_t weight) {
  const uint32_t node = NodeOf(stack_id);
  if (site_of_node_.size() < nodes_.size()) site_of_node_.resize(nodes_.size());
  if (site_of_node_[node] == 0) {
    const std::vector<uint32_t> frames = FramesOf(node);
    const std::string key = KeyOf(frames);
    const auto [entry, is_new] =
        site_by_key_.try_emplace(key, static_cast<uint32_t>(sites_.size()));
    if (is_new) {
      sites_.push_back(MakeSite(frames, key));
      site_weights_.push_back(weight);
    }
    site_of_node_[node] = entry->second + 1;
  }
  const uint32_t site = site_of_node_[node] - 1;
  if (weight > site_weights_[site]) {
    site_weights_[site] = weight;
    if (identity_ != SiteIdentity::kStack) {
      const std::vector<uint32_t> frames = FramesOf(node);
      sites_[site] = MakeSite(frames, KeyOf(frames));
    }
  }
  return site;
}

}  // namespace mallogram
