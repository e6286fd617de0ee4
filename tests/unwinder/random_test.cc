// Memoized against plain walks over random call graphs: they may never differ.
//
// A random program of calls, returns, walks, coroutine switches, longjmps and
// thread changes. All functions below use frames of different kinds; their
// arguments are random, so saved registers and return addresses change at any
// depth. The planted bug (no slot is compared any more) must be caught by the same
// comparison, or the test would prove nothing.
#include <gtest/gtest.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <cstdlib>
#include <random>

#include "tests/unwinder/harness.h"

namespace mallogram::testing {
namespace {

struct Random {
  uint64_t state;
  uint64_t Next() {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
  }
  uint32_t Below(uint32_t n) { return static_cast<uint32_t>((Next() >> 20) % n); }
};

constexpr int kRoutines = 4;
constexpr int kMaxDepth = 60;

struct World {
  Random random{0x1234567};
  Checker checker;
  uint64_t budget = 0;
  bool plant = false;
  ucontext_t main, routines[kRoutines];
  bool inside = false;  // in a coroutine
  int current = 0;
  jmp_buf jump;
  bool jump_set = false;
};
World* g;

void Mutate(int depth);

[[gnu::noinline]] void CheckHere() {
  if (g->budget > 0) --g->budget;
  g->checker.Check();
  if (g->plant) PlantStaleMemo(&g->checker.walker);
  asm volatile("" ::: "memory");
}

// Different frames with calls at several places each: the same function then
// stands on the stack with different return addresses at one stack pointer.
#define KEEP() asm volatile("" ::: "memory")

[[gnu::noinline]] int Small(int depth) {
  if (g->random.Below(2) != 0) {
    Mutate(depth);
    KEEP();
    return 1;
  }
  Mutate(depth);
  KEEP();
  return 2;
}

[[gnu::noinline]] int Saves(int depth, int a, int b, int c, int d) {
  const int before = a * b + c;
  Mutate(depth);
  if (before % 3 == 0) Mutate(depth);
  KEEP();
  return before + d;
}

[[gnu::noinline]] int Large(int depth) {
  volatile char buffer[500];
  buffer[depth] = 1;
  Mutate(depth);
  KEEP();
  return buffer[depth];
}

[[gnu::noinline]] int Variable(int depth, uint32_t bytes) {
  auto* p = static_cast<volatile char*>(alloca(bytes));
  p[0] = 1;
  Mutate(depth);
  KEEP();
  return p[0];
}

[[gnu::noinline]] int Wide(int depth) {
  alignas(64) volatile char buffer[64];
  buffer[0] = 1;
  if (depth % 2 == 0) {
    Mutate(depth);
  } else {
    Small(depth);
  }
  KEEP();
  return buffer[0];
}

[[gnu::noinline]] void Catching(int depth) {
  try {
    Mutate(depth);
    if (g->random.Below(4) == 0) throw 1;
  } catch (int) {
    CheckHere();
  }
  KEEP();
}

// A few random calls from here.
[[gnu::noinline]] void Mutate(int depth) {
  Random& random = g->random;
  if (depth >= kMaxDepth) {
    CheckHere();
    return;
  }
  for (uint32_t n = random.Below(3) + (depth < 5 ? 1 : 0); n > 0; --n) {
    if (g->budget == 0) return;
    switch (random.Below(14)) {
      case 0:
        Small(depth + 1);
        break;
      case 1:
      case 2:
        Saves(depth + 1, 1, 2, static_cast<int>(random.Below(9)), 4);
        break;
      case 3:
        Large(depth + 1);
        break;
      case 4:
        Variable(depth + 1, 16 + 16 * random.Below(8));
        break;
      case 5:
        Wide(depth + 1);
        break;
      case 6:
        Catching(depth + 1);
        break;
      case 7:
        if (g->inside && random.Below(4) == 0) {
          g->inside = false;
          swapcontext(&g->routines[g->current], &g->main);
        }
        break;
      default:
        CheckHere();
    }
  }
  KEEP();
}

void Routine() {
  for (;;) {
    Mutate(0);
    g->inside = false;
    swapcontext(&g->routines[g->current], &g->main);
  }
}

// Runs until `walks` walks are done. Returns the number of differences.
uint64_t RunRandom(uint64_t seed, uint64_t walks, bool plant, bool oracle) {
  World world;
  g = &world;
  world.random.state = seed;
  world.plant = plant;
  world.budget = walks;
  world.checker.oracle = oracle ? Oracle::kLibunwind : Oracle::kNone;
  constexpr size_t kStack = 1 << 20;
  void* stacks[kRoutines];
  for (int i = 0; i < kRoutines; ++i) {
    getcontext(&world.routines[i]);
    stacks[i] = mmap(nullptr, kStack, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    world.routines[i].uc_stack.ss_sp = stacks[i];
    world.routines[i].uc_stack.ss_size = kStack;
    makecontext(&world.routines[i], Routine, 0);
  }
  while (world.budget > 0) {
    if (world.random.Below(4) == 0) {
      world.current = static_cast<int>(world.random.Below(kRoutines));
      world.inside = true;
      swapcontext(&world.main, &world.routines[world.current]);
    } else {
      Mutate(0);
    }
  }
  for (void* stack : stacks) munmap(stack, kStack);
  if (!plant) {
    EXPECT_EQ(world.checker.differences, 0u) << world.checker.first_difference;
  }
  printf("%lu walks, %.2f frames walked each, %lu differences\n",
         world.checker.walks,
         static_cast<double>(world.checker.walker.stats().frames_walked) /
             static_cast<double>(world.checker.walks),
         world.checker.differences);
  world.checker.walker.Release();
  return world.checker.differences;
}

TEST(RandomWalks, AMillionMemoizedWalksEqualPlainOnes) {
  const char* walks = getenv("RANDOM_WALKS");
  RunRandom(7, walks != nullptr ? strtoull(walks, nullptr, 10) : 1'000'000, false,
            false);
}

TEST(RandomWalks, AndLibunwind) { RunRandom(8, 10'000, false, true); }

TEST(RandomWalks, AStaleMemoIsCaught) {
  EXPECT_GT(RunRandom(9, 20'000, true, false), 0u);
}

}  // namespace
}  // namespace mallogram::testing
