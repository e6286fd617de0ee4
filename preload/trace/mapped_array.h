// Arrays for few and very large tables. They are mapped, so that growing moves no
// data (mremap moves the mapping), memory that was never touched costs nothing, and
// one element is one load away. A std::vector of 100 million blocks holds old and
// new storage at once when it grows, three times what is in use. (Pages behind a
// table of pointers, which were here first, took five instructions more a look-up:
// a sixth of what an event costs the collector.)
//
// Dense arrays are backed by huge pages from 2 MiB on, if the kernel has some:
// tables that large are read at random, and every other access then misses the TLB,
// too.
//
// T is trivial; new elements are zero. References are good until the array grows.
#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <new>
#include <utility>

namespace mallogram {

inline constexpr size_t kHugePage = size_t{2} << 20;

// `data` of `bytes` (0: nothing yet) with `more` bytes, moved as need be. What is
// large starts at a huge page, or moving it would break its huge pages up.
inline void* Remap(void* data, size_t bytes, size_t more) {
  const size_t slack = more >= kHugePage ? kHugePage : 0;
  void* const room = mmap(nullptr, more + slack, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED) throw std::bad_alloc();
  char* const start = static_cast<char*>(room);
  const size_t before =
      slack == 0 ? 0 : -reinterpret_cast<uintptr_t>(start) & (kHugePage - 1);
  if (before != 0) munmap(start, before);
  if (slack != before) munmap(start + before + more, slack - before);
  if (bytes == 0) return start + before;
  if (mremap(data, bytes, more, MREMAP_MAYMOVE | MREMAP_FIXED, start + before) ==
      MAP_FAILED) {
    munmap(start + before, more);
    throw std::bad_alloc();
  }
  return start + before;
}

template <typename T>
class MappedArray {
 public:
  MappedArray() = default;
  ~MappedArray() {
    if (data_ != nullptr) munmap(data_, Bytes(capacity_));
  }
  MappedArray(MappedArray&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  MappedArray& operator=(MappedArray&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }

  uint64_t capacity() const { return capacity_; }
  T& operator[](uint64_t i) { return data_[i]; }
  const T& operator[](uint64_t i) const { return data_[i]; }

  // To at least `capacity`. `huge`: in huge pages, once it is large.
  [[gnu::noinline]] void Grow(uint64_t capacity, bool huge) {
    uint64_t grown = capacity_ == 0 ? kFirstBytes / sizeof(T) : 2 * capacity_;
    while (grown < capacity) grown *= 2;
    const size_t bytes = Bytes(grown);
    data_ = static_cast<T*>(Remap(data_, Bytes(capacity_), bytes));
    capacity_ = grown;
    // The whole of it: a mapping in two parts can't be moved.
    if (huge && bytes > kHugePage) madvise(data_, bytes, MADV_HUGEPAGE);
  }

 private:
  static constexpr size_t kFirstBytes = 64 << 10;
  static constexpr size_t kSmallPage = 4096;
  static size_t Bytes(uint64_t capacity) {
    return (capacity * sizeof(T) + kSmallPage - 1) / kSmallPage * kSmallPage;
  }

  T* data_ = nullptr;
  uint64_t capacity_ = 0;
};

// Dense: indices below size() exist.
template <typename T>
class GrowingArray {
 public:
  uint64_t size() const { return size_; }
  T& operator[](uint64_t i) { return array_[i]; }
  const T& operator[](uint64_t i) const { return array_[i]; }
  T& PushBack() {
    if (size_ == array_.capacity()) [[unlikely]]
      array_.Grow(size_ + 1, /*huge=*/true);
    return array_[size_++];
  }

 private:
  MappedArray<T> array_;
  uint64_t size_ = 0;
};

// Sparse: any index may be set, unset elements read as zero. Memory is one page an
// index that was set, so a hostile file's wild ids cost little more than the events
// that carry them.
template <typename T>
class SparseArray {
 public:
  T Get(uint64_t i) const { return i < array_.capacity() ? array_[i] : T{}; }
  T& operator[](uint64_t i) {
    if (i >= array_.capacity()) [[unlikely]]
      array_.Grow(i + 1, /*huge=*/false);
    return array_[i];
  }

 private:
  MappedArray<T> array_;
};

}  // namespace mallogram
