#include "analyzer/stacks/site_book.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "analyzer/stacks/names.h"
#include "preload/trace/records.h"

namespace mallogram {
namespace {

// FNV-1a: the same in every process, as ids must be.
uint64_t StableHash(absl::string_view text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  }
  return hash;
}

// Never empty.
std::string FunctionOf(const CodeFrame& frame) {
  if (!frame.function.empty()) return frame.function;
  if (frame.module.empty()) return absl::StrFormat("0x%x", frame.offset);
  return absl::StrFormat("%s+0x%x", Basename(frame.module), frame.offset);
}

void AddLine(const CodeFrame& frame, std::string* key) {
  absl::StrAppend(key, "\n", frame.file, ":", frame.line);
}

}  // namespace

SiteBook::SiteBook(StackBook* book, SiteIdentity identity)
    : book_(book), identity_(identity) {
  nodes_.push_back({0, StackBook::RootFrame(kRootUnknown)});
}

uint32_t SiteBook::Child(uint32_t parent, uint32_t frame) {
  const auto [entry, is_new] = child_.try_emplace(
      std::pair(parent, frame), static_cast<uint32_t>(nodes_.size()));
  if (is_new) nodes_.push_back({parent, frame});
  return entry->second;
}

uint32_t SiteBook::Push(uint32_t node, uint32_t frame) {
  const auto [entry, is_new] = pushed_.try_emplace(std::pair(node, frame), 0);
  if (!is_new) return entry->second;
  const uint32_t function = book_->function(frame);
  const bool plumbing = book_->frame(frame).plumbing;
  uint32_t below = node;
  for (uint32_t at = node; at != 0; at = nodes_[at].parent) {
    if (book_->function(nodes_[at].frame) == function) {
      below = nodes_[at].parent;
      break;
    }
    if (plumbing) break;
  }
  return entry->second = Child(below, frame);
}

// Iterative: recursion of the traced program makes stacks of 100,000 frames.
uint32_t SiteBook::Folded(uint32_t call_node) {
  if (folded_.size() < book_->node_count()) folded_.resize(book_->node_count());
  pending_.clear();
  uint32_t node = 0;
  for (uint32_t at = call_node; at >= kFirstStackId; at = book_->node(at).parent) {
    if (folded_[at] != 0) {
      node = folded_[at] - 1;
      break;
    }
    pending_.push_back(at);
  }
  for (auto at = pending_.rbegin(); at != pending_.rend(); ++at) {
    const std::vector<PlacedFrame>& frames = book_->Shown(*at);
    for (auto frame = frames.rbegin(); frame != frames.rend(); ++frame)
      node = Push(node, frame->frame);
    folded_[*at] = node + 1;
  }
  return node;
}

std::vector<uint32_t> SiteBook::FramesOf(uint32_t node) const {
  std::vector<uint32_t> frames = {nodes_[node].frame};
  while ((node = nodes_[node].parent) != 0) frames.push_back(nodes_[node].frame);
  return frames;
}

size_t SiteBook::Innermost(const std::vector<uint32_t>& frames) const {
  for (size_t i = 0; i < frames.size(); ++i) {
    if (!book_->frame(frames[i]).plumbing) return i;
  }
  return 0;
}

// Stored with studies: a key must stay what it is, byte by byte.
std::string SiteBook::KeyOf(const std::vector<uint32_t>& frames) const {
  const CodeFrame& own = book_->frame(frames[Innermost(frames)]);
  std::string key;
  switch (identity_) {
    case SiteIdentity::kFunction:
      return FunctionOf(own);
    case SiteIdentity::kLine:
      key = FunctionOf(own);
      AddLine(own, &key);
      return key;
    case SiteIdentity::kStack:
      for (const uint32_t id : frames) {
        const CodeFrame& frame = book_->frame(id);
        absl::StrAppend(&key, Basename(frame.module), "\n", FunctionOf(frame));
        AddLine(frame, &key);
        key.push_back('\n');
      }
      return key;
    case SiteIdentity::kNames:
      break;
  }
  // What is inlined, and how deep the library's own calls go, depends on the
  // compiler's options; which of our functions call each other does not. Addresses
  // change with every build: of a function without name only the module counts.
  const bool all = own.plumbing;
  const CodeFrame* last = nullptr;
  uint32_t last_function = 0;
  for (const uint32_t id : frames) {
    const CodeFrame& frame = book_->frame(id);
    if (frame.plumbing && !all) continue;
    const bool nameless = frame.function.empty();
    const bool again =
        last != nullptr &&
        (nameless ? last->function.empty() && last->module == frame.module
                  : last_function == book_->function(id));
    if (again) continue;
    absl::StrAppend(&key,
                    nameless ? std::string(Basename(frame.module)) : frame.function,
                    "\n");
    last = &frame;
    last_function = book_->function(id);
  }
  return key;
}

StackFrame SiteBook::Copy(uint32_t frame) const {
  const CodeFrame& code = book_->frame(frame);
  return {FunctionOf(code), code.file, code.line, code.plumbing};
}

CallSite SiteBook::MakeSite(const std::vector<uint32_t>& frames,
                            absl::string_view key) const {
  CallSite site;
  const StackFrame own = Copy(frames[Innermost(frames)]);
  site.id = absl::StrFormat("%s#%016x", BareName(own.function), StableHash(key));
  site.function = own.function;
  site.file = own.file;
  site.line = own.line;
  for (const uint32_t frame : frames) site.stack.push_back(Copy(frame));
  return site;
}

uint32_t SiteBook::SiteOf(uint32_t stack_id, uint64_t weight) {
  const uint32_t node = Folded(book_->NodeOf(stack_id));
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
