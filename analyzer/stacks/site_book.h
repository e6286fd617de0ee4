// Call stacks of any number of traces to call sites: stacks of a StackBook that
// read the same after folding are one site, wherever the modules were loaded.
//
// Folding, from the outermost frame inwards: a function that is on the stack
// already takes its frame's place, and what lies between goes (loop erasure). So
// main → value → array → value → array → alloc becomes main → value → array →
// alloc, and a parser has the same few stacks whatever the depth of its input.
// Plumbing is folded only where it repeats in a row: std::function's call operator
// stands on many stacks twice without any recursion.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "analyzer/stacks/stack_book.h"

namespace mallogram {

// What makes two places of different recordings the same call site.
enum class SiteIdentity : uint8_t {
  kStack,     // the whole call stack, with lines
  kNames,     // its functions that are not plumbing, no lines: survives a rebuild
  kLine,      // the innermost function that is not plumbing, and its line
  kFunction,  // the same without the line
};

// A frame that outlives its book: studies store it.
struct StackFrame {
  std::string function;  // demangled, or "libx.so+0x12ab"; never empty
  std::string file;      // empty: not known
  uint32_t line = 0;
  bool plumbing = false;  // of the allocator or the standard library (names.h)
};

struct CallSite {
  std::string id;        // unique, the same in every sweep of the same program
  std::string function;  // innermost that is not plumbing; never empty
  std::string file;      // of that function; empty: not known
  uint32_t line = 0;
  // Innermost first, folded. With an identity other than kStack: of one of the
  // stacks, the one that allocated most in a run.
  std::vector<StackFrame> stack;
};

class SiteBook {
 public:
  // `book` must outlive the object. Several SiteBooks may share it.
  SiteBook(StackBook* book, SiteIdentity identity);

  // The site of a stack id of the book's trace at hand, an index in sites().
  // `weight`: how much the stack counts when one must stand for its site.
  uint32_t SiteOf(uint32_t stack_id, uint64_t weight = 0);

  // Grows with SiteOf; what is there stays, but for the stack that stands for it.
  const std::vector<CallSite>& sites() const { return sites_; }
  std::vector<CallSite> TakeSites() { return std::move(sites_); }

 private:
  struct Node {  // a folded stack, as a path to the root 0
    uint32_t parent = 0;
    uint32_t frame = 0;
  };

  uint32_t Folded(uint32_t call_node);
  uint32_t Push(uint32_t node, uint32_t frame);
  uint32_t Child(uint32_t parent, uint32_t frame);
  std::vector<uint32_t> FramesOf(uint32_t node) const;  // innermost first
  size_t Innermost(const std::vector<uint32_t>& frames) const;
  std::string KeyOf(const std::vector<uint32_t>& frames) const;
  StackFrame Copy(uint32_t frame) const;
  CallSite MakeSite(const std::vector<uint32_t>& frames,
                    absl::string_view key) const;

  StackBook* const book_;
  const SiteIdentity identity_;
  std::vector<CallSite> sites_;
  std::vector<uint64_t> site_weights_;  // of the stack that stands for it
  absl::flat_hash_map<std::string, uint32_t> site_by_key_;
  std::vector<Node> nodes_;
  std::vector<uint32_t> site_of_node_;  // + 1
  std::vector<uint32_t> folded_;        // by call node: a node of nodes_ + 1
  absl::flat_hash_map<std::pair<uint32_t, uint32_t>, uint32_t> child_, pushed_;
  std::vector<uint32_t> pending_;  // Folded's
};

}  // namespace mallogram
