// The decoder of the encoder's streams. Works piece by piece: what it keeps is the
// dictionary and the models. A damaged stream is told, never trusted.

#ifndef WORKLOADS_ENCODER_DECODER_H_
#define WORKLOADS_ENCODER_DECODER_H_

#include <cstdint>
#include <string>

#include "workloads/common/account.h"
#include "workloads/encoder/dictionary.h"
#include "workloads/encoder/models.h"
#include "workloads/encoder/range_coder.h"

namespace workloads::encoder {

class Decoder {
 public:
  // Returns what is wrong with the stream, empty when nothing is; bytes that were
  // decoded before the damage was noticed have gone to the sink.
  std::string Decode(Input& input, Sink& sink);

 private:
  // One item of a document or of a composite. Returns its glyph; kNoGlyph for raw
  // bytes, for reset and end (only where `depth` is 0), and when the stream is
  // damaged (error_ is set then).
  uint32_t Item(RangeDecoder& coder, size_t depth);
  uint32_t Reference(RangeDecoder& coder, Symbol symbol);
  uint32_t Composite(RangeDecoder& coder, size_t depth);
  bool Leaf(RangeDecoder& coder, Symbol symbol);
  void Write(std::string_view bytes);
  void Expand(uint32_t glyph);
  uint32_t Damaged(const char* what);

  Dictionary dictionary_;
  Array<uint32_t, GlyphTable> pending_;
  Text<GlyphTexts> leaf_;
  Owned<Models, CoderModels> models_;
  Delta delta_;
  SymbolContext context_;
  Checksum checksum_;
  Sink* sink_ = nullptr;
  std::string error_;
  bool ended_ = false;
};

}  // namespace workloads::encoder

#endif  // WORKLOADS_ENCODER_DECODER_H_
