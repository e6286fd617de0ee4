#include "preload/collector/leaks/marker.h"

#include <algorithm>
#include <cstring>

namespace mallogram::leaks {
namespace {

// Blocks of a batch whose distance is less are read with what lies between them.
constexpr uint64_t kGap = 1024;
constexpr size_t kBufferBytes = 256 << 10;
constexpr size_t kMaxPieces = 512;  // of one system call
constexpr size_t kFirstQueue = 4096;

// The whole words of a block, or of a piece of it.
struct Words {
  uint64_t start, end;
};

}  // namespace

Marker::Marker(const BlockIndex* index, Memory* memory, Windows* windows,
               const Idioms* idioms, size_t queue)
    : index_(index),
      memory_(memory),
      windows_(windows),
      idioms_(idioms),
      capacity_(std::max<size_t>(queue, 16)) {
  const uint64_t nodes = index->node_count();
  marks_.Grow(nodes / kMarksAWord + 1, /*huge=*/true);
  parents_.Grow(nodes + 1, /*huge=*/true);
  queue_.resize(std::min(kFirstQueue, capacity_));
  candidates_.reserve(kCandidates);
  buffer_.resize(kBufferBytes);
}

void Marker::Push(Work work) {
  if (queued() == queue_.size()) {
    if (queue_.size() >= capacity_) {
      Note(work.node);
      return;
    }
    std::vector<Work> larger(std::min(2 * queue_.size(), capacity_));
    const size_t count = queued();
    for (size_t i = 0; i < count; ++i) {
      larger[i] = queue_[(head_ + i) % queue_.size()];
    }
    queue_.swap(larger);
    head_ = 0;
    tail_ = count;
  }
  queue_[tail_++ % queue_.size()] = work;
}

// No room: to be found again. A block's first pieces may be scanned twice.
void Marker::Note(uint32_t node) {
  if (noted_.empty()) noted_.resize(index_->node_count());
  noted_[node] = true;
  any_noted_ = true;
  ++overflows_;
}

void Marker::Drain() {
  for (;;) {
    while (queued() != 0) {
      ScanBatch(std::min(queued(), kBatch));
      Resolve();
    }
    if (!any_noted_) return;
    any_noted_ = false;
    index_->ForEach([this](Block block) {
      if (!noted_[block.node]) return;
      noted_[block.node] = false;
      while (queued() > capacity_ / 2) {
        ScanBatch(std::min(queued(), kBatch));
        Resolve();
      }
      Push({block.start, block.node, 0});
    });
  }
}

void Marker::ScanBatch(size_t count) {
  batch_.clear();
  const bool back = queued() > capacity_ / 2;
  for (size_t i = 0; i < count; ++i) {
    const Work& work = queue_[(back ? --tail_ : head_++) % queue_.size()];
    index_->PrefetchSize(work.node);
    batch_.push_back(work);
  }
  if (head_ == tail_) head_ = tail_ = 0;
  // The rest of large blocks first, so that what this piece finds comes before it.
  size_t kept = 0;
  for (const Work& work : batch_) {
    const uint64_t size = index_->SizeOf(work.node);
    const uint64_t done = (work.piece + uint64_t{1}) * kPieceBytes;
    if (done < size) {
      const uint64_t end = work.start + std::min(size, UINT64_MAX - work.start);
      uint64_t from = 0, to = 0;
      if (memory_->NextPresent(work.start + done, end, &from, &to)) {
        Push({work.start, work.node,
              static_cast<uint32_t>((from - work.start) / kPieceBytes)});
      }
    }
    if (size >= sizeof(uint64_t)) batch_[kept++] = work;
  }
  batch_.resize(kept);
  if (batch_.size() > kFew) {
    std::sort(batch_.begin(), batch_.end(), [](const Work& a, const Work& b) {
      return a.start + a.piece * kPieceBytes < b.start + b.piece * kPieceBytes;
    });
    ReadScattered();
    return;
  }
  for (const Work& work : batch_) {
    const uint64_t start = (work.start + 7) / 8 * 8 + work.piece * kPieceBytes;
    const uint64_t end = std::min(start + kPieceBytes,
                                  (work.start + index_->SizeOf(work.node)) / 8 * 8);
    if (end <= start) continue;
    if (end - start == kPieceBytes) {
      uint64_t from = 0, to = 0;
      if (!memory_->NextPresent(start, end, &from, &to)) continue;
    }
    const char* data = nullptr;
    const size_t got = windows_->Get(start, end - start, &data) / 8 * 8;
    scanned_bytes_ += got;
    unread_bytes_ += end - start - got;
    // A copy: looking at what is found may move the window.
    std::memcpy(buffer_.data(), data, got);
    ScanWords(buffer_.data(), got, work.node);
  }
}

void Marker::ReadScattered() {
  size_t next = 0;
  const auto words = [this](const Work& work) {
    const uint64_t start = (work.start + 7) / 8 * 8 + work.piece * kPieceBytes;
    return Words{start, std::min(start + kPieceBytes,
                                 (work.start + index_->SizeOf(work.node)) / 8 * 8)};
  };
  while (next < batch_.size()) {
    pieces_.clear();
    runs_.clear();
    size_t used = 0;
    while (next < batch_.size() && pieces_.size() < kMaxPieces) {
      const Words one = words(batch_[next]);
      if (one.end <= one.start) {
        ++next;
        continue;
      }
      const uint64_t bytes = one.end - one.start;
      if (bytes == kPieceBytes) {
        uint64_t from = 0, to = 0;
        if (!memory_->NextPresent(one.start, one.end, &from, &to)) {
          ++next;
          continue;
        }
      }
      if (used + bytes > kBufferBytes) break;
      if (!pieces_.empty()) {
        Piece& piece = pieces_.back();
        const uint64_t end = piece.address + piece.bytes;
        if (one.start >= end && one.start - end < kGap &&
            used + (one.end - end) <= kBufferBytes) {
          used += one.end - end;
          piece.bytes += one.end - end;
          runs_.back().last = ++next;
          continue;
        }
      }
      pieces_.push_back({one.start, buffer_.data() + used, bytes, 0});
      runs_.push_back({next, next + 1});
      used += bytes;
      ++next;
    }
    if (pieces_.empty()) continue;
    memory_->ReadPieces(pieces_.data(), pieces_.size());
    for (size_t i = 0; i < pieces_.size(); ++i) {
      const Piece& piece = pieces_[i];
      for (size_t w = runs_[i].first; w < runs_[i].last; ++w) {
        const Words one = words(batch_[w]);
        if (one.end <= one.start) continue;
        const uint64_t offset = one.start - piece.address;
        const uint64_t bytes = one.end - one.start;
        const uint64_t got =
            piece.got <= offset ? 0 : std::min(bytes, piece.got - offset) / 8 * 8;
        scanned_bytes_ += got;
        unread_bytes_ += bytes - got;
        ScanWords(piece.out + offset, got, batch_[w].node);
      }
    }
  }
}

void Marker::ScanWords(const char* data, size_t bytes, uint32_t from) {
  for (size_t i = 0; i < bytes; i += sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, data + i, sizeof(word));
    if (!index_->MayPoint(word)) continue;
    candidates_.push_back({word, from, kNoNode});
    if (candidates_.size() == kCandidates) Resolve();
  }
}

// Several at once, so that their cache misses overlap.
void Marker::Resolve() {
  for (const Candidate& c : candidates_) index_->PrefetchPage(c.pointer);
  for (const Candidate& c : candidates_) index_->PrefetchBlock(c.pointer);
  for (Candidate& c : candidates_) {
    c.node = index_->StartingAt(c.pointer).node;
    if (c.node == kNoNode) continue;
    __builtin_prefetch(&marks_[c.node / kMarksAWord], 1);
    __builtin_prefetch(&parents_[c.node], 1);
  }
  for (const Candidate& c : candidates_) {
    if (c.node != kNoNode) {
      Reach({c.pointer, c.node}, /*at_start=*/true, c.pointer, c.from);
      continue;
    }
    const Block block = index_->Holding(c.pointer);
    if (block.node == kNoNode) continue;
    // The allocator's pointer to a free chunk, whose header begins in the last word
    // of the block before it.
    if (allocator_ && c.from == kRoot && c.pointer % 16 == 0 &&
        index_->SizeOf(block.node) - (c.pointer - block.start) <= 8) {
      continue;
    }
    Reach(block, false, c.pointer, c.from);
  }
  candidates_.clear();
}

void Marker::Reach(Block block, bool at_start, uint64_t pointer, uint32_t from) {
  const Mark mark = MarkOf(block.node);
  switch (level_) {
    case Mark::kReachable:
      if (mark == Mark::kReachable) return;
      if (!at_start &&
          idioms_->Explain(pointer, block) == PointerIdiom::kInterior) {
        if (mark != Mark::kNone) return;
        any_possible_ = true;
        SetMark(block.node, Mark::kPossible);
        parents_[block.node] = from + 1;
        return;
      }
      break;
    case Mark::kIgnored:
      if (mark == Mark::kReachable || mark == Mark::kIgnored) return;
      break;
    default:
      if (mark != Mark::kNone) return;
      break;
  }
  SetMark(block.node, level_);
  parents_[block.node] = from + 1;
  Push({block.start, block.node, 0});
}

void Marker::ScanRange(uint64_t start, uint64_t end) {
  start = (start + 7) / 8 * 8;
  end = end / 8 * 8;
  uint64_t from = 0, to = 0;
  while (start < end && memory_->NextPresent(start, end, &from, &to)) {
    while (from < to) {
      // Draining uses the buffer, too, so half the queue must be free for what one
      // buffer of pointers brings.
      const size_t bytes = std::min<uint64_t>(to - from, kPieceBytes);
      const size_t got = memory_->Read(from, buffer_.data(), bytes) / 8 * 8;
      scanned_bytes_ += got;
      root_bytes_ += got;
      ScanWords(buffer_.data(), got, kRoot);
      Resolve();
      if (queued() > capacity_ / 2) {
        while (queued() > capacity_ / 4) {
          ScanBatch(std::min(queued(), kBatch));
          Resolve();
        }
      }
      // What can't be read is passed by the page.
      from =
          got == bytes / 8 * 8 ? from + bytes : (from + got) / 4096 * 4096 + 4096;
    }
    start = to;
  }
}

void Marker::MarkFromRoots(const std::vector<RootRange>& ranges,
                           const std::vector<RootWord>& words) {
  level_ = Mark::kReachable;
  for (const RootRange& range : ranges) {
    allocator_ = range.allocator;
    ScanRange(range.start, range.end);
  }
  allocator_ = false;
  for (const RootWord& word : words) {
    if (index_->MayPoint(word.value)) {
      candidates_.push_back({word.value, kRoot, kNoNode});
    }
    if (candidates_.size() == kCandidates) Resolve();
  }
  Resolve();
  Drain();
}

void Marker::MarkIgnored(const std::vector<uint32_t>& slots) {
  if (slots.empty()) return;
  level_ = Mark::kIgnored;
  std::vector<uint32_t> sorted = slots;
  std::sort(sorted.begin(), sorted.end());
  index_->ForEach([&](Block block) {
    if (!std::binary_search(sorted.begin(), sorted.end(), block.node)) return;
    SetMark(block.node, Mark::kIgnored);
    Push({block.start, block.node, 0});
  });
  Drain();
}

void Marker::MarkPossible() {
  if (!any_possible_) return;
  level_ = Mark::kPossible;
  index_->ForEach([this](Block block) {
    if (MarkOf(block.node) != Mark::kPossible) return;
    Push({block.start, block.node, 0});
    while (queued() > capacity_ / 2) {
      ScanBatch(std::min(queued(), kBatch));
      Resolve();
    }
  });
  Drain();
}

uint64_t Marker::bytes() const {
  const uint64_t nodes = index_->node_count();  // arrays take what was touched
  return nodes / 4 + nodes * 4 + noted_.size() / 8 +
         queue_.capacity() * sizeof(Work) + batch_.capacity() * sizeof(Work) +
         candidates_.capacity() * sizeof(Candidate) + buffer_.capacity();
}

}  // namespace mallogram::leaks
