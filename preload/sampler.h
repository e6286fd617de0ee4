// Sampling (record --sample): which blocks are followed, decided before any stack
// is walked, and which frees are theirs.
//
// Poisson by bytes, as tcmalloc and heapprofd do it: points lie on the bytes that a
// thread allocates, one in `interval` on average, and a block that holds one is
// followed. The gap to the next point is drawn when a point is met, and has no
// memory, so each block of `size` bytes is followed, independently of all others,
// with the probability
//
//     p(size) = 1 - exp(-max(size, 1) / interval)
//
// exactly; it then stands for 1/p blocks of its kind (Horvitz and Thompson). An
// empty block counts as one byte, or it could never be met.
//
// Cost of a block that is not followed: a load, a compare, a subtract, a store on
// the thread's own line. Of its free: a load and a compare in a table of 64 KiB of
// which a heap touches one line per 256 KiB.
//
// The followed blocks' addresses are in SampledBlocks, exactly: neither is the free
// of one missed, nor another's recorded. A block is put in before the program gets
// it and taken out before its real free, so its address's next owner finds it gone.
// Lock-free; a signal handler may interrupt anything here. Bounded: a block for
// which there is no room is not followed, and counted as lost.
//
// A forked child starts with an empty set, since its trace knows none of its
// parent's blocks; a vfork child is its parent.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace mallogram {

// A thread's private state: bytes to the next point, and the generator.
struct SampleDraw {
  uint64_t left;
  uint64_t random;

  // True if a block of `size` bytes holds no point, which is then nearer by it. If
  // it holds one, nothing is changed: Renew is due, unless there is no block after
  // all (the allocator refused it).
  bool Pass(size_t size) {
    const uint64_t bytes = size + (size == 0 ? 1 : 0);
    if (bytes > left) [[unlikely]]
      return false;
    left -= bytes;
    return true;
  }

  // The generator's start; `stream` tells the threads of one process apart.
  void Seed(uint64_t seed, uint64_t stream);
  // Draws the distance to the next point.
  void Renew(uint64_t interval);
};

// Larger ones have no use and would overflow a draw.
inline constexpr uint64_t kMaxSampleInterval = uint64_t{1} << 40;

// The addresses of the blocks that are followed.
class SampledBlocks {
 public:
  // Maps the first levels. False: no memory.
  // In a forked child: forgets what its parent followed.
  bool Init();
  // Makes MayHold true for all of these addresses for good.
  void AlwaysHold(const void* begin, size_t bytes);

  // False: `p` is surely not followed.
  bool MayHold(const void* p) const {
    return pages_[PageOf(p)].load(std::memory_order_relaxed) != 0;
  }
  // Follows `p`. False: no room.
  bool Add(const void* p);
  // Forgets `p`. False: it was not followed.
  bool Take(const void* p);

 private:
  // Levels of growing size; one is used when the line of the one before is full.
  // Small heaps stay in the cache, and no table is ever moved.
  static constexpr int kLevels = 4;
  static constexpr int kLineBits[kLevels] = {9, 12, 15, 18};
  static constexpr int kLineSlots = 8;
  static constexpr size_t kPages = 1 << 16;
  // A count that has come this far stays: it only costs its page's frees a look.
  static constexpr uint8_t kForGood = 255;

  static constexpr int kFirstLevels = 2;

  static size_t LevelBytes(int level) {
    return size_t{kLineSlots * 8} << kLineBits[level];
  }
  // Maps it if it is not there. False: it can't be now.
  bool MakeLevel(int level);
  static size_t PageOf(const void* p) {
    return (reinterpret_cast<uint64_t>(p) >> 12) & (kPages - 1);
  }
  std::atomic<uint64_t>* LineOf(int level, uint64_t address) const;
  void CountPage(size_t page);
  void UncountPage(size_t page);

  // Followed blocks by page, modulo kPages: neighbours in memory are neighbours
  // here.
  std::atomic<uint8_t> pages_[kPages] = {};
  std::atomic<std::atomic<uint64_t>*> levels_[kLevels] = {};
  std::atomic<int> levels_used_{0};
};

// For threads that have drawn nothing yet: every block is looked at.
[[gnu::visibility("hidden")]] extern SampleDraw g_no_draw;
[[gnu::visibility("hidden")]] extern thread_local constinit SampleDraw* t_draw;
[[gnu::visibility("hidden")]] extern SampledBlocks g_sampled;

}  // namespace mallogram
