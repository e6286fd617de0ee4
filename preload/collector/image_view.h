// A traced process's image, mapped and checked. The geometry is copied out of the
// header once and never read again, every index is checked against it, and
// everything else that the program writes is taken as a value, never as a promise.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "preload/image.h"

namespace mallogram {

class ImageView {
 public:
  // Maps and checks. Does not take `fd`.
  static absl::StatusOr<std::unique_ptr<ImageView>> Map(int fd);
  ~ImageView();
  ImageView(const ImageView&) = delete;
  ImageView& operator=(const ImageView&) = delete;

  ImageHeader* header() const { return header_; }

  // Rings ever used, acquired: their slots are initialised.
  uint32_t ring_count() const;
  RingSlot* ring(uint32_t i) const { return &rings_[i]; }
  // As checked: the program may scribble over its header.
  uint32_t ring_words(uint32_t i) const { return geometry_.Words(i); }
  uint64_t* ring_data(uint32_t i) const { return ring_data_ + geometry_.Start(i); }

  char* nodes_memory() const {
    return reinterpret_cast<char*>(header_) + nodes_offset_;
  }
  uint64_t max_nodes() const { return max_nodes_; }

  // A copy of the node; false: no such node.
  bool ReadNode(uint32_t id, StackNode* node) const;

  // A copy of a ready module; false: no such module, not ready or not sane.
  struct ModuleFacts {
    std::string path, build_id;
    uint64_t bias, start, end, load_tsc;
  };
  bool ReadModule(uint32_t index, ModuleFacts* facts) const;
  // 0: loaded, or no such module.
  uint64_t UnloadStamp(uint32_t index) const;

  // Whether the innermost frame of the stack lies in code whose blocks and frees
  // may be of any kind.
  bool AreKindsUnsure(uint32_t stack) const;

  // The NUL-terminated string at `offset`; empty if there is none.
  std::string ReadString(uint32_t offset) const;
  // `bytes` of the strings at `offset`; empty if they are not there.
  std::string ReadBytes(uint32_t offset, uint32_t bytes) const;

  uint64_t TouchedBytes() const;  // pages that exist in memory

 private:
  ImageView() = default;
  absl::Status Check(uint64_t file_bytes);

  int fd_ = -1;
  uint64_t bytes_ = 0;
  ImageHeader* header_ = nullptr;
  RingSlot* rings_ = nullptr;
  ModuleSlot* modules_ = nullptr;
  const char* strings_ = nullptr;
  const StackNode* nodes_ = nullptr;
  uint64_t* ring_data_ = nullptr;
  uint32_t max_rings_ = 0, max_modules_ = 0, strings_bytes_ = 0, max_nodes_ = 0;
  uint64_t nodes_offset_ = 0;
  RingGeometry geometry_{};
};

}  // namespace mallogram
