#include "preload/sampler.h"

#include "preload/may_call.h"
#include "preload/sys.h"

namespace mallogram {
namespace {

constexpr uint64_t kGolden = 0x9e3779b97f4a7c15;

// SplitMix64 (Steele, Lea, Flood, 2014): every 64-bit number once in its period.
uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

uint64_t Next(uint64_t* state) { return Mix(*state += kGolden); }

}  // namespace

constinit SampleDraw g_no_draw = {};
thread_local constinit SampleDraw* t_draw = &g_no_draw;
constinit SampledBlocks g_sampled;

void SampleDraw::Seed(uint64_t seed, uint64_t stream) {
  random = Mix(seed ^ Mix(stream + kGolden));
}

// An exponential variate from comparisons of uniform ones alone (von Neumann,
// 1951): exact to 2^-64, where a table or a polynomial for the logarithm would be
// an approximation. Given its first number x, a falling run has odd length with the
// probability exp(-x); runs of even length add 1 and start again. Six numbers on
// average.
void SampleDraw::Renew(uint64_t interval) {
  for (uint64_t whole = 0;; ++whole) {
    const uint64_t first = Next(&random);
    bool odd = true;
    for (uint64_t last = first, next; (next = Next(&random)) < last; last = next) {
      odd = !odd;
    }
    if (!odd) continue;
    // Rounded down the gap is geometric, which has no memory over whole bytes:
    // P(left >= n) = exp(-n / interval) for every whole n.
    using Wide = unsigned __int128;
    left = whole * interval + static_cast<uint64_t>(Wide{first} * interval >> 64);
    return;
  }
}

bool SampledBlocks::Init() {
  for (std::atomic<uint8_t>& count : pages_) {
    if (count.load(std::memory_order_relaxed) != 0) {
      count.store(0, std::memory_order_relaxed);
    }
  }
  levels_used_.store(0, std::memory_order_relaxed);
  // In a forked child they are there, and the kernel has wiped them.
  for (int level = 0; level < kFirstLevels; ++level) {
    if (!MakeLevel(level)) return level != 0;
  }
  return true;
}

bool SampledBlocks::MakeLevel(int level) {
  if (levels_[level].load(std::memory_order_acquire) != nullptr) return true;
  if (!MayCall()) return false;
  void* const p = sys::MapPrivate(LevelBytes(level), /*wipe_on_fork=*/true);
  if (p == nullptr) return false;
  std::atomic<uint64_t>* none = nullptr;
  if (!levels_[level].compare_exchange_strong(
          none, static_cast<std::atomic<uint64_t>*>(p),
          std::memory_order_acq_rel)) {
    sys::Unmap(p, LevelBytes(level));  // another thread was first
  }
  return true;
}

void SampledBlocks::AlwaysHold(const void* begin, size_t bytes) {
  const auto first = reinterpret_cast<uint64_t>(begin);
  for (uint64_t at = first & ~uint64_t{4095}; at < first + bytes; at += 4096) {
    pages_[PageOf(reinterpret_cast<const void*>(at))].store(
        kForGood, std::memory_order_relaxed);
  }
}

std::atomic<uint64_t>* SampledBlocks::LineOf(int level, uint64_t address) const {
  const uint64_t line = (address >> 4) * kGolden >> (64 - kLineBits[level]);
  return levels_[level].load(std::memory_order_relaxed) + line * kLineSlots;
}

void SampledBlocks::CountPage(size_t page) {
  uint8_t count = pages_[page].load(std::memory_order_relaxed);
  while (count != kForGood &&
         !pages_[page].compare_exchange_weak(count, static_cast<uint8_t>(count + 1),
                                             std::memory_order_relaxed)) {
  }
}

void SampledBlocks::UncountPage(size_t page) {
  uint8_t count = pages_[page].load(std::memory_order_relaxed);
  while (count != kForGood &&
         !pages_[page].compare_exchange_weak(count, static_cast<uint8_t>(count - 1),
                                             std::memory_order_relaxed)) {
  }
}

// Who frees the block got it, in some way that orders memory, from who was given
// it: what is stored here before that is seen there. Relaxed order is enough.
bool SampledBlocks::Add(const void* p) {
  const auto address = reinterpret_cast<uint64_t>(p);
  CountPage(PageOf(p));
  for (int level = 0; level < kLevels && MakeLevel(level); ++level) {
    int used = levels_used_.load(std::memory_order_relaxed);
    while (used <= level && !levels_used_.compare_exchange_weak(
                                used, level + 1, std::memory_order_relaxed)) {
    }
    std::atomic<uint64_t>* const line = LineOf(level, address);
    for (int i = 0; i < kLineSlots; ++i) {
      uint64_t free = 0;
      if (line[i].load(std::memory_order_relaxed) == 0 &&
          line[i].compare_exchange_strong(free, address,
                                          std::memory_order_relaxed)) {
        return true;
      }
    }
  }
  UncountPage(PageOf(p));
  return false;
}

bool SampledBlocks::Take(const void* p) {
  if (!MayHold(p)) return false;
  auto address = reinterpret_cast<uint64_t>(p);
  const int used = levels_used_.load(std::memory_order_relaxed);
  for (int level = 0; level < used; ++level) {
    std::atomic<uint64_t>* const line = LineOf(level, address);
    for (int i = 0; i < kLineSlots; ++i) {
      if (line[i].load(std::memory_order_relaxed) != address) continue;
      // Two threads that free one block: one of them has it.
      uint64_t expected = address;
      if (!line[i].compare_exchange_strong(expected, 0, std::memory_order_relaxed))
        return false;
      UncountPage(PageOf(p));
      return true;
    }
  }
  return false;
}

}  // namespace mallogram
