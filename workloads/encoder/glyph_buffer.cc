#include "workloads/encoder/glyph_buffer.h"

#include <utility>

namespace workloads::encoder {

BufferRef BufferPool::Take() {
  if (!idle_.empty()) {
    BufferRef buffer = std::move(idle_.back());
    idle_.pop_back();
    buffer->used = 0;
    ++reused_;
    return buffer;
  }
  ++allocated_;
  return Make<GlyphBuffer, GlyphBuffers>();
}

void BufferPool::Return(BufferRef buffer) {
  if (leak_->Due()) {
    leak_->Leak({reinterpret_cast<const char*>(buffer->ops.data()),
                 buffer->used * sizeof(GlyphOp)});
  }
  if (reuse_) idle_.push_back(std::move(buffer));
}

}  // namespace workloads::encoder
