#include "analyzer/leaks/container.h"

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "analyzer/stacks/names.h"

namespace mallogram {
namespace {

struct Sign {
  absl::string_view within;  // of the demangled name, template arguments included
  absl::string_view also;    // this too, if not empty
  absl::string_view text;
};

// First match decides: what is special comes before what contains it.
constexpr Sign kSigns[] = {
    {"_Sp_counted_ptr_inplace", "", "an object of std::make_shared"},
    {"_Sp_counted", "", "the control block of a std::shared_ptr"},
    {"std::_Rb_tree", "_Select1st", "a node of std::map"},
    {"std::_Rb_tree", "_Identity", "a node of std::set"},
    {"std::_Rb_tree_node<std::pair<", "", "a node of std::map"},
    {"std::_Rb_tree_node<", "", "a node of std::set"},
    {"_Hash_node_base*", "", "the buckets of a hash container"},
    {"_M_allocate_buckets", "", "the buckets of a hash container"},
    {"_Hashtable", "_Select1st", "a node of std::unordered_map"},
    {"_Hashtable", "_Identity", "a node of std::unordered_set"},
    {"_Hash_node<std::pair<", "", "a node of std::unordered_map"},
    {"_Hash_node<", "", "a node of std::unordered_set"},
    {"_Fwd_list_node", "", "a node of std::forward_list"},
    {"_List_node", "", "a node of std::list"},
    {"_M_initialize_map", "", "the map of a std::deque"},
    {"_M_allocate_map", "", "the map of a std::deque"},
    {"_Deque_base", "", "elements of a std::deque"},
    {"_Bvector_base", "", "the bits of a std::vector<bool>"},
    {"_Vector_base", "", "the elements of a std::vector"},
    {"std::vector<", "::_M_", "the elements of a std::vector"},
    {"basic_string", "::_M_", "the characters of a std::string"},
    {"basic_string", "::_Rep::_S_create", "the characters of a std::string"},
    {"_Function_base", "", "the target of a std::function"},
    {"std::make_unique<", "", "an object of std::make_unique"},
    {"raw_hash_set", "", "the slots of an absl hash container"},
};

}  // namespace

std::string ContainerOfFunction(absl::string_view function) {
  for (const Sign& sign : kSigns) {
    if (absl::StrContains(function, sign.within) &&
        (sign.also.empty() || absl::StrContains(function, sign.also))) {
      return std::string(sign.text);
    }
  }
  return "";
}

std::string ContainerOf(const StackBook& book, uint32_t node) {
  // The innermost container: a string within a node of a map is a string. A node's
  // allocator does not know whether the tree is a map or a set of pairs; the tree,
  // further out, does.
  std::string found;
  for (; node >= kFirstStackId; node = book.node(node).parent) {
    for (const PlacedFrame& placed :
         book.location(book.node(node).location).frames) {
      const CodeFrame& frame = book.frame(placed.frame);
      if (!IsPlumbing(frame.function)) return found;
      const std::string text = ContainerOfFunction(frame.function);
      if (found.empty()) {
        found = text;
      } else if (absl::StartsWith(found, "a node of ") &&
                 absl::StartsWith(text, "a node of ") &&
                 (absl::StrContains(frame.function, "_Select1st") ||
                  absl::StrContains(frame.function, "_Identity"))) {
        return text;
      }
    }
  }
  return found;
}

}  // namespace mallogram
