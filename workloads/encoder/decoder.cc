#include "workloads/encoder/decoder.h"

namespace workloads::encoder {
namespace {

// Groups in a line in a block; references may be as deep.
constexpr size_t kDeepestItem = kDeepest + 4;
// A line of kLongestLine bytes has no more children than bytes.
constexpr uint32_t kMostChildren = kLongestLine;
// What one glyph may stand for: a stream of some bytes must not become terabytes.
constexpr uint64_t kMostBytes = kLinesOfBlock * kLongestLine;

}  // namespace

uint32_t Decoder::Damaged(const char* what) {
  if (error_.empty()) error_ = std::string("damaged stream: ") + what;
  return kNoGlyph;
}

void Decoder::Write(std::string_view bytes) {
  checksum_.Add(bytes);
  sink_->Write(bytes);
}

void Decoder::Expand(uint32_t glyph) {
  const Dictionary::Glyph& entry = dictionary_[glyph];
  if (entry.kind == NodeKind::kToken) {
    Write(entry.text);
    return;
  }
  for (const uint32_t child : entry.children) Expand(child);
}

uint32_t Decoder::Reference(RangeDecoder& coder, Symbol symbol) {
  uint32_t glyph = kNoGlyph;
  if (symbol == kFollows) {
    glyph = delta_.predicted();
  } else if (symbol == kNear) {
    const uint32_t step = models_->steps.Code(coder, 0);
    if (delta_.previous() != kNoGlyph) glyph = delta_.previous() + step - kNearest;
  } else {
    glyph = models_->references.Code(coder, 0);
  }
  if (glyph >= dictionary_.size()) return Damaged("a reference to no glyph");
  delta_.Saw(glyph);
  Expand(glyph);
  return glyph;
}

// Reads the bytes of a token or of a raw leaf into leaf_.
bool Decoder::Leaf(RangeDecoder& coder, Symbol symbol) {
  const bool raw = symbol == kNewRaw;
  const uint32_t size =
      (raw ? models_->raw_sizes : models_->token_sizes).Code(coder, 0);
  if (size > (raw ? kRawBytes : kLongestToken)) {
    Damaged("a leaf that is too long");
    return false;
  }
  leaf_.resize(size);
  uint8_t before = 0;
  for (char& c : leaf_) {
    BitTree<8>& model = raw ? models_->raw_bytes : models_->token_bytes[before];
    before = static_cast<uint8_t>(model.Code(coder, 0));
    c = static_cast<char>(before);
  }
  Write(leaf_);
  return true;
}

uint32_t Decoder::Composite(RangeDecoder& coder, size_t depth) {
  const uint32_t kind = models_->kinds.Code(coder, 0);
  if (kind >= kNodeKinds) return Damaged("a node of no kind");
  const uint32_t children = models_->children[kind].Code(coder, 0);
  if (children > kMostChildren || depth == kDeepestItem) {
    return Damaged("a node that is too large");
  }
  const size_t mine = pending_.size();
  for (uint32_t i = 0; i < children; ++i) {
    const uint32_t child = Item(coder, depth + 1);
    if (!error_.empty()) return kNoGlyph;
    pending_.push_back(child);
  }
  const auto [glyph, fresh] = dictionary_.Composite(
      static_cast<NodeKind>(kind), pending_.data() + mine, children);
  pending_.resize(mine);
  if (!fresh) return Damaged("a node that was known");
  if (dictionary_[glyph].depth > kDeepestItem ||
      dictionary_[glyph].bytes > kMostBytes) {
    return Damaged("a node that is too large");
  }
  return glyph;
}

uint32_t Decoder::Item(RangeDecoder& coder, size_t depth) {
  if (coder.missing() > 0) return Damaged("it is cut short");
  const Symbol symbol = context_.Code(coder, *models_, kFollows);
  switch (symbol) {
    case kFollows:
    case kNear:
    case kNumber:
      return Reference(coder, symbol);
    case kNewToken: {
      if (!Leaf(coder, symbol)) return kNoGlyph;
      const auto [glyph, fresh] = dictionary_.Token(leaf_);
      if (!fresh) return Damaged("a token that was known");
      delta_.Saw(glyph);
      return glyph;
    }
    case kNewRaw:
      if (depth > 0) return Damaged("raw bytes in a node");
      Leaf(coder, symbol);
      return kNoGlyph;
    case kNewComposite:
      return Composite(coder, depth);
    case kResetAll:
      if (depth > 0) return Damaged("a reset in a node");
      dictionary_.Reset();
      delta_.Reset();
      return kNoGlyph;
    case kFinish:
      if (depth > 0) return Damaged("an end in a node");
      ended_ = true;
  }
  return kNoGlyph;
}

std::string Decoder::Decode(Input& input, Sink& sink) {
  models_ = Make<Models, CoderModels>();
  context_ = {};
  checksum_ = {};
  sink_ = &sink;
  error_.clear();
  ended_ = false;
  RangeDecoder coder(&input);
  while (!ended_ && error_.empty()) Item(coder, 0);
  if (error_.empty() && Code32(coder, 0) != checksum_.value()) {
    Damaged("its checksum is wrong");
  }
  dictionary_.Reset();
  delta_.Reset();
  pending_.clear();
  models_.reset();
  return error_;
}

}  // namespace workloads::encoder
