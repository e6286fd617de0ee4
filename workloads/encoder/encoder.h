// The encoder: input → tree → glyphs of the dictionary → deltas → coded stream.
//
// With streaming the input passes in segments, each with a tree and glyph buffers
// of its own that are gone before the next; memory does not depend on the input
// then. Without, the whole input, its tree and its glyphs are there at once. The
// stream has one format, and one decoder (decoder.h).
//
// The dictionary starts anew once it holds more than glyph_limit glyphs, between
// two blocks of the text.

#ifndef WORKLOADS_ENCODER_ENCODER_H_
#define WORKLOADS_ENCODER_ENCODER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include "workloads/common/account.h"
#include "workloads/common/leaks.h"
#include "workloads/encoder/dictionary.h"
#include "workloads/encoder/glyph_buffer.h"
#include "workloads/encoder/models.h"
#include "workloads/encoder/range_coder.h"
#include "workloads/encoder/tree.h"

namespace workloads::encoder {

struct InputBuffer {
  static constexpr const char* kName = "input_buffer";
};

struct EncoderLeaks {
  LeakSite glyph_buffer{"glyph-buffer", LeakKind::kLost,
                        "a copy of a glyph buffer that was coded"};
  LeakSite subtree{"subtree", LeakKind::kChain,
                   "the first tokens of a block, linked"};
  LeakSite stale_glyph{"stale-glyph", LeakKind::kGrowing,
                       "the text of a new glyph, kept in a log"};
};

struct EncoderOptions {
  bool pool = true;
  bool streaming = false;
  size_t segment = 65536;
  uint32_t glyph_limit = 65536;
};

struct EncoderStats {
  int64_t input_bytes = 0;
  int64_t tree_nodes = 0;  // all trees together
  int64_t glyph_ops = 0;
  int64_t new_glyphs = 0;
  int64_t resets = 0;
  int64_t segments = 0;
};

class Encoder {
 public:
  // REQUIRES: `leaks` outlives this.
  Encoder(const EncoderOptions& options, EncoderLeaks* leaks)
      : options_(options),
        leaks_(leaks),
        pool_(options.pool, &leaks->glyph_buffer) {}

  // Encodes one input; may be called again, with a fresh dictionary and the same
  // pool. `at_full` is called when the last segment's tree and glyphs are all
  // there.
  void Encode(Input& input, Sink& sink, const std::function<void()>& at_full);

  const EncoderStats& stats() const { return stats_; }  // of the last Encode()
  const Dictionary& dictionary() const { return dictionary_; }
  const BufferPool& pool() const { return pool_; }
  // Glyph operations held in buffers right now.
  int64_t held_ops() const { return held_ops_; }

 private:
  void Resolve(Node* node);
  void Emit(const Node* node);
  void Push(const GlyphOp& op);
  void Code(RangeEncoder& coder);
  void CodeOp(RangeEncoder& coder, const GlyphOp& op);
  void CodeReference(RangeEncoder& coder, uint32_t glyph);
  void LeakSubtree(const Node* block);

  EncoderOptions options_;
  EncoderLeaks* leaks_;
  BufferPool pool_;
  Dictionary dictionary_;
  Array<uint32_t, GlyphTable> pending_;  // glyphs of the children being resolved
  Array<BufferRef, BufferLists> buffers_;
  int64_t held_ops_ = 0;
  Owned<Models, CoderModels> models_;
  Delta delta_;
  SymbolContext context_;
  EncoderStats stats_;
};

}  // namespace workloads::encoder

#endif  // WORKLOADS_ENCODER_ENCODER_H_
