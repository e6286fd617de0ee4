// A heap whose totals are known and whose sites differ in what makes sampling hard:
// sizes far below, around and far above the sampling interval (64 KiB in the test),
// few blocks, none but empty ones, frees by another thread, reallocs that grow,
// shrink and change hands.
//
//   sampled SEED_OF_NOTHING...   (arguments are ignored)
//
// Every block is freed, moved or kept by rule, so the accounts are the same in
// every run; what differs is the sample. Two threads, one after the other in
// phases, so that each one's sequence of blocks is the same, too.
#include <pthread.h>

#include "tests/programs/site.h"

namespace {

SITE(SiteTiny);
SITE(SiteSmall);
SITE(SiteMedium);
SITE(SiteAround);
SITE(SiteLarge);
SITE(SiteFew);
SITE(SiteEmpty);
SITE(SiteZeroed);
SITE(SiteAligned);
SITE(SiteHanded);
SITE(SiteChain);
SITE(SiteMoved);
SITE(SitePeak);

COUNTED void* SiteTiny(size_t n) { ALLOCATE(SiteTiny, malloc(n), n); }
COUNTED void* SiteSmall(size_t n) { ALLOCATE(SiteSmall, malloc(n), n); }
COUNTED void* SiteMedium(size_t n) { ALLOCATE(SiteMedium, malloc(n), n); }
COUNTED void* SiteAround(size_t n) { ALLOCATE(SiteAround, malloc(n), n); }
COUNTED void* SiteLarge(size_t n) { ALLOCATE(SiteLarge, malloc(n), n); }
COUNTED void* SiteFew(size_t n) { ALLOCATE(SiteFew, malloc(n), n); }
COUNTED void* SiteEmpty(size_t n) { ALLOCATE(SiteEmpty, malloc(n), n); }
COUNTED void* SiteZeroed(size_t n) { ALLOCATE(SiteZeroed, calloc(n, 8), n * 8); }
COUNTED void* SiteAligned(size_t n) {
  ALLOCATE(SiteAligned, aligned_alloc(64, n), n);
}
COUNTED void* SiteHanded(size_t n) { ALLOCATE(SiteHanded, malloc(n), n); }
COUNTED void* SitePeak(size_t n) { ALLOCATE(SitePeak, malloc(n), n); }

// realloc from nothing to `steps` * 200 bytes.
COUNTED void* SiteChain(size_t steps) {
  void* p = nullptr;
  for (size_t i = 1; i <= steps; ++i) {
    asm volatile("" : "+r"(i));  // no round of its own for the first: one call site
    p = Keep(realloc(p, i * 200));
    if (p == nullptr) abort();
    if (i == 1) {
      SiteChain_account.Allocated(200);
    } else {
      SiteChain_account.Moved((i - 1) * 200, i * 200);
    }
  }
  return p;
}

// Takes a block over from SiteHanded.
COUNTED void* SiteMoved(void* p, size_t from, size_t to) {
  SiteHanded_account.Freed(from);
  p = Keep(realloc(p, to));
  if (p == nullptr) abort();
  SiteMoved_account.Allocated(to);
  return p;
}

constexpr size_t kMost = 200'000;
struct Blocks {
  void* p[kMost];
  size_t size[kMost];
  size_t count;
};
Blocks tiny, small, medium, around, large, empty, zeroed, aligned, handed, chains;

void Fill(Blocks* blocks, void* (*site)(size_t), size_t count, size_t least,
          size_t step, size_t kinds, size_t unit = 1) {
  for (size_t i = 0; i < count; ++i) {
    const size_t n = least + i * 7919 % kinds * step;
    blocks->p[i] = site(n);
    blocks->size[i] = n * unit;
  }
  blocks->count = count;
}

// Frees every block but each `kept`-th (0: all).
void Drain(Blocks* blocks, truth::Site& site, size_t kept) {
  for (size_t i = 0; i < blocks->count; ++i) {
    if (kept != 0 && i % kept == 0) continue;
    site.Freed(blocks->size[i]);
    free(blocks->p[i]);
  }
}

// The second thread: frees and moves what the first has allocated.
void* Receive(void*) {
  for (size_t i = 0; i < handed.count; ++i) {
    const size_t n = handed.size[i];
    if (i % 4 == 0) continue;
    if (i % 4 == 1) {
      SiteHanded_account.Freed(n);
      free(handed.p[i]);
    } else {
      // Smaller or larger; some of them end here, some stay.
      const size_t to = i % 4 == 2 ? n / 2 : n * 3;
      handed.p[i] = SiteMoved(handed.p[i], n, to);
      if (i % 8 >= 4) {
        SiteMoved_account.Freed(to);
        free(handed.p[i]);
      }
    }
  }
  Fill(&around, SiteAround, 150, 20'000, 1000, 90);
  return nullptr;
}

void* Fail() { return Keep(realloc(malloc(100), static_cast<size_t>(-1) / 4)); }

}  // namespace

int main() {
  Fill(&tiny, SiteTiny, 200'000, 1, 5, 20);
  Fill(&small, SiteSmall, 4000, 100, 37, 60);
  Fill(&medium, SiteMedium, 400, 4000, 500, 50);
  Fill(&large, SiteLarge, 40, 100'000, 50'000, 20);
  Fill(&empty, SiteEmpty, 200'000, 0, 0, 1);
  Fill(&zeroed, SiteZeroed, 3000, 10, 11, 90, 8);
  Fill(&aligned, SiteAligned, 3000, 64, 64, 30);
  Fill(&handed, SiteHanded, 8000, 40, 20, 60);
  for (size_t i = 0; i < 500; ++i) {
    asm volatile("" : "+r"(i));  // not unrolled: one call site
    chains.p[i] = SiteChain(10);
    chains.size[i] = 2000;
  }
  chains.count = 500;
  pthread_t thread;
  if (pthread_create(&thread, nullptr, Receive, nullptr) != 0) return 3;
  pthread_join(thread, nullptr);
  void* few = nullptr;
  for (int i = 0; i < 64; ++i) {
    asm volatile("" : "+r"(i));  // not unrolled: one call site
    few = SiteFew(1000);
  }
  (void)few;
  if (Fail() != nullptr) return 4;
  void* peak = SitePeak(64 << 20);
  truth::NotePeak();
  SitePeak_account.Freed(64 << 20);
  free(peak);
  Drain(&tiny, SiteTiny_account, 3);
  Drain(&small, SiteSmall_account, 2);
  Drain(&medium, SiteMedium_account, 5);
  Drain(&around, SiteAround_account, 2);
  Drain(&large, SiteLarge_account, 4);
  Drain(&empty, SiteEmpty_account, 2);
  Drain(&zeroed, SiteZeroed_account, 0);
  Drain(&aligned, SiteAligned_account, 3);
  Drain(&chains, SiteChain_account, 2);
  truth::Write("sampled");
  return 0;
}
