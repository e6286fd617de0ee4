// The image's tables as the library uses them: by number, whatever chunk an element
// lies in. Only SharedImage maps chunks; who reads and fills tables knows these
// pointers alone.
//
// A chunk's pointer is stored before any number of the chunk is handed out, and
// never changes while the image is in use: who has a number may follow it.
#pragma once

#include <atomic>
#include <cstdint>

#include "preload/image.h"

namespace mallogram {

// Elements of one table.
template <typename T, size_t kMaxChunks>
class Chunks {
 public:
  explicit constexpr Chunks(Doubling shape) : shape_(shape) {}

  // REQUIRES: Has(i). Cost: a count of zeros and a load more than an array's.
  T& operator[](uint32_t i) const {
    return *reinterpret_cast<T*>(
        origins_[shape_.ChunkOf(i)].load(std::memory_order_relaxed) +
        uint64_t{i} * sizeof(T));
  }
  bool Has(uint32_t i) const {
    const int chunk = shape_.ChunkOf(i);
    return chunk < static_cast<int>(kMaxChunks) &&
           origins_[chunk].load(std::memory_order_acquire) != 0;
  }
  const Doubling& shape() const { return shape_; }

  // The chunk lies at `memory` from now on; nullptr: nowhere.
  void Set(int chunk, T* memory) {
    const uint64_t skipped = uint64_t{shape_.FirstOf(chunk)} * sizeof(T);
    origins_[chunk].store(
        memory == nullptr ? 0 : reinterpret_cast<uint64_t>(memory) - skipped,
        std::memory_order_release);
  }
  // For tests: all chunks lie one behind the other, in one array.
  void SetWhole(T* memory) {
    for (std::atomic<uint64_t>& origin : origins_) {
      origin.store(reinterpret_cast<uint64_t>(memory), std::memory_order_release);
    }
  }
  void Clear() { SetWhole(nullptr); }

 private:
  const Doubling shape_;
  // Where element 0 would lie if the chunk's elements were an array's.
  std::atomic<uint64_t> origins_[kMaxChunks] = {};
};

inline constexpr uint64_t kHeaderBytes =
    (sizeof(ImageHeader) + kImagePage - 1) & ~(kImagePage - 1);

struct ImageTables {
  ImageHeader* header = nullptr;
  Chunks<StackNode, kMaxNodeChunks> nodes{kNodeChunks};
  Chunks<ModuleSlot, kMaxModuleChunks> modules{kModuleChunks};
  Chunks<char, kMaxStringChunks> strings{kStringChunks};
};

// Make the chunk of that number, if there is none yet. False: no memory for it, or
// no system call may be made now.
bool MakeNode(ImageTables* tables, uint32_t id);
bool MakeModule(ImageTables* tables, uint32_t index);
bool MakeString(ImageTables* tables, uint32_t offset);

}  // namespace mallogram
