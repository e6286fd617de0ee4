// Arrays that grow without moving: pages of 2^kPageBits elements behind a table
// of pointers. A std::vector of 100 million blocks holds old and new storage at
// once when it grows, three times what is in use; these hold one page too much.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace mallogram {

// Dense: indices below size() exist. T is trivial; new elements are zero.
template <typename T, int kPageBits>
class Paged {
 public:
  uint64_t size() const { return size_; }
  T& operator[](uint64_t i) { return pages_[i >> kPageBits][i & kMask]; }
  const T& operator[](uint64_t i) const {
    return pages_[i >> kPageBits][i & kMask];
  }
  T& PushBack() {
    if ((size_ & kMask) == 0) pages_.push_back(std::make_unique<T[]>(kMask + 1));
    return (*this)[size_++];
  }

 private:
  static constexpr uint64_t kMask = (uint64_t{1} << kPageBits) - 1;
  std::vector<std::unique_ptr<T[]>> pages_;
  uint64_t size_ = 0;
};

// Sparse: any index may be set, unset elements read as zero. Memory is one page
// an index that was set and 8 bytes / 2^kPageBits of the highest index, so a
// hostile file's wild ids cost little more than the events that carry them.
template <typename T, int kPageBits>
class SparsePaged {
 public:
  T Get(uint64_t i) const {
    const uint64_t page = i >> kPageBits;
    if (page >= pages_.size() || pages_[page] == nullptr) return T{};
    return pages_[page][i & kMask];
  }
  T& operator[](uint64_t i) {
    const uint64_t page = i >> kPageBits;
    if (page >= pages_.size() || pages_[page] == nullptr) [[unlikely]]
      MakePage(page);
    return pages_[page][i & kMask];
  }

 private:
  [[gnu::noinline]] void MakePage(uint64_t page) {
    if (page >= pages_.size()) pages_.resize(page + 1);
    pages_[page] = std::make_unique<T[]>(kMask + 1);
  }

  static constexpr uint64_t kMask = (uint64_t{1} << kPageBits) - 1;
  std::vector<std::unique_ptr<T[]>> pages_;
};

}  // namespace mallogram
