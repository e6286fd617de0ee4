// The glyph dictionary: every distinct token, and every distinct line or group as
// the list of its glyphs, has a number. Encoder and decoder grow the same
// dictionary from the same glyphs; numbers are given in the order of first
// completion.

#ifndef WORKLOADS_ENCODER_DICTIONARY_H_
#define WORKLOADS_ENCODER_DICTIONARY_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "workloads/common/account.h"
#include "workloads/encoder/tree.h"

namespace workloads::encoder {

struct GlyphTexts {
  static constexpr const char* kName = "glyph_texts";
};
struct GlyphTable {
  static constexpr const char* kName = "glyph_table";
};

class Dictionary {
 public:
  struct Glyph {
    Text<GlyphTexts> text;                 // of a token
    Array<uint32_t, GlyphTexts> children;  // of anything else
    uint64_t hash = 0;
    uint64_t bytes = 0;  // of everything below
    uint32_t depth = 0;  // of what is below: 0 for a token
    NodeKind kind = NodeKind::kToken;
  };

  // The number of that glyph, and whether it is new with this call.
  std::pair<uint32_t, bool> Token(std::string_view text);
  std::pair<uint32_t, bool> Composite(NodeKind kind, const uint32_t* children,
                                      size_t count);

  // REQUIRES: id < size().
  const Glyph& operator[](uint32_t id) const { return glyphs_[id]; }
  uint32_t size() const { return static_cast<uint32_t>(glyphs_.size()); }
  int64_t PayloadBytes() const;

  // Forgets everything and gives the memory back.
  void Reset();

 private:
  template <typename Same, typename Fill>
  std::pair<uint32_t, bool> Find(uint64_t hash, Same same, Fill fill);
  void Grow();

  Array<Glyph, GlyphTable> glyphs_;
  Array<uint32_t, GlyphTable> slots_;  // open addressing, a power of two, half full
};

}  // namespace workloads::encoder

#endif  // WORKLOADS_ENCODER_DICTIONARY_H_
