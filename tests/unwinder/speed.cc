// Cost of a walk, simply measured: depth 20, remembered or not. A tool, not a
// test; run it on a quiet machine.
#include <time.h>

#include <cstdio>

#include "preload/unwinder/memo.h"
#include "tests/unwinder/harness.h"

using mallogram::CallerState;
using mallogram::Walker;
using mallogram::WalkerMemo;

namespace {

Walker g_walker{};
volatile uint32_t g_sink;

double Now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

enum class Mode { kNothing, kSame, kLeaves, kForget };

// Looks like malloc.
[[gnu::noinline]] void Enter(Mode mode) {
  if (mode == Mode::kNothing) return;
  const CallerState caller = TEST_CALLER_STATE();
  if (mode == Mode::kForget) {
    auto** memo = reinterpret_cast<WalkerMemo**>(&g_walker);
    if (*memo != nullptr) (*memo)->count = 0;
  }
  g_sink = g_walker.Walk(caller, 0, mallogram::testing::Table());
}

[[gnu::noinline]] void LeafA(Mode mode) {
  Enter(mode);
  asm volatile("" ::: "memory");
}
[[gnu::noinline]] void LeafB(Mode mode) {
  Enter(mode);
  asm volatile("nop" ::: "memory");
}

[[gnu::noinline]] void Run(Mode mode, const char* name, int depth) {
  mallogram::testing::Table();
  // The best of many short rounds: the machine has other things to do.
  constexpr int kRounds = 300, kWalks = 4000;
  double best = 1e9;
  const auto before = g_walker.stats();
  for (int round = 0; round < kRounds; ++round) {
    const double start = Now();
    for (int i = 0; i < kWalks; ++i) {
      // One call of each, so that LeafA alone gives the same stack every time.
      if (mode == Mode::kLeaves && i % 2 != 0) {
        LeafB(mode);
      } else {
        LeafA(mode);
      }
      asm volatile("" ::: "memory");
    }
    const double ns = (Now() - start) / kWalks;
    if (ns < best) best = ns;
  }
  const auto after = g_walker.stats();
  const double frames =
      static_cast<double>(after.frames_walked - before.frames_walked) / kRounds /
      kWalks;
  printf("depth %3d, %-20s %6.1f ns a walk, %6.2f frames walked\n", depth, name,
         best, frames);
}

[[gnu::noinline]] void Down(int depth, int left) {
  if (left > 0) {
    Down(depth, left - 1);
  } else {
    Run(Mode::kNothing, "nothing", depth);
    Run(Mode::kSame, "same stack", depth);
    Run(Mode::kLeaves, "alternating leaves", depth);
    Run(Mode::kForget, "nothing remembered", depth);
  }
  asm volatile("" ::: "memory");
}

}  // namespace

int main() {
  for (int depth : {20, 30, 100}) Down(depth, depth - 5);
}
