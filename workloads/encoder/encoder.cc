#include "workloads/encoder/encoder.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

namespace workloads::encoder {

// Gives `node` its glyph, its children first. Raw leaves, which only documents
// have, get none.
void Encoder::Resolve(Node* node) {
  std::pair<uint32_t, bool> found = {kNoGlyph, false};
  if (node->kind == NodeKind::kToken) {
    found = dictionary_.Token(node->text);
  } else if (node->kind != NodeKind::kRaw) {
    const size_t mine = pending_.size();
    for (Node* child = node->first; child != nullptr; child = child->next) {
      Resolve(child);
      pending_.push_back(child->glyph);
    }
    found =
        dictionary_.Composite(node->kind, pending_.data() + mine, node->children);
    pending_.resize(mine);
  }
  node->glyph = found.first;
  node->fresh = found.second;
  if (!node->fresh) return;
  ++stats_.new_glyphs;
  if (leaks_->stale_glyph.Due()) leaks_->stale_glyph.Leak(node->text);
}

void Encoder::Push(const GlyphOp& op) {
  if (buffers_.empty() || buffers_.back()->used == GlyphBuffer::kOps) {
    buffers_.push_back(pool_.Take());
  }
  GlyphBuffer& buffer = *buffers_.back();
  buffer.ops[buffer.used++] = op;
  ++held_ops_;
  ++stats_.glyph_ops;
}

void Encoder::Emit(const Node* node) {
  if (node->kind == NodeKind::kRaw) {
    Push({node->text, 0, Op::kRaw, node->kind});
  } else if (!node->fresh) {
    Push({{}, node->glyph, Op::kReference, node->kind});
  } else if (node->kind == NodeKind::kToken) {
    Push({node->text, node->glyph, Op::kToken, node->kind});
  } else {
    Push({{}, node->children, Op::kComposite, node->kind});
    for (const Node* child = node->first; child != nullptr; child = child->next) {
      Emit(child);
    }
  }
}

void Encoder::LeakSubtree(const Node* block) {
  std::array<std::string_view, 16> tokens;
  size_t count = 0;
  for (const Node* line = block->first; line != nullptr; line = line->next) {
    for (const Node* token = line->first; token != nullptr; token = token->next) {
      if (count < tokens.size()) tokens[count++] = token->text;
    }
  }
  leaks_->subtree.LeakChain(tokens.data(), count);
}

void Encoder::CodeReference(RangeEncoder& coder, uint32_t glyph) {
  const int64_t step = delta_.previous() == kNoGlyph
                           ? kNearest + 1
                           : int64_t{glyph} - delta_.previous();
  if (glyph == delta_.predicted()) {
    context_.Code(coder, *models_, kFollows);
  } else if (std::abs(step) < kNearest) {
    context_.Code(coder, *models_, kNear);
    models_->steps.Code(coder, static_cast<uint32_t>(step + kNearest));
  } else {
    context_.Code(coder, *models_, kNumber);
    models_->references.Code(coder, glyph);
  }
  delta_.Saw(glyph);
}

void Encoder::CodeOp(RangeEncoder& coder, const GlyphOp& op) {
  Models& models = *models_;
  switch (op.op) {
    case Op::kReference:
      CodeReference(coder, op.value);
      break;
    case Op::kToken: {
      context_.Code(coder, models, kNewToken);
      models.token_sizes.Code(coder, static_cast<uint32_t>(op.text.size()));
      uint8_t before = 0;
      for (const char c : op.text) {
        models.token_bytes[before].Code(coder, static_cast<uint8_t>(c));
        before = static_cast<uint8_t>(c);
      }
      delta_.Saw(op.value);
      break;
    }
    case Op::kRaw:
      context_.Code(coder, models, kNewRaw);
      models.raw_sizes.Code(coder, static_cast<uint32_t>(op.text.size()));
      for (const char c : op.text) {
        models.raw_bytes.Code(coder, static_cast<uint8_t>(c));
      }
      break;
    case Op::kComposite:
      context_.Code(coder, models, kNewComposite);
      models.kinds.Code(coder, static_cast<uint32_t>(op.kind));
      models.children[static_cast<size_t>(op.kind)].Code(coder, op.value);
      break;
    case Op::kReset:
      context_.Code(coder, models, kResetAll);
      delta_.Reset();
      break;
    case Op::kEnd:
      context_.Code(coder, models, kFinish);
  }
}

void Encoder::Code(RangeEncoder& coder) {
  for (BufferRef& buffer : buffers_) {
    for (size_t i = 0; i < buffer->used; ++i) CodeOp(coder, buffer->ops[i]);
    held_ops_ -= static_cast<int64_t>(buffer->used);
    pool_.Return(std::move(buffer));
  }
  buffers_.clear();
}

void Encoder::Encode(Input& input, Sink& sink,
                     const std::function<void()>& at_full) {
  stats_ = {};
  models_ = Make<Models, CoderModels>();
  context_ = {};
  RangeEncoder coder(&sink);
  Checksum checksum;
  Array<char, InputBuffer> text;
  bool more = true;
  while (more) {
    // Fill up; what the last segment left over is in front.
    const size_t step = options_.segment;
    do {
      const size_t had = text.size();
      text.resize(had + step);
      const size_t got = input.Read(text.data() + had, step);
      text.resize(had + got);
      more = got > 0;
    } while (more && (!options_.streaming || text.size() < options_.segment));

    // A segment ends with a line, if it has any.
    size_t end = text.size();
    if (more) {
      while (end > 0 && text[end - 1] != '\n') --end;
      if (end == 0) end = text.size();
    }
    const std::string_view segment(text.data(), end);
    checksum.Add(segment);
    stats_.input_bytes += static_cast<int64_t>(end);
    ++stats_.segments;
    Tree tree(segment);
    stats_.tree_nodes += tree.nodes();
    for (Node* block = tree.root()->first; block != nullptr; block = block->next) {
      if (dictionary_.size() > options_.glyph_limit) {
        dictionary_.Reset();
        ++stats_.resets;
        Push({{}, 0, Op::kReset, NodeKind::kDocument});
      }
      Resolve(block);
      Emit(block);
      if (leaks_->subtree.Due()) LeakSubtree(block);
    }
    if (!more) {
      Push({{}, 0, Op::kEnd, NodeKind::kDocument});
      at_full();
    }
    Code(coder);
    text.erase(text.begin(), text.begin() + static_cast<ptrdiff_t>(end));
  }
  Code32(coder, checksum.value());
  coder.Finish();
  dictionary_.Reset();
  delta_.Reset();
  models_.reset();
}

}  // namespace workloads::encoder
