// A heap in steady state, for measurements that need a big trace or a certain
// shape:
//
//   heap_mix EVENTS [LIVE [STACKS [DEPTH [THREADS]]]]
//
// About EVENTS allocations and frees in all, LIVE blocks (1,000,000) held by all
// threads together, made at STACKS different call stacks (4,096) of DEPTH frames
// (20). First the heap fills up; then half of the steps replace a block that is
// picked at random, nearly half are temporary blocks, one in twenty is a realloc.
// Sizes and stacks are skewed and come in runs, as in programs. The same arguments
// do the same again.
//
// Prints nanoseconds an event and thread, by the wall clock.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <array>
#include <utility>

#include "tests/programs/in_threads.h"

namespace {

constexpr uint32_t kLeaves = 256;  // functions that allocate

struct Request {
  void* old = nullptr;
  size_t size = 0;
  void* block = nullptr;
};

template <size_t kIndex>
[[gnu::noinline]] void Leaf(Request* request) {
  request->block = request->old == nullptr
                       ? malloc(request->size)
                       : realloc(request->old, request->size + kIndex % 2);
  asm volatile("" : : "i"(kIndex) : "memory");  // no two are the same to the linker
}

constexpr auto kLeaf = []<size_t... kIndex>(std::index_sequence<kIndex...>) {
  return std::array<void (*)(Request*), kLeaves>{Leaf<kIndex>...};
}
(std::make_index_sequence<kLeaves>());

// One of two calls at every level, as the bits of `way` say, the lowest innermost:
// the more stacks, the further out they part.
[[gnu::noinline]] void Descend(int left, uint32_t way, uint32_t leaf,
                               Request* request) {
  if (left == 0) {
    kLeaf[leaf](request);
  } else if (left <= 32 && (way >> (left - 1) & 1) != 0) {
    Descend(left - 1, way, leaf, request);
    asm volatile("nop" ::: "memory");
  } else {
    Descend(left - 1, way, leaf, request);
  }
  asm volatile("" ::: "memory");
}

uint64_t events = 0;
uint32_t live = 1'000'000, stacks = 4096;
int depth = 20, threads = 1;

// xorshift64*: the program's own time must stay small.
struct Random {
  uint64_t state;
  uint32_t Below(uint32_t bound) {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return static_cast<uint32_t>(((state * 0x2545f4914f6cdd1dULL >> 32) * bound) >>
                                 32);
  }
};

class Heap {
 public:
  explicit Heap(uint64_t seed) : random_{seed * 0x9e3779b97f4a7c15ULL + 1} {}

  void Run(uint64_t count, uint32_t blocks) {
    auto** held = static_cast<void**>(calloc(blocks, sizeof(void*)));
    uint64_t done = 0;
    for (uint32_t i = 0; i < blocks && done < count; ++i, ++done) {
      held[i] = Allocate(nullptr);
    }
    while (done < count) {
      const uint32_t dice = random_.Below(20);
      void** const block = &held[random_.Below(blocks)];
      const bool moved = dice == 0, temporary = dice >= 1 && dice < 10;
      if (!moved && !temporary) free(*block);
      // One call for all, so that it is not the outermost frames that change.
      void* const made = Allocate(moved ? *block : nullptr);
      if (temporary) {
        free(made);
      } else {
        *block = made;
      }
      done += moved ? 1 : 2;
    }
  }

 private:
  void* Allocate(void* old) {
    if (random_.Below(4) == 0) {
      // Half of the allocations come from an eighth of the stacks.
      const uint32_t bound = random_.Below(2) == 0 ? stacks : stacks / 8 + 1;
      stack_ = random_.Below(bound);
      size_ = 16u << random_.Below(random_.Below(8) + 1);
    }
    Request request{old, size_ + random_.Below(4) * 8, nullptr};
    Descend(depth - 3, stack_ / kLeaves, stack_ % kLeaves, &request);
    return request.block;
  }

  Random random_;
  uint32_t stack_ = 0;
  size_t size_ = 16;
};

void* Work(void* seed) {
  const auto n = static_cast<uint32_t>(threads);
  Heap(reinterpret_cast<uint64_t>(seed)).Run(events / n, live / n + 1);
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 6) return 2;
  events = strtoull(argv[1], nullptr, 10);
  if (argc > 2) live = static_cast<uint32_t>(atoi(argv[2]));
  if (argc > 3) stacks = static_cast<uint32_t>(atoi(argv[3]));
  if (argc > 4) depth = atoi(argv[4]);
  if (argc > 5) threads = atoi(argv[5]);
  if (live < 1 || stacks < 1 || depth < 3 || threads < 1 || threads > kMaxThreads)
    return 2;
  printf("%.1f ns/event\n",
         RunInThreads(threads, Work) * threads / static_cast<double>(events));
  return 0;
}
