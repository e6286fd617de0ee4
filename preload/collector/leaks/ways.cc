#include "preload/collector/leaks/ways.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace mallogram::leaks {
namespace {

constexpr size_t kHalf = kMaxWay / 2;
// All chains together: a list of 100 million blocks is worth following once, not
// for each of a thousand call sites.
constexpr uint64_t kMinSteps = uint64_t{1} << 26;
constexpr size_t kBufferBytes = 256 << 10;

}  // namespace

// False: too long to be followed.
bool Ways::Walk(uint32_t block, Chain* chain) {
  chain->block = block;
  std::vector<Run> near;  // the first met, from the block on
  std::array<Run, kHalf> far;
  uint64_t count = 0;  // of runs, `near` included
  Run run;
  const auto finish = [&] {
    if (run.repeats == 0) return;
    if (near.size() < kHalf) {
      near.push_back(run);
    } else {
      far[(count - kHalf) % kHalf] = run;
    }
    ++count;
  };
  uint32_t node = block;
  for (;;) {
    const uint32_t parent = marker_->ParentOf(node);
    if (parent == Marker::kRoot || index_->IsInherited(parent)) {
      chain->holder = parent == Marker::kRoot ? kNoNode : parent;
      break;
    }
    if (steps_left_ == 0) return false;
    --steps_left_;
    const uint32_t stack = index_->StackOf(parent);
    if (run.repeats == 0 || run.stack != stack) {
      finish();
      run = {stack, parent, node, 0};
    }
    run.first = parent;
    run.next = node;
    ++run.repeats;
    node = parent;
  }
  finish();
  chain->top = node;
  const uint64_t beyond = count - near.size();
  const uint64_t kept = std::min<uint64_t>(beyond, kHalf);
  for (uint64_t i = 0; i < kept; ++i) {
    chain->runs.push_back(far[(beyond - 1 - i) % kHalf]);
  }
  chain->runs.insert(chain->runs.end(), near.rbegin(), near.rend());
  chain->cut = beyond - kept;
  return true;
}

void Ways::FindAddresses(const std::vector<Chain>& chains) {
  std::vector<bool> wanted(index_->node_count());
  for (const Chain& chain : chains) {
    if (chain.top == kNoNode) continue;
    wanted[chain.block] = wanted[chain.top] = true;
    if (!chain.runs.empty()) wanted[marker_->ParentOf(chain.block)] = true;
    if (chain.holder != kNoNode) wanted[chain.holder] = true;
    for (const Run& run : chain.runs) wanted[run.first] = wanted[run.next] = true;
  }
  index_->ForEach([&](Block block) {
    if (wanted[block.node]) addresses_[block.node] = block.start;
  });
}

// REQUIRES: `word` points to `block`.
bool Ways::Better(uint64_t word, Block block, Found* found) const {
  if (found->rank == 0 || (found->rank == 1 && word != block.start)) return false;
  const PointerIdiom idiom = idioms_->Explain(word, block);
  int rank = 2;
  if (idiom == PointerIdiom::kStart) rank = 0;
  if (idiom > PointerIdiom::kStart && idiom < PointerIdiom::kInterior) rank = 1;
  if (rank >= found->rank) return false;
  found->rank = rank;
  found->pointer = word;
  found->idiom = idiom;
  return true;
}

Ways::Found Ways::FindIn(uint32_t holder, uint32_t node) {
  Found found;
  const Block from = BlockOf(holder), block = BlockOf(node);
  const uint64_t size = std::max<uint64_t>(index_->SizeOf(node), 1);
  uint64_t at = (from.start + 7) / 8 * 8;
  const uint64_t end = (from.start + index_->SizeOf(holder)) / 8 * 8;
  uint64_t begin = 0, present = 0;
  while (!memory_->Stopped() && found.rank != 0 && at < end &&
         memory_->NextPresent(at, end, &begin, &present)) {
    const size_t bytes = std::min<uint64_t>(present - begin, kBufferBytes);
    const size_t got = memory_->Read(begin, buffer_.data(), bytes) / 8 * 8;
    for (size_t i = 0; i < got && found.rank != 0; i += 8) {
      uint64_t word;
      std::memcpy(&word, buffer_.data() + i, sizeof(word));
      if (word - block.start < size && Better(word, block, &found)) {
        found.at = begin + i;
      }
    }
    at = got == bytes / 8 * 8 ? begin + bytes : (begin + got) / 4096 * 4096 + 4096;
  }
  return found;
}

// One more look through the roots, for the blocks at the tops of the chains.
void Ways::FindRoots(const std::vector<RootRange>& ranges,
                     const std::vector<RootWord>& words) {
  struct Top {
    uint64_t start, size;
    uint32_t node;
    Found* found;
  };
  std::vector<Top> tops;
  for (auto& [node, found] : roots_) {
    tops.push_back({addresses_.at(node),
                    std::max<uint64_t>(index_->SizeOf(node), 1), node, &found});
  }
  std::sort(tops.begin(), tops.end(),
            [](const Top& a, const Top& b) { return a.start < b.start; });
  size_t open = tops.size();
  const auto look = [&](uint64_t word) -> Found* {
    if (!index_->MayPoint(word)) return nullptr;
    const auto after =
        std::upper_bound(tops.begin(), tops.end(), word,
                         [](uint64_t w, const Top& top) { return w < top.start; });
    if (after == tops.begin()) return nullptr;
    const Top& top = *std::prev(after);
    if (word - top.start >= top.size ||
        !Better(word, {top.start, top.node}, top.found)) {
      return nullptr;
    }
    if (top.found->rank == 0) --open;
    return top.found;
  };
  for (const RootRange& range : ranges) {
    uint64_t at = (range.start + 7) / 8 * 8, from = 0, to = 0;
    const uint64_t end = range.end / 8 * 8;
    while (open != 0 && at < end && memory_->NextPresent(at, end, &from, &to)) {
      const size_t bytes = std::min<uint64_t>(to - from, kBufferBytes);
      const size_t got = memory_->Read(from, buffer_.data(), bytes) / 8 * 8;
      for (size_t i = 0; i < got; i += 8) {
        uint64_t word;
        std::memcpy(&word, buffer_.data() + i, sizeof(word));
        if (Found* const found = look(word); found != nullptr) {
          found->root = {range.kind, range.module, from + i - range.bias,
                         range.tid};
        }
      }
      at = got == bytes / 8 * 8 ? from + bytes : (from + got) / 4096 * 4096 + 4096;
    }
  }
  for (const RootWord& word : words) {
    if (Found* const found = look(word.value); found != nullptr) {
      found->root = word.root;
    }
  }
}

void Ways::Describe(const std::vector<RootRange>& ranges,
                    const std::vector<RootWord>& words,
                    const std::vector<LeakGroup*>& groups,
                    const std::vector<uint32_t>& nodes) {
  steps_left_ = std::max<uint64_t>(kMinSteps, 2 * uint64_t{index_->node_count()});
  buffer_.resize(kBufferBytes);
  std::vector<Chain> chains(groups.size());
  for (size_t i = 0; i < groups.size(); ++i) {
    if (!Walk(nodes[i], &chains[i])) chains[i] = {};
  }
  FindAddresses(chains);
  for (const Chain& chain : chains) {
    if (chain.top != kNoNode && chain.holder == kNoNode) roots_[chain.top];
  }
  FindRoots(ranges, words);
  for (size_t i = 0; i < groups.size(); ++i) {
    const Chain& chain = chains[i];
    LeakGroup* const group = groups[i];
    if (chain.top == kNoNode) continue;
    Found last;
    if (chain.holder == kNoNode) {
      last = roots_[chain.top];
      group->root = last.root;
    } else {
      last = FindIn(chain.holder, chain.top);
      group->root = {RootKind::kInherited, 0, last.at, 0};
    }
    for (const Run& run : chain.runs) {
      last = FindIn(run.first, run.next);
      const uint64_t start = addresses_.at(run.first);
      group->way.push_back({run.stack, index_->SizeOf(run.first),
                            last.rank == 3 ? 0 : last.at - start, run.repeats});
    }
    // Of the last run, it's the last block that holds it, not the first.
    if (!chain.runs.empty() && chain.runs.back().next != chain.block) {
      last = FindIn(marker_->ParentOf(chain.block), chain.block);
    }
    group->way_cut = chain.cut;
    if (last.rank == 3) continue;
    group->idiom = last.idiom;
    if (last.idiom == PointerIdiom::kInterior) {
      group->interior_offset = last.pointer - addresses_.at(chain.block);
    }
  }
}

}  // namespace mallogram::leaks
