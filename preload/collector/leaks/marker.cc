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
               const Idioms* idioms, size_t queue, uint64_t lone_reads)
    : index_(index),
      memory_(memory),
      windows_(windows),
      idioms_(idioms),
      capacity_(std::max<size_t>(queue, 16)),
      lone_reads_(lone_reads) {
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
      if (memory_->Stopped()) return;
      if (!looked_for_links_ && windows_->lone_reads() >= lone_reads_) FindLinks();
      ScanBatch(std::min(queued(), kBatch));
      Resolve();
    }
    if (!any_noted_) return;
    any_noted_ = false;
    index_->ForEach([this](Block block) {
      if (!noted_[block.node] || memory_->Stopped()) return;
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
    ReadScattered([this](const char* data, size_t bytes, const Work& work) {
      ScanWords(data, bytes, work.node);
    });
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

template <typename F>
void Marker::ReadScattered(F&& f) {
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
        f(piece.out + offset, got, batch_[w]);
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
  if (Skips(mark)) return;
  if (level_ == Mark::kReachable && !at_start &&
      idioms_->Explain(pointer, block) == PointerIdiom::kInterior) {
    if (mark != Mark::kNone) return;
    any_possible_ = true;
    SetMark(block.node, Mark::kPossible);
    parents_[block.node] = from + 1;
    return;
  }
  const uint32_t link =
      has_links_ && mark == Mark::kNone ? parents_[block.node] : 0;
  SetMark(block.node, level_);
  parents_[block.node] = from + 1;
  if (link == 0) {
    Push({block.start, block.node, 0});
  } else if (link != kLeaf) {
    Follow(link - 1, block.node);
  }
}

bool Marker::Skips(Mark mark) const {
  if (level_ == Mark::kReachable) return mark == Mark::kReachable;
  if (level_ == Mark::kIgnored) {
    return mark == Mark::kReachable || mark == Mark::kIgnored;
  }
  return mark != Mark::kNone;
}

// A pointer to the start of `node`, and so on as long as links go.
void Marker::Follow(uint32_t node, uint32_t from) {
  for (;;) {
    const Mark mark = MarkOf(node);
    if (Skips(mark)) return;
    const uint32_t link = mark == Mark::kNone ? parents_[node] : 0;
    SetMark(node, level_);
    parents_[node] = from + 1;
    if (link == kLeaf) return;
    if (link == 0) {
      const auto known = long_.find(node);
      if (known != long_.end()) {
        Push({known->second, node, 0});
      } else {  // it was marked possible, and its link forgotten
        Note(node);
      }
      return;
    }
    from = node;
    node = link - 1;
  }
}

// REQUIRES: the queue's blocks are marked. Gives up if too many blocks have more
// than one pointer: a list of those is read block by block.
void Marker::FindLinks() {
  looked_for_links_ = true;
  const size_t most = std::max<size_t>(kCandidates, index_->node_count() / 64);
  batch_.clear();
  const auto scan = [&] {
    std::sort(batch_.begin(), batch_.end(),
              [](const Work& a, const Work& b) { return a.start < b.start; });
    ReadScattered([&](const char* data, size_t bytes, const Work& work) {
      uint64_t only = 0;
      size_t count = 0;
      for (size_t i = 0; i < bytes; i += sizeof(uint64_t)) {
        uint64_t word;
        std::memcpy(&word, data + i, sizeof(word));
        if (!index_->MayPoint(word) || (count != 0 && word == only)) continue;
        only = word;
        ++count;
      }
      parents_[work.node] = count == 0 ? kLeaf : 0;
      if (count == 1) {
        candidates_.push_back({only, work.node, kNoNode});
        link_starts_.push_back(work.start);
        if (candidates_.size() == kCandidates) ResolveLinks();
      } else if (count > 1) {
        long_[work.node] = work.start;
      }
    });
    batch_.clear();
  };
  index_->ForEach([&](Block block) {
    if (memory_->Stopped()) return;
    if (long_.size() > most || MarkOf(block.node) != Mark::kNone) return;
    parents_[block.node] = 0;
    const uint64_t size = index_->SizeOf(block.node);
    if (size > kPieceBytes / 2) {
      long_[block.node] = block.start;
    } else if (size < sizeof(uint64_t)) {
      parents_[block.node] = kLeaf;
    } else {
      batch_.push_back({block.start, block.node, 0});
      if (batch_.size() == kBatch) scan();
    }
  });
  scan();
  ResolveLinks();
  has_links_ = long_.size() <= most;
  if (!has_links_) long_ = {};
}

void Marker::ResolveLinks() {
  for (const Candidate& c : candidates_) index_->PrefetchPage(c.pointer);
  for (const Candidate& c : candidates_) index_->PrefetchBlock(c.pointer);
  for (size_t i = 0; i < candidates_.size(); ++i) {
    const Candidate& c = candidates_[i];
    const uint32_t target = index_->StartingAt(c.pointer).node;
    if (target != kNoNode) {
      parents_[c.from] = target + 1;
    } else if (index_->Holding(c.pointer).node == kNoNode) {
      parents_[c.from] = kLeaf;
    } else {  // what it means depends on who asks
      long_[c.from] = link_starts_[i];
    }
  }
  candidates_.clear();
  link_starts_.clear();
}

void Marker::ScanRange(uint64_t start, uint64_t end) {
  start = (start + 7) / 8 * 8;
  end = end / 8 * 8;
  uint64_t from = 0, to = 0;
  while (start < end && memory_->NextPresent(start, end, &from, &to)) {
    while (from < to && !memory_->Stopped()) {
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
    if (MarkOf(block.node) != Mark::kPossible || memory_->Stopped()) return;
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
