#include "preload/collector/leaks/lost.h"

#include <algorithm>
#include <cstring>

namespace mallogram::leaks {

LostBlocks::LostBlocks(const BlockIndex* index, Memory* memory, Windows* windows,
                       Marker* marker)
    : index_(index),
      memory_(memory),
      windows_(windows),
      marker_(marker),
      buffer_(Windows::kMost) {}

void LostBlocks::Find() {
  if (memory_->Stopped()) return;
  index_->ForEach([this](Block block) {
    if (marker_->MarkOf(block.node) == Mark::kNone) blocks_.push_back(block);
  });
  std::sort(blocks_.begin(), blocks_.end(),
            [](const Block& a, const Block& b) { return a.start < b.start; });
  for (uint32_t i = 0; i < blocks_.size(); ++i) {
    marker_->SetNumber(blocks_[i].node, i);
  }
  MakeCliques();
  if (shared_) JoinCycles();
}

template <typename F>
void LostBlocks::ForEachTarget(uint32_t number, F&& f) {
  const Block block = blocks_[number];
  uint64_t at = (block.start + 7) / 8 * 8;
  const uint64_t end = (block.start + index_->SizeOf(block.node)) / 8 * 8;
  while (at < end && !memory_->Stopped()) {
    uint64_t from = at, to = end;
    if (end - at >= buffer_.size() && !memory_->NextPresent(at, end, &from, &to)) {
      return;
    }
    to = std::min(to, from + buffer_.size());
    const char* data = nullptr;
    const size_t got = windows_->Get(from, to - from, &data) / 8 * 8;
    std::memcpy(buffer_.data(), data, got);
    scanned_bytes_ += got;
    for (size_t i = 0; i < got; i += 8) {
      uint64_t word;
      std::memcpy(&word, buffer_.data() + i, sizeof(word));
      if (!index_->MayPoint(word)) continue;
      Block target = index_->StartingAt(word);
      if (target.node == kNoNode) target = index_->Holding(word);
      if (target.node == kNoNode || marker_->MarkOf(target.node) != Mark::kNone) {
        continue;
      }
      f(marker_->NumberOf(target.node));
    }
    at = got == to - from ? to : (from + got) / 4096 * 4096 + 4096;
  }
}

uint32_t LostBlocks::Leader(uint32_t number) {
  while (cliques_[number] != number) {
    const uint32_t next = cliques_[number];
    cliques_[number] = cliques_[next];
    number = next;
  }
  return number;
}

// By rising address, each block that nobody has reached leads what it reaches. A
// leader that a later one reaches leads no more.
void LostBlocks::MakeCliques() {
  cliques_.assign(blocks_.size(), kNobody);
  for (uint32_t leader = 0; leader < blocks_.size(); ++leader) {
    if (cliques_[leader] != kNobody) continue;
    cliques_[leader] = leader;
    stack_.push_back(leader);
    while (!stack_.empty()) {
      const uint32_t number = stack_.back();
      stack_.pop_back();
      ForEachTarget(number, [&](uint32_t target) {
        if (cliques_[target] == kNobody) {
          cliques_[target] = leader;
          stack_.push_back(target);
        } else if (cliques_[target] == target) {
          cliques_[target] = leader;  // itself, at most
        } else if (Leader(target) != leader) {
          shared_ = true;
        }
      });
    }
  }
}

// By falling address of the leaders that are left: the highest is led to by nobody,
// and so is each next one that those before it don't reach.
void LostBlocks::JoinCycles() {
  std::vector<bool> seen(blocks_.size());
  for (auto leader = static_cast<uint32_t>(blocks_.size()); leader-- != 0;) {
    if (cliques_[leader] != leader || seen[leader]) continue;
    seen[leader] = true;
    stack_.push_back(leader);
    while (!stack_.empty()) {
      const uint32_t number = stack_.back();
      stack_.pop_back();
      ForEachTarget(number, [&](uint32_t target) {
        if (seen[target]) return;
        seen[target] = true;
        if (cliques_[target] == target) cliques_[target] = leader;
        stack_.push_back(target);
      });
    }
  }
}

uint32_t LostBlocks::HeadOf(uint32_t node) {
  if (!IsKnown(node)) return node;
  const uint32_t head = blocks_[Leader(marker_->NumberOf(node))].node;
  return index_->IsInherited(head) ? kNoNode : head;
}

uint64_t LostBlocks::bytes() const {
  return blocks_.capacity() * sizeof(Block) + cliques_.capacity() * 4 +
         stack_.capacity() * 4;
}

}  // namespace mallogram::leaks
