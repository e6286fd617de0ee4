// The semantic tree: a text as blocks of lines of tokens, brackets as groups within
// them, bytes that are no text as raw leaves.
//
// Invariant: the leaves in order, one after the other, are the input exactly. Nodes
// hold views of it: the input must outlive the tree.

#ifndef WORKLOADS_ENCODER_TREE_H_
#define WORKLOADS_ENCODER_TREE_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "workloads/common/account.h"

namespace workloads::encoder {

struct TreeNodes {
  static constexpr const char* kName = "tree_nodes";
};

enum class NodeKind : uint8_t {
  kDocument,  // of blocks and raw leaves
  kBlock,     // of lines
  kLine,      // of tokens and groups
  kGroup,     // from an opening bracket to its partner or the end of the line
  kToken,     // a leaf
  kRaw,       // a leaf
};
inline constexpr size_t kNodeKinds = 6;

// Bounds of the parser; the decoder holds them too.
inline constexpr size_t kDeepest = 16;       // groups in groups
inline constexpr size_t kLongestToken = 64;  // bytes
inline constexpr size_t kLongestLine = 4096;
inline constexpr size_t kLinesOfBlock = 32;
inline constexpr size_t kRawBytes = 4096;

inline constexpr uint32_t kNoGlyph = 0xffffffff;

struct Node {
  std::string_view text;  // of leaves
  Node* first = nullptr;
  Node* next = nullptr;  // sibling
  uint32_t children = 0;
  uint32_t glyph = kNoGlyph;
  NodeKind kind = NodeKind::kDocument;
  bool fresh = false;  // this is where the glyph was met first
};

class Tree {
 public:
  explicit Tree(std::string_view input);
  ~Tree();
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  Node* root() { return root_; }
  int64_t nodes() const { return nodes_; }

 private:
  Node* Add(NodeKind kind, Node* parent, Node** last);
  void ParseBlock(Node* document, Node** last);
  void ParseLine(Node* block, Node** last);
  // Tokens up to `end`, or to behind the bracket `closing` if that is not 0.
  void ParseTokens(Node* parent, size_t end, char closing, size_t depth);
  size_t TokenSize(size_t end) const;
  size_t RawSize() const;
  static void Destroy(Node* node);

  std::string_view input_;
  size_t at_ = 0;
  int64_t nodes_ = 0;
  Node* root_ = nullptr;
};

}  // namespace workloads::encoder

#endif  // WORKLOADS_ENCODER_TREE_H_
