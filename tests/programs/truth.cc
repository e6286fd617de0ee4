// Allocations known by construction, at any number of threads:
//
//   truth THREADS ROUNDS
//
// Every thread runs the same rounds: temporaries, realloc chains, aligned blocks,
// operator new, and blocks that it hands to its right neighbour through a queue,
// which frees or moves them there. At the end some blocks stay alive. Between two
// barriers, with every thread at rest, the heap is taken to its peak.
//
// Nothing but the counted functions allocates while threads run, so a block's
// being "temporary" (freed by its thread before that thread's next allocation) is
// known too. A realloc frees its block just before it allocates, so the blocks of
// a realloc chain are temporary.
#include <malloc.h>
#include <pthread.h>
#include <sched.h>

#include <new>

#include "tests/programs/site.h"

namespace {

SITE(SiteTemporary);
SITE(SitePairFirst);
SITE(SitePairSecond);
SITE(SiteCalloc);
SITE(SiteChain);
SITE(SitePosixMemalign);
SITE(SiteAlignedAlloc);
SITE(SiteMemalign);
SITE(SiteValloc);
SITE(SiteNew);
SITE(SiteNewArray);
SITE(SiteNewAligned);
SITE(SiteSeparator);
SITE(SiteHanded);
SITE(SiteHandedMoved);
SITE(SiteKept);
SITE(SitePeak);

void Release(truth::Site& site, void* p, size_t size, bool temporary = false) {
  site.Freed(size);
  if (temporary) site.temporary.fetch_add(1, std::memory_order_relaxed);
  free(p);
}

COUNTED void* SiteTemporary(size_t n) { ALLOCATE(SiteTemporary, malloc(n), n); }
COUNTED void* SitePairFirst() { ALLOCATE(SitePairFirst, malloc(48), 48); }
COUNTED void* SitePairSecond() { ALLOCATE(SitePairSecond, malloc(48), 48); }
COUNTED void* SiteCalloc(size_t n) { ALLOCATE(SiteCalloc, calloc(n, 8), n * 8); }
COUNTED void* SitePosixMemalign() {
  void* block = nullptr;
  if (posix_memalign(&block, 256, 100) != 0) abort();
  ALLOCATE(SitePosixMemalign, block, 100);
}
COUNTED void* SiteAlignedAlloc() {
  ALLOCATE(SiteAlignedAlloc, aligned_alloc(64, 192), 192);
}
COUNTED void* SiteMemalign() { ALLOCATE(SiteMemalign, memalign(32, 77), 77); }
COUNTED void* SiteValloc() { ALLOCATE(SiteValloc, valloc(300), 300); }
COUNTED void* SiteNew() { ALLOCATE(SiteNew, ::operator new(40), 40); }
COUNTED void* SiteNewArray() { ALLOCATE(SiteNewArray, ::operator new[](400), 400); }
COUNTED void* SiteNewAligned() {
  ALLOCATE(SiteNewAligned, ::operator new (256, std::align_val_t{128}), 256);
}
COUNTED void* SiteSeparator() { ALLOCATE(SiteSeparator, malloc(8), 8); }
COUNTED void* SiteHanded(size_t n) { ALLOCATE(SiteHanded, malloc(n), n); }
COUNTED void* SiteKept(size_t n) { ALLOCATE(SiteKept, malloc(n), n); }
COUNTED void* SitePeak(size_t n) { ALLOCATE(SitePeak, malloc(n), n); }

// realloc from nothing to `steps` × 100 bytes and down again.
COUNTED void SiteChain(int steps) {
  void* p = nullptr;
  size_t size = 0;
  for (int i = 1; i <= 2 * steps; ++i) {
    const size_t next =
        static_cast<size_t>(i <= steps ? i : 2 * steps - i + 1) * 100;
    p = realloc(p, next);
    if (p == nullptr) abort();
    if (size == 0) {
      SiteChain_account.Allocated(next);
    } else {
      SiteChain_account.Moved(size, next);
      SiteChain_account.temporary.fetch_add(1, std::memory_order_relaxed);
    }
    size = next;
  }
  Release(SiteChain_account, p, size, true);
}

// Takes over another thread's block: the old one is freed at its site, the new
// one allocated here. Not a move of this site's own block, and no temporary.
COUNTED void* SiteHandedMoved(void* p, size_t from, size_t to) {
  SiteHanded_account.Freed(from);
  p = Keep(realloc(p, to));
  if (p == nullptr) abort();
  SiteHandedMoved_account.Allocated(to);
  SiteHandedMoved_account.moves.fetch_add(1, std::memory_order_relaxed);
  return p;
}

// ---- hand-over ------------------------------------------------------------

// A bounded queue with one reader and one writer; spins, never allocates.
struct Queue {
  static constexpr uint64_t kSlots = 64;
  std::atomic<uint64_t> written{0}, read{0};
  struct {
    void* p;
    size_t size;
  } slots[kSlots];

  bool Push(void* p, size_t size) {
    const uint64_t at = written.load(std::memory_order_relaxed);
    if (at - read.load(std::memory_order_acquire) == kSlots) return false;
    slots[at % kSlots] = {p, size};
    written.store(at + 1, std::memory_order_release);
    return true;
  }
  bool Pop(void** p, size_t* size) {
    const uint64_t at = read.load(std::memory_order_relaxed);
    if (at == written.load(std::memory_order_acquire)) return false;
    *p = slots[at % kSlots].p;
    *size = slots[at % kSlots].size;
    read.store(at + 1, std::memory_order_release);
    return true;
  }
};

constexpr int kMaxThreads = 64;
int threads = 1, rounds = 1;
Queue queues[kMaxThreads];  // [i]: to thread i
void* kept[kMaxThreads][4];
pthread_barrier_t barrier;

// Frees what the left neighbour sent; every third block is moved first. Returns
// how many came so far.
int TakeIn(int self, int seen) {
  void* p;
  size_t size;
  while (queues[self].Pop(&p, &size)) {
    if (++seen % 3 == 0) {
      p = SiteHandedMoved(p, size, size + 500);
      Release(SiteHandedMoved_account, p, size + 500, true);
    } else {
      Release(SiteHanded_account, p, size);
    }
  }
  return seen;
}

int HandOver(int self, size_t size, int seen) {
  void* p = SiteHanded(size);
  // Whoever frees p, it is not this thread's last allocation any more.
  static thread_local void* separator = nullptr;
  void* previous = separator;
  separator = SiteSeparator();
  if (previous != nullptr) Release(SiteSeparator_account, previous, 8);
  while (!queues[(self + 1) % threads].Push(p, size)) {
    seen = TakeIn(self, seen);
    sched_yield();
  }
  return seen;
}

int Round(int self, int round, int seen) {
  const size_t n = static_cast<size_t>(round % 97) + 1;
  for (int i = 0; i < 3; ++i) {
    Release(SiteTemporary_account, SiteTemporary(n), n, true);
  }
  void* first = SitePairFirst();
  void* second = SitePairSecond();
  Release(SitePairFirst_account, first, 48);
  Release(SitePairSecond_account, second, 48, true);
  void* zeroed = SiteCalloc(n);
  SiteChain(5);
  Release(SiteCalloc_account, zeroed, n * 8);
  void* aligned[] = {SitePosixMemalign(), SiteAlignedAlloc(), SiteMemalign(),
                     SiteValloc()};
  Release(SitePosixMemalign_account, aligned[0], 100);
  Release(SiteAlignedAlloc_account, aligned[1], 192);
  Release(SiteMemalign_account, aligned[2], 77);
  Release(SiteValloc_account, aligned[3], 300, true);
  void* one = SiteNew();
  void* many = SiteNewArray();
  void* wide = SiteNewAligned();
  SiteNewAligned_account.Freed(256);
  SiteNewAligned_account.temporary.fetch_add(1, std::memory_order_relaxed);
  ::operator delete (wide, std::align_val_t{128});
  SiteNewArray_account.Freed(400);
  ::operator delete[](many);
  SiteNew_account.Freed(40);
  ::operator delete(one);
  for (int i = 0; i < 4; ++i) {
    seen = TakeIn(self, HandOver(self, n * 16, seen));
  }
  if (round < 4) kept[self][round] = SiteKept(n + 1000);
  return seen;
}

int TakeAll(int self, int expected, int seen) {
  while (seen < expected) {
    seen = TakeIn(self, seen);
    sched_yield();
  }
  return seen;
}

void* Thread(void* argument) {
  const int self = static_cast<int>(reinterpret_cast<intptr_t>(argument));
  int seen = 0;
  for (int round = 0; round < rounds; ++round) {
    if (round == rounds / 2) {
      // Nobody may wait here while its neighbour finds the queue full.
      seen = TakeAll(self, 4 * round, seen);
      pthread_barrier_wait(&barrier);
      if (self == 0) {
        void* peak = SitePeak(64 << 20);
        truth::NotePeak();
        Release(SitePeak_account, peak, 64 << 20, true);
      }
      pthread_barrier_wait(&barrier);
    }
    seen = Round(self, round, seen);
  }
  TakeAll(self, 4 * rounds, seen);
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  threads = atoi(argv[1]);
  rounds = atoi(argv[2]);
  if (threads < 1 || threads > kMaxThreads || rounds < 4) return 2;
  pthread_barrier_init(&barrier, nullptr, static_cast<unsigned>(threads));
  pthread_t ids[kMaxThreads];
  for (intptr_t i = 1; i < threads; ++i) {
    if (pthread_create(&ids[i], nullptr, Thread, reinterpret_cast<void*>(i)) != 0) {
      return 3;
    }
  }
  Thread(nullptr);
  for (int i = 1; i < threads; ++i) pthread_join(ids[i], nullptr);
  truth::Write("truth");
  puts("done");
  return 0;
}
