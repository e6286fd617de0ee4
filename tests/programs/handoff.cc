// Blocks that are allocated on one thread and freed on another:
//
//   handoff BLOCKS [PAIRS [DEPTH]]
//
// Each of PAIRS producers (4) allocates BLOCKS blocks, DEPTH calls deep (10), and
// passes them in batches to a consumer of its own, which checks and frees them in
// another order than they came. Prints what was allocated and freed, as the threads
// counted it, as JSON: the blocks are known, so a recording can be checked. Nothing
// else allocates but the creation of the threads.
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

namespace {

constexpr int kMaxPairs = 32;
constexpr uint64_t kBatch =
    256;  // blocks; large enough that waking is not the work
constexpr uint64_t kBatches = 8;  // on their way at most

struct Counts {
  uint64_t blocks = 0, bytes = 0;
};

// Between one producer and its consumer. Blocks wait in `slots`, batch by batch.
struct alignas(64) Pair {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
  uint64_t filled = 0, emptied = 0;  // batches; guarded by the mutex
  uint64_t* slots[kBatches][kBatch] = {};
  Counts allocated, freed;
};

Pair pairs[kMaxPairs];
uint64_t batches = 0;
int depth = 10;

uint64_t SizeOf(uint64_t i) { return 16 + (i & 15) * 16; }

[[gnu::noinline]] uint64_t* MakeBlock(uint64_t i) {
  uint64_t* block = static_cast<uint64_t*>(malloc(SizeOf(i)));
  if (block == nullptr) abort();
  block[0] = i;
  return block;
}

[[gnu::noinline]] void Produce(Pair& pair) {
  for (uint64_t batch = 0; batch < batches; ++batch) {
    pthread_mutex_lock(&pair.mutex);
    while (pair.filled - pair.emptied == kBatches) {
      pthread_cond_wait(&pair.changed, &pair.mutex);
    }
    pthread_mutex_unlock(&pair.mutex);
    for (uint64_t k = 0; k < kBatch; ++k) {
      const uint64_t i = batch * kBatch + k;
      pair.slots[batch % kBatches][k] = MakeBlock(i);
      ++pair.allocated.blocks;
      pair.allocated.bytes += SizeOf(i);
    }
    pthread_mutex_lock(&pair.mutex);
    ++pair.filled;
    pthread_cond_signal(&pair.changed);
    pthread_mutex_unlock(&pair.mutex);
  }
}

[[gnu::noinline]] void Consume(Pair& pair) {
  for (uint64_t batch = 0; batch < batches; ++batch) {
    pthread_mutex_lock(&pair.mutex);
    while (pair.filled == pair.emptied) {
      pthread_cond_wait(&pair.changed, &pair.mutex);
    }
    pthread_mutex_unlock(&pair.mutex);
    for (uint64_t k = 0; k < kBatch; ++k) {
      // 7 and 256 have no common factor: every slot, none twice.
      const uint64_t slot = k * 7 % kBatch;
      const uint64_t i = batch * kBatch + slot;
      uint64_t* block = pair.slots[batch % kBatches][slot];
      if (block[0] != i) abort();
      free(block);
      ++pair.freed.blocks;
      pair.freed.bytes += SizeOf(i);
    }
    pthread_mutex_lock(&pair.mutex);
    ++pair.emptied;
    pthread_cond_signal(&pair.changed);
    pthread_mutex_unlock(&pair.mutex);
  }
}

[[gnu::noinline]] void Descend(int levels, Pair& pair) {
  if (levels > 1) {
    Descend(levels - 1, pair);
  } else {
    Produce(pair);
  }
  asm volatile("" : : : "memory");  // stays a call
}

void* Producer(void* pair) {
  Descend(depth, *static_cast<Pair*>(pair));
  return nullptr;
}

void* Consumer(void* pair) {
  Consume(*static_cast<Pair*>(pair));
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  batches = (strtoull(argv[1], nullptr, 10) + kBatch - 1) / kBatch;
  const int count = argc > 2 ? atoi(argv[2]) : 4;
  depth = argc > 3 ? atoi(argv[3]) : 10;
  if (count < 1 || count > kMaxPairs || depth < 1 || depth > 10'000) return 2;
  pthread_t producers[kMaxPairs], consumers[kMaxPairs];
  for (int i = 0; i < count; ++i) {
    if (pthread_create(&consumers[i], nullptr, Consumer, &pairs[i]) != 0 ||
        pthread_create(&producers[i], nullptr, Producer, &pairs[i]) != 0) {
      return 3;
    }
  }
  Counts allocated, freed;
  for (int i = 0; i < count; ++i) {
    pthread_join(producers[i], nullptr);
    pthread_join(consumers[i], nullptr);
    allocated.blocks += pairs[i].allocated.blocks;
    allocated.bytes += pairs[i].allocated.bytes;
    freed.blocks += pairs[i].freed.blocks;
    freed.bytes += pairs[i].freed.bytes;
  }
  printf("{\"allocations\": %llu, \"bytes\": %llu, \"frees\": %llu}\n",
         static_cast<unsigned long long>(allocated.blocks),
         static_cast<unsigned long long>(allocated.bytes),
         static_cast<unsigned long long>(freed.blocks));
  return freed.blocks == allocated.blocks && freed.bytes == allocated.bytes ? 0 : 1;
}
