// The recording path, case by case, for a machine that counts instructions.
//
//   hot_path WARM COUNT
//
// Every case is a function that does the same thing once for each number of [first,
// last); main calls each twice, WARM times so that rules, memo and stack table know
// it, then COUNT times. tests/preload/instructions_test.py counts from there to
// CaseEnd. The call depth is 20.
#include <alloca.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

namespace {

constexpr int kDepth = 20;
constexpr int kForks = 11;  // of the way to a new stack: 2,048 ends
constexpr int kMaxCount = 1 << kForks;

using Work = void (*)(int first, int last);

void* blocks[kMaxCount];

[[gnu::noinline]] void Pairs(int first, int last) {
  for (int i = first; i < last; ++i) {
    void* p = malloc(64);
    asm volatile("" : "+r"(p) : : "memory");
    free(p);
  }
}

[[gnu::noinline]] void Moves(int first, int last) {
  void* p = malloc(64);
  for (int i = first; i < last; ++i) {
    p = realloc(p, 64);
    asm volatile("" : "+r"(p) : : "memory");
  }
  free(p);
}

[[gnu::noinline]] void Keep(int first, int last) {
  for (int i = first; i < last; ++i) blocks[i] = malloc(64);
}

// Two ways to Pairs, so two frames are new each time (it and the leaf's); one call
// site for both, so that nothing further out changes.
[[gnu::noinline]] void LeftLeaf() {
  Pairs(0, 1);
  asm volatile("" ::: "memory");
}
[[gnu::noinline]] void RightLeaf() {
  Pairs(0, 1);
  asm volatile("nop" ::: "memory");
}
[[gnu::noinline]] void Leaves(int first, int last) {
  void (*const leaves[])() = {LeftLeaf, RightLeaf};
  for (int i = first; i < last; ++i) {
    leaves[i & 1]();
    asm volatile("" ::: "memory");
  }
}

template <int kLevel>
[[gnu::noinline]] void Descend(int depth, Work work, int first, int last) {
  volatile char frame[16 + kLevel % 5 * 24];
  frame[0] = 0;
  if constexpr (kLevel + 1 < kDepth) {
    if (depth > 1) {
      Descend<kLevel + 1>(depth - 1, work, first, last);
      frame[0] = 1;
      return;
    }
  }
  work(first, last);
  frame[0] = 1;
}

// Leads by its own way to an end for each `number`: one of two calls at every fork.
[[gnu::noinline]] void Fork(int left, int number) {
  if (left == 0) {
    Pairs(0, 1);
  } else if ((number >> (left - 1) & 1) != 0) {
    Fork(left - 1, number);
    asm volatile("nop" ::: "memory");
  } else {
    Fork(left - 1, number);
  }
  asm volatile("" ::: "memory");
}
[[gnu::noinline]] void Forks(int first, int last) {
  for (int i = first; i < last; ++i) Fork(kForks, i);
}

// The same frames, alternately here and a little further down.
[[gnu::noinline]] void Shift(int i) {
  auto* shift = static_cast<volatile char*>(alloca(64 + (i & 1) * 1024));
  shift[0] = 0;
  Descend<0>(kDepth - 2, Pairs, 0, 1);
  shift[0] = 1;
}

void* OnePair(void*) {
  Pairs(0, 1);
  return nullptr;
}

}  // namespace

// C names, for callgrind's --dump-before.
extern "C" {
[[gnu::noinline]] void CaseSameStack(int first, int last);
[[gnu::noinline]] void CaseTwoLeaves(int first, int last);
[[gnu::noinline]] void CaseNothingRemembered(int first, int last);
[[gnu::noinline]] void CaseNewStacks(int first, int last);
[[gnu::noinline]] void CaseMove(int first, int last);
[[gnu::noinline]] void CaseFree(int first, int last);
[[gnu::noinline]] void CaseSameStackStamped(int first, int last);
[[gnu::noinline]] void CaseFreeStamped(int first, int last);
[[gnu::noinline]] void CaseEnd();
}

// The stack of the last pair: every remembered frame still holds.
void CaseSameStack(int first, int last) {
  Descend<0>(kDepth - 1, Pairs, first, last);
}

// Two frames to be walked, the other eighteen remembered.
void CaseTwoLeaves(int first, int last) {
  Descend<0>(kDepth - 3, Leaves, first, last);
}

// All frames lie elsewhere than they lay the last time: a walk without memo.
void CaseNothingRemembered(int first, int last) {
  for (int i = first; i < last; ++i) Shift(i);
}

// Stacks that were never seen: two new nodes each, on average.
void CaseNewStacks(int first, int last) {
  Descend<0>(kDepth - kForks - 3, Forks, first, last);
}

// realloc that leaves the block where it is.
void CaseMove(int first, int last) { Descend<0>(kDepth - 1, Moves, first, last); }

// Frees alone: nothing but the ring.
void CaseFree(int first, int last) {
  for (int i = first; i < last; ++i) free(blocks[i]);
}

// The same pairs and frees after a second thread's: each event is stamped.
void CaseSameStackStamped(int first, int last) {
  Descend<0>(kDepth - 1, Pairs, first, last);
}
void CaseFreeStamped(int first, int last) {
  for (int i = first; i < last; ++i) free(blocks[i]);
}

void CaseEnd() { asm volatile("" ::: "memory"); }

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const int warm = atoi(argv[1]), end = warm + atoi(argv[2]);
  if (warm < 2 || end <= warm || end > kMaxCount) return 2;
  const auto twice = [warm, end](Work work) {
    work(0, warm);
    work(warm, end);
    CaseEnd();
  };
  twice(CaseSameStack);
  twice(CaseTwoLeaves);
  twice(CaseNothingRemembered);
  twice(CaseNewStacks);
  twice(CaseMove);
  Keep(0, end);
  twice(CaseFree);

  pthread_t thread;
  if (pthread_create(&thread, nullptr, OnePair, nullptr) != 0) return 3;
  pthread_join(thread, nullptr);
  twice(CaseSameStackStamped);
  Keep(0, end);
  twice(CaseFreeStamped);
  return 0;
}
