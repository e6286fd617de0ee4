// The memory that is scanned, and where pointers in it may begin.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "preload/collector/leaks/scan_control.h"
#include "preload/trace/leaks.h"

namespace mallogram::leaks {

// One piece of a scattered read. `got`: bytes of it that could be read, from its
// start.
struct Piece {
  uint64_t address = 0;
  char* out = nullptr;
  size_t bytes = 0;
  size_t got = 0;
};

class Memory {
 public:
  virtual ~Memory() = default;
  // Sets `got` of each; what can't be read is no error.
  virtual void ReadPieces(Piece* pieces, size_t count) = 0;
  // The first range at or after `start` and before `end` that may hold anything but
  // zeroes, found without touching it; false: there is none. By default all of it.
  virtual bool NextPresent(uint64_t start, uint64_t end, uint64_t* from,
                           uint64_t* to) {
    *from = start;
    *to = end;
    return start < end;
  }
  // True if NextPresent passes any hole in no time.
  virtual bool PassesHoles() const { return false; }

  // Whoever looks at it must be able to end the look: nullptr: nobody.
  void SetControl(ScanControl* control) { control_ = control; }
  // True: what is found does not matter any more. To be asked often.
  bool Stopped() {
    if (control_ == nullptr) return false;
    control_->progress.fetch_add(1, std::memory_order_relaxed);
    return control_->stop.load(std::memory_order_relaxed) != StopReason::kNone;
  }

  size_t Read(uint64_t address, void* out, size_t bytes) {
    Piece piece{address, static_cast<char*>(out), bytes, 0};
    ReadPieces(&piece, 1);
    return piece.got;
  }

 private:
  ScanControl* control_ = nullptr;
};

// Memory that is scanned as a whole.
struct RootRange {
  uint64_t start = 0, end = 0;
  RootKind kind = RootKind::kMapping;
  // kGlobal: which of the caller's modules, and what to take from an address.
  uint32_t module = 0;
  uint64_t bias = 0;
  int64_t tid = 0;
  // glibc's data, where malloc keeps pointers to free chunks, which begin 8 bytes
  // before the end of the block before them, as far as its user is concerned.
  bool allocator = false;
};

// A pointer that is in no memory.
struct RootWord {
  uint64_t value = 0;
  LeakRoot root;
};

}  // namespace mallogram::leaks
