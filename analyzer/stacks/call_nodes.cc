#include "analyzer/stacks/call_nodes.h"

#include "absl/strings/str_cat.h"

namespace mallogram {
namespace {

constexpr uint32_t kRootUnknownStack = 3;  // as kRootUnknown in the image

std::string NameKey(const Location& location, const std::string& module) {
  if (location.frames[0].function.empty()) return "";
  std::string key = module;
  for (const Frame& frame : location.frames) {
    absl::StrAppend(&key, "\n", frame.function, "\n", frame.file, ":", frame.line);
  }
  return key;
}

}  // namespace

CallNodes::CallNodes(Symbolizer* symbolizer, bool by_name, Report* report)
    : symbolizer_(symbolizer), by_name_(by_name), report_(report) {
  report_->nodes.resize(kFirstStackId);
}

void CallNodes::Begin() {
  node_of_stack_ = {};
  index_of_module_id_.clear();
}

uint32_t CallNodes::ModuleIndex(const Module& module) {
  const auto [entry, is_new] =
      module_index_.try_emplace(std::pair(module.path, module.build_id),
                                static_cast<uint32_t>(report_->modules.size()));
  if (is_new) report_->modules.push_back({module.path, module.build_id});
  return entry->second;
}

uint32_t CallNodes::LocationIndex(const Trace& trace, const Stack& stack) {
  const auto [known, is_new_module] =
      index_of_module_id_.try_emplace(stack.module, kNoModuleIndex);
  if (is_new_module) {
    const Module* module = trace.FindModule(stack.module);
    if (module != nullptr) known->second = ModuleIndex(*module);
  }
  const uint32_t module_index = known->second;
  const auto [entry, is_new] =
      location_index_.try_emplace(std::pair(module_index, stack.offset), 0);
  if (!is_new) return entry->second;

  // First time that this address is met, in whatever trace: name it. Later traces
  // pay a hash lookup.
  const Module* module = trace.FindModule(stack.module);
  Location location{module_index, stack.offset, {}};
  if (module != nullptr) {
    location.frames = symbolizer_->Resolve(*module, stack.offset);
  } else {
    location.frames.emplace_back();
  }
  uint32_t index = static_cast<uint32_t>(report_->locations.size());
  if (by_name_ && module != nullptr) {
    const std::string key = NameKey(location, module->path);
    if (!key.empty())
      index = location_by_name_.try_emplace(key, index).first->second;
  }
  if (index == report_->locations.size()) {
    report_->locations.push_back(std::move(location));
  }
  entry->second = index;
  return index;
}

// Iterative: recursion of the traced program makes stacks of 100,000 frames.
uint32_t CallNodes::NodeOf(const Trace& trace, uint32_t stack_id) {
  pending_.clear();
  uint32_t node = kRootUnknownStack;
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
    if (!trace.FindStack(id, &stack)) break;
    pending_.emplace_back(id, stack);
    id = stack.parent;
  }
  for (auto frame = pending_.rbegin(); frame != pending_.rend(); ++frame) {
    const uint32_t location = LocationIndex(trace, frame->second);
    const auto [entry, is_new] = node_index_.try_emplace(
        std::pair(node, location), static_cast<uint32_t>(report_->nodes.size()));
    if (is_new) report_->nodes.push_back({node, location});
    node = entry->second;
    node_of_stack_[frame->first] = node + 1;
  }
  return node;
}

}  // namespace mallogram
