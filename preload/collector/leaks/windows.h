// Small reads at places that nobody foresees: windows of the memory that were read
// lately. One that follows or precedes another is larger than it, so that a list
// that runs through the heap costs few system calls, and one at random reads little
// more than it needs.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "preload/collector/leaks/memory.h"

namespace mallogram::leaks {

class Windows {
 public:
  explicit Windows(Memory* memory);

  // Up to `bytes` (at most kMost) from `address`: how many could be read, and where
  // they are, good until the next call.
  size_t Get(uint64_t address, size_t bytes, const char** data);
  // The word at `address`; false: it can't be read.
  bool Word(uint64_t address, uint64_t* word);

  uint64_t bytes_read() const { return bytes_read_; }
  // Reads that followed no other.
  uint64_t lone_reads() const { return lone_reads_; }

  static constexpr size_t kMost = 64 << 10;

 private:
  static constexpr int kPageBits = 12;
  static constexpr size_t kPage = size_t{1} << kPageBits;
  static constexpr size_t kLargest = 128 << 10;
  static constexpr size_t kWindows = 32;
  static constexpr size_t kHints = 1024;

  struct Window {
    uint64_t start = 0;
    size_t asked = 0, got = 0;
    std::vector<char> data;
  };

  Window* Find(uint64_t page) {
    Window& window = windows_[hints_[page % kHints]];
    return (page << kPageBits) - window.start < window.asked ? &window : nullptr;
  }
  Window* Load(uint64_t address, size_t bytes);

  Memory* const memory_;
  std::array<Window, kWindows> windows_;
  std::array<uint8_t, kHints> hints_{};  // by page: where it may be
  size_t next_ = 0;
  uint64_t bytes_read_ = 0, lone_reads_ = 0;
};

}  // namespace mallogram::leaks
