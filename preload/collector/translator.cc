#include "preload/collector/translator.h"

#include <sys/stat.h>

#include <algorithm>

#include "preload/collector/leaks/address_space.h"

namespace mallogram {

// Goes out to the first caller that is known, then comes back numbering.
uint32_t Translator::Translate(uint32_t id) {
  uint32_t parent = kRootUnknown;
  chain_.clear();
  for (uint32_t at = id;;) {
    if (at < kFirstNode) {
      parent = at;
      break;
    }
    const uint32_t known = file_ids_.Get(at);
    if (known != 0) {
      parent = known;
      break;
    }
    StackNode node;
    // No such node, or a hole: the rest is unknown.
    if (!image_->ReadNode(at, &node) || node.pc == 0) break;
    chain_.push_back(at);
    if (node.parent >= at) break;
    at = node.parent;
  }
  if (chain_.empty() && id >= kFirstNode) return kRootUnknown;
  while (!chain_.empty()) {
    if (roots_.size() + kFirstStackId >= kMaxStackIds) return kRootUnknown;
    StackNode node;
    image_->ReadNode(chain_.back(), &node);
    if (IsOurs(node.pc)) {
      file_ids_[chain_.back()] = parent;
      chain_.pop_back();
      continue;
    }
    const uint32_t module = Module(node.module);
    const uint64_t bias = module == 0 ? 0 : modules_[module - 1].module.bias;
    const uint32_t file_id = static_cast<uint32_t>(roots_.size()) + kFirstStackId;
    roots_.push_back(static_cast<uint8_t>(RootOf(parent)));
    image_ids_.push_back(chain_.back());
    pending_stacks_.push_back({parent, module, node.pc - bias});
    file_ids_[chain_.back()] = file_id;
    parent = file_id;
    chain_.pop_back();
  }
  return parent;
}

// A name that was given to dlopen relative to the directory of that moment, as a
// later report needs it.
std::string Translator::WholePath(const ImageView::ModuleFacts& facts) const {
  if (facts.path.empty() || facts.path[0] == '/' ||
      facts.path.find('/') == std::string::npos) {
    return facts.path;
  }
  if (pid_ != 0) {
    const std::vector<leaks::Mapping> maps = leaks::ReadMaps(pid_);
    const leaks::Mapping* const mapping = leaks::FindMapping(maps, facts.start);
    if (mapping != nullptr && mapping->path[0] == '/') return mapping->path;
  }
  const std::string directory =
      image_->ReadString(image_->header()->directory_offset);
  return directory.empty() ? facts.path : directory + "/" + facts.path;
}

uint32_t Translator::Module(uint32_t index) {
  if (index == kNoModule) return 0;
  const uint32_t known = module_ids_.Get(index);
  if (known != 0) return known;
  ImageView::ModuleFacts facts;
  if (!image_->ReadModule(index, &facts)) return 0;
  facts.path = WholePath(facts);
  for (Known& one : modules_) {  // one that a leak check brought
    if (one.index != kNoModule || one.module.bias != facts.bias ||
        one.module.path != facts.path) {
      continue;
    }
    one.index = index;
    module_ids_[index] = one.module.id;
    return one.module.id;
  }
  mallogram::Module module;
  module.id = static_cast<uint32_t>(modules_.size() + 1);
  module.path = std::move(facts.path);
  module.build_id = std::move(facts.build_id);
  module.bias = facts.bias;
  module.start = facts.start;
  module.end = facts.end;
  module.load_ns = clock_->ToNs(facts.load_tsc);
  NoteFile(module);
  modules_.push_back({index, std::move(module)});
  pending_modules_.push_back(static_cast<uint32_t>(modules_.size() - 1));
  module_ids_[index] = modules_.back().module.id;
  return modules_.back().module.id;
}

size_t Translator::Frames(uint32_t file_id, uint64_t* pcs, size_t max) const {
  if (file_id < kFirstStackId || file_id - kFirstStackId >= image_ids_.size())
    return 0;
  size_t count = 0;
  uint32_t at = image_ids_[file_id - kFirstStackId];
  StackNode node;
  while (count < max && at >= kFirstNode && image_->ReadNode(at, &node)) {
    if (!IsOurs(node.pc)) pcs[count++] = node.pc;
    if (node.parent >= at) break;
    at = node.parent;
  }
  return count;
}

uint32_t Translator::ModuleId(const LoadedModule& loaded, uint64_t now_ns) {
  for (size_t i = modules_.size(); i-- != 0;) {
    const mallogram::Module& module = modules_[i].module;
    if (module.unload_ns == 0 && module.bias == loaded.bias &&
        module.start < loaded.end && loaded.start < module.end) {
      return module.id;
    }
  }
  mallogram::Module module;
  module.id = static_cast<uint32_t>(modules_.size() + 1);
  module.path = loaded.path;
  module.build_id = loaded.build_id;
  module.bias = loaded.bias;
  module.start = loaded.start;
  module.end = loaded.end;
  module.load_ns = now_ns;
  NoteFile(module);
  modules_.push_back({kNoModule, std::move(module)});
  pending_modules_.push_back(static_cast<uint32_t>(modules_.size() - 1));
  return modules_.back().module.id;
}

void Translator::SweepModules() {
  for (uint32_t i = 0; i < modules_.size(); ++i) {
    mallogram::Module& module = modules_[i].module;
    if (module.unload_ns != 0) continue;
    if (modules_[i].index == kNoModule) continue;  // of a leak check: still there
    const uint64_t stamp = image_->UnloadStamp(modules_[i].index);
    if (stamp == 0) continue;
    module.unload_ns = std::max<uint64_t>(clock_->ToNs(stamp), 1);
    if (std::find(pending_modules_.begin(), pending_modules_.end(), i) ==
        pending_modules_.end()) {
      pending_modules_.push_back(i);
    }
  }
}

void Translator::NoteFile(const mallogram::Module& module) {
  struct stat status;
  if (!module.build_id.empty() || module.path.empty() || module.path[0] != '/' ||
      stat(module.path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return;
  }
  pending_files_.push_back(
      {module.id, static_cast<uint64_t>(status.st_size),
       static_cast<uint64_t>(status.st_mtim.tv_sec) * 1'000'000'000 +
           static_cast<uint64_t>(status.st_mtim.tv_nsec)});
}

std::string Translator::TakeModuleFiles() {
  if (pending_files_.empty()) return "";
  std::string payload = EncodeModuleFiles(pending_files_);
  pending_files_.clear();
  return payload;
}

std::string Translator::TakeModules() {
  if (pending_modules_.empty()) return "";
  std::vector<mallogram::Module> modules;
  for (const uint32_t i : pending_modules_) modules.push_back(modules_[i].module);
  pending_modules_.clear();
  return EncodeModules(modules);
}

std::string Translator::TakeStacks() {
  if (pending_stacks_.empty()) return "";
  std::string payload = EncodeStacks(first_pending_, pending_stacks_);
  first_pending_ += static_cast<uint32_t>(pending_stacks_.size());
  pending_stacks_.clear();
  return payload;
}

}  // namespace mallogram
