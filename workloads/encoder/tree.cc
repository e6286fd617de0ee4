#include "workloads/encoder/tree.h"

#include <algorithm>

namespace workloads::encoder {
namespace {

bool IsLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

char PartnerOf(char bracket) {
  switch (bracket) {
    case '(':
      return ')';
    case '[':
      return ']';
    case '{':
      return '}';
    default:
      return 0;
  }
}

bool IsControl(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\n' && c != '\t' && c != '\r') || byte == 0x7f;
}

}  // namespace

Tree::Tree(std::string_view input) : input_(input) {
  Node* none = nullptr;
  root_ = Add(NodeKind::kDocument, nullptr, &none);
  Node* last = nullptr;
  while (at_ < input_.size()) {
    const size_t raw = RawSize();
    if (raw == 0) {
      ParseBlock(root_, &last);
    } else {
      Add(NodeKind::kRaw, root_, &last)->text = input_.substr(at_, raw);
      at_ += raw;
    }
  }
}

Tree::~Tree() { Destroy(root_); }

void Tree::Destroy(Node* node) {
  // Siblings in a loop: the recursion is as deep as the tree only.
  while (node != nullptr) {
    Destroy(node->first);
    Node* next = node->next;
    EntityDelete<Node, TreeNodes>()(node);
    node = next;
  }
}

Node* Tree::Add(NodeKind kind, Node* parent, Node** last) {
  Node* node = Make<Node, TreeNodes>().release();
  node->kind = kind;
  ++nodes_;
  if (parent != nullptr) {
    (*last == nullptr ? parent->first : (*last)->next) = node;
    ++parent->children;
  }
  *last = node;
  return node;
}

size_t Tree::RawSize() const {
  // One control character or byte beyond ASCII in four, and it is no text. Valid
  // UTF-8 of other scripts goes that way too; it loses structure, not bytes.
  const std::string_view ahead = input_.substr(at_, 512);
  const auto strange = std::count_if(ahead.begin(), ahead.end(), [](char c) {
    return IsControl(c) || static_cast<unsigned char>(c) >= 0x80;
  });
  if (static_cast<size_t>(strange) * 4 < ahead.size()) return 0;
  return std::min(kRawBytes, input_.size() - at_);
}

void Tree::ParseBlock(Node* document, Node** last) {
  Node* block = Add(NodeKind::kBlock, document, last);
  Node* last_line = nullptr;
  for (size_t lines = 0; lines < kLinesOfBlock && at_ < input_.size(); ++lines) {
    const bool empty = input_[at_] == '\n';
    ParseLine(block, &last_line);
    if (empty) break;
  }
}

void Tree::ParseLine(Node* block, Node** last) {
  const size_t newline = input_.find('\n', at_);
  const size_t end =
      std::min({newline == std::string_view::npos ? input_.size() : newline + 1,
                at_ + kLongestLine, input_.size()});
  ParseTokens(Add(NodeKind::kLine, block, last), end, 0, 0);
}

size_t Tree::TokenSize(size_t end) const {
  const size_t most = std::min(end, at_ + kLongestToken);
  const auto run = [&](size_t from, auto belongs) {
    while (from < most && belongs(input_[from])) ++from;
    return from - at_;
  };
  const char c = input_[at_];
  if (IsLetter(c)) return run(at_, IsLetter);
  if (IsDigit(c)) return std::min<size_t>(run(at_, IsDigit), 6);
  // A word takes the one space before it along.
  if (c == ' ' && at_ + 1 < most && IsLetter(input_[at_ + 1])) {
    return run(at_ + 1, IsLetter);
  }
  if (c == ' ' || c == '\t') return run(at_, [c](char d) { return c == d; });
  return 1;
}

void Tree::ParseTokens(Node* parent, size_t end, char closing, size_t depth) {
  Node* last = nullptr;
  bool first = closing != 0;  // the opening bracket itself
  while (at_ < end) {
    const char c = input_[at_];
    const char partner = PartnerOf(c);
    if (!first && partner != 0 && depth < kDeepest) {
      ParseTokens(Add(NodeKind::kGroup, parent, &last), end, partner, depth + 1);
      continue;
    }
    const size_t size = TokenSize(end);
    Add(NodeKind::kToken, parent, &last)->text = input_.substr(at_, size);
    at_ += size;
    if (!first && closing != 0 && c == closing) return;
    first = false;
  }
}

}  // namespace workloads::encoder
