#include "preload/collector/leaks/windows.h"

#include <algorithm>
#include <cstring>

namespace mallogram::leaks {

Windows::Windows(Memory* memory) : memory_(memory) {}

Windows::Window* Windows::Load(uint64_t address, size_t bytes) {
  const uint64_t page = address >> kPageBits;
  uint64_t start = page << kPageBits;
  const uint64_t needed_end = (address + bytes + kPage - 1) & ~(kPage - 1);
  size_t size = needed_end - start;
  if (const Window* const before = Find(page - 1); before != nullptr) {
    size = std::max(size, std::min(2 * before->asked, kLargest));
  } else if (const Window* const after = Find(needed_end >> kPageBits);
             after != nullptr) {
    const size_t larger = std::max(size, std::min(2 * after->asked, kLargest));
    if (needed_end >= larger) {
      start = needed_end - larger;
      size = larger;
    }
  } else {
    ++lone_reads_;
  }
  Window& window = windows_[next_];
  if (window.data.size() < size) window.data.resize(size);
  window.start = start;
  window.asked = size;
  window.got = memory_->Read(start, window.data.data(), size);
  // Reading back, what comes first may be missing.
  if (window.got < needed_end - start && start < page << kPageBits) {
    window.start = page << kPageBits;
    window.asked = needed_end - window.start;
    window.got = memory_->Read(window.start, window.data.data(), window.asked);
  }
  // What lies behind a hole is not known to be unreadable.
  if (window.got < window.asked) {
    window.asked = std::max<size_t>(needed_end - window.start,
                                    (window.got + kPage - 1) & ~(kPage - 1));
  }
  bytes_read_ += window.got;
  for (uint64_t p = window.start; p - window.start < window.asked; p += kPage) {
    hints_[(p >> kPageBits) % kHints] = static_cast<uint8_t>(next_);
  }
  next_ = (next_ + 1) % kWindows;
  return &window;
}

size_t Windows::Get(uint64_t address, size_t bytes, const char** data) {
  Window* window = Find(address >> kPageBits);
  if (window == nullptr ||
      address - window->start + bytes > std::max(window->asked, window->got)) {
    window = Load(address, bytes);
  }
  const uint64_t offset = address - window->start;
  *data = window->data.data() + offset;
  return window->got <= offset ? 0 : std::min<size_t>(bytes, window->got - offset);
}

bool Windows::Word(uint64_t address, uint64_t* word) {
  const char* data = nullptr;
  if (Get(address, sizeof(*word), &data) != sizeof(*word)) return false;
  std::memcpy(word, data, sizeof(*word));
  return true;
}

}  // namespace mallogram::leaks
