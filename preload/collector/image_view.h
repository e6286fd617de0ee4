// A traced process's image, mapped and checked. The geometry is copied out of the
// header once and never read again, every index is checked against it, and
// everything else that the program writes is taken as a value, never as a promise.
//
// Chunks are mapped when something in them is asked for: the image may grow to
// gigabytes, and a collector may watch hundreds of them.
#pragma once

#include <array>
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
  // Of the file, as /proc/PID/maps tells it.
  uint64_t inode() const { return inode_; }

  // Rings ever used, acquired: their slots are initialised. Those below it are
  // mapped; one that can't be ends the count.
  uint32_t ring_count() const;
  RingSlot* ring(uint32_t i) const {
    const int chunk = RingGeometry::ChunkOf(i);
    return reinterpret_cast<RingSlot*>(rings_[chunk].memory) +
           (i - RingGeometry::FirstOf(chunk));
  }
  // As checked: the program may scribble over its header.
  uint32_t ring_words(uint32_t i) const { return geometry_.Words(i); }
  uint64_t* ring_data(uint32_t i) const;

  // The nodes from `id` on that lie in one piece, `*count` of them; nullptr: there
  // are none yet.
  char* NodeMemory(uint32_t id, uint64_t* count) const;

  // A copy of the node; false: no such node.
  bool ReadNode(uint32_t id, StackNode* node) const;

  // A copy of a ready module; false: no such module, not ready or not sane.
  struct ModuleFacts {
    std::string path, build_id;  // path: as the loader names it
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
  struct Chunk {
    char* memory = nullptr;
    bool own = false;  // a mapping of its own
  };

  ImageView() = default;
  absl::Status Check();
  bool MapChunk(uint64_t offset, uint64_t bytes, Chunk* chunk) const;
  // The memory of element `i` in a table of elements of `size` bytes; nullptr: not
  // there. *rest: how many bytes of the chunk follow.
  template <size_t kMax>
  char* Find(const ChunkTable<kMax>& table, std::array<Chunk, kMax>* chunks,
             Doubling shape, uint32_t i, uint64_t size, uint64_t* rest) const;
  const ModuleSlot* ModuleAt(uint32_t index) const;

  int fd_ = -1;
  uint64_t inode_ = 0;
  uint64_t file_bytes_ = 0, base_bytes_ = 0;
  ImageHeader* header_ = nullptr;
  uint32_t max_rings_ = 0, max_modules_ = 0, strings_bytes_ = 0, max_nodes_ = 0;
  RingGeometry geometry_{};
  // Filled as they are asked for.
  mutable uint32_t mapped_rings_ = 0;
  mutable std::array<Chunk, kMaxRingChunks> rings_;
  mutable std::array<Chunk, kMaxNodeChunks> nodes_;
  mutable std::array<Chunk, kMaxModuleChunks> modules_;
  mutable std::array<Chunk, kMaxStringChunks> strings_;
};

}  // namespace mallogram
