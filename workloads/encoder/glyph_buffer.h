// Glyph buffers: operations on their way from the tree to the entropy coder, in
// blocks of a fixed size, with or without a pool that reuses the blocks.

#ifndef WORKLOADS_ENCODER_GLYPH_BUFFER_H_
#define WORKLOADS_ENCODER_GLYPH_BUFFER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "workloads/common/account.h"
#include "workloads/common/leaks.h"
#include "workloads/encoder/tree.h"

namespace workloads::encoder {

struct GlyphBuffers {
  static constexpr const char* kName = "glyph_buffers";
};
struct BufferLists {
  static constexpr const char* kName = "buffer_lists";
};

enum class Op : uint8_t {
  kReference,  // a glyph that is known: value is its number
  kToken,      // a new token: its text; value is the number it gets
  kRaw,        // bytes without a number: the text
  kComposite,  // a node of `value` children, which follow
  kReset,      // the dictionary starts anew
  kEnd,
};

struct GlyphOp {
  std::string_view text;  // of the input
  uint32_t value = 0;
  Op op = Op::kEnd;
  NodeKind kind = NodeKind::kToken;
};

struct GlyphBuffer {
  static constexpr size_t kOps = 1024;
  std::array<GlyphOp, kOps> ops;
  size_t used = 0;
};

using BufferRef = Owned<GlyphBuffer, GlyphBuffers>;

class BufferPool {
 public:
  // `reuse` off: every buffer is allocated and freed.
  BufferPool(bool reuse, LeakSite* leak) : reuse_(reuse), leak_(leak) {}

  BufferRef Take();
  void Return(BufferRef buffer);

  int64_t allocated() const { return allocated_; }
  int64_t reused() const { return reused_; }

 private:
  bool reuse_;
  LeakSite* leak_;
  int64_t allocated_ = 0;
  int64_t reused_ = 0;
  Array<BufferRef, BufferLists> idle_;
};

}  // namespace workloads::encoder

#endif  // WORKLOADS_ENCODER_GLYPH_BUFFER_H_
