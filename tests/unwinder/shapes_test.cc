// Stacks of every shape that programs have, walked and compared with libunwind.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include "preload/sys.h"
#include "preload/unwinder/rules.h"
#include "tests/unwinder/harness.h"

namespace mallogram::testing {
namespace {

#define KEEP_FRAME() asm volatile("" ::: "memory")

Checker* g_checker;

class Shapes : public ::testing::Test {
 protected:
  void SetUp() override { g_checker = &checker_; }
  void TearDown() override {
    EXPECT_GT(checker_.walks, 0u);
    EXPECT_EQ(checker_.differences, 0u) << checker_.first_difference;
    checker_.walker.Release();
  }
  Checker checker_;
};

[[gnu::noinline]] void Leaf() {
  g_checker->Check();
  KEEP_FRAME();
}

[[gnu::noinline]] void Twice() {
  Leaf();
  Leaf();
  KEEP_FRAME();
}

TEST_F(Shapes, RepeatedAndChangingLeaves) {
  Leaf();
  Leaf();
  Twice();
  Leaf();
  for (int i = 0; i < 10; ++i) Twice();
  EXPECT_LT(checker_.walker.stats().frames_walked, 300u);
}

TEST_F(Shapes, AgreesWithGlibcBacktrace) {
  Leaf();
  const auto pcs = PcsOf(checker_.last);
  ASSERT_GT(pcs.size(), 5u);
  // From the caller of this function outward: within it the calls differ.
  EXPECT_EQ(Pcs(pcs.begin() + 2, pcs.end()), BacktraceFrom(pcs[2]));
  EXPECT_EQ(RootOf(checker_.last), kRootComplete);
}

// ---- recursion ------------------------------------------------------------

[[gnu::noinline]] int Recurse(int depth, int leaves) {
  if (depth == 0) {
    for (int i = 0; i < leaves; ++i) Leaf();
    return 0;
  }
  const int result = Recurse(depth - 1, leaves) + 1;
  KEEP_FRAME();
  return result;
}

[[gnu::noinline]] int Zigzag(int depth) {
  if (depth % 10 == 0) Leaf();
  int result = 0;
  if (depth > 0) result = Zigzag(depth - 1) + 1;
  if (depth % 10 == 5) Leaf();
  KEEP_FRAME();
  return result;
}

TEST_F(Shapes, RecursionToDifferentDepths) {
  for (int depth : {1, 5, 3, 200, 100, 300, 0, 1000, 999, 2, 1000})
    Recurse(depth, 2);
  Zigzag(300);
}

TEST_F(Shapes, HundredThousandFrames) {
  std::thread deep;  // the main thread's stack may be too small
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 64 << 20);
  pthread_t thread;
  const auto body = [](void*) -> void* {
    Recurse(100000, 3);
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &attributes, body, nullptr), 0);
  pthread_join(thread, nullptr);
  EXPECT_GT(PcsOf(checker_.last).size(), 100000u);
  EXPECT_LT(checker_.walker.stats().frames_walked, 100100u);
}

[[gnu::noinline]] void DeepWalks(int depth, int walks) {
  if (depth > 0) {
    DeepWalks(depth - 1, walks);
  } else {
    for (int i = 0; i < walks; ++i) Leaf();
  }
  KEEP_FRAME();
}

// ---- odd frames -----------------------------------------------------------

// Over-aligned locals: gcc addresses the frame through a saved argument pointer
// (DRAP), clang through rbp and rbx.
[[gnu::noinline]] int Aligned(int depth, int n) {
  alignas(64) volatile char buffer[128];
  auto* more = static_cast<volatile char*>(alloca(static_cast<size_t>(n)));
  buffer[0] = 1;
  more[0] = 1;
  if (depth == 0) {
    Leaf();
  } else if (depth % 2 == 0) {
    Recurse(2, 1);
    Aligned(depth - 1, n + 16);
  } else {
    Aligned(depth - 1, n + 48);
  }
  return buffer[0] + more[0];
}

TEST_F(Shapes, AllocaAndOverAlignedLocals) {
  for (int i = 0; i < 20; ++i) Aligned(i, 100 + i);
#ifndef __clang__
  bool drap = false;
  for (uint64_t pc : PcsOf(checker_.last))
    drap |= LookupRule(pc).kind() == Rule::kDrap;
  EXPECT_TRUE(drap) << "no frame of the kind that this test is for";
#endif
}

[[gnu::noinline]] void WithFramePointer(int depth) {
  // Naming it makes the compiler keep one, whatever the flags.
  asm volatile("" ::"r"(__builtin_frame_address(0)));
  if (depth > 0) {
    WithFramePointer(depth - 1);
  } else {
    Recurse(3, 2);
  }
  KEEP_FRAME();
}

TEST_F(Shapes, FramePointers) {
  WithFramePointer(10);
  WithFramePointer(7);
}

// Big frames, saved registers, early exits: many CFI rows in one function.
[[gnu::noinline]] int Busy(int a, int b, int c, int d, int e, int f, int g, int h) {
  volatile int array[600];
  array[a & 255] = b;
  Leaf();
  if (a > 3) return Busy(a - 1, h, b, c, d, e, f, g) + array[a & 255];
  Leaf();
  array[1] = c + d * e + f * g;
  Leaf();
  return array[1] + h;
}

TEST_F(Shapes, ManyArguments) { Busy(10, 1, 2, 3, 4, 5, 6, 7); }

int CompareAndWalk(const void* a, const void* b) {
  Leaf();
  return *static_cast<const int*>(a) - *static_cast<const int*>(b);
}

TEST_F(Shapes, CallbackThroughLibc) {
  int numbers[] = {5, 3, 9, 1, 7};
  qsort(numbers, 5, sizeof(int), CompareAndWalk);
}

// ---- control flow -----------------------------------------------------------

[[gnu::noinline]] void Throwing(int depth) {
  Leaf();
  if (depth == 0) throw std::runtime_error("x");
  try {
    Throwing(depth - 1);
  } catch (const std::runtime_error&) {
    Leaf();
    if (depth % 3 != 0) throw;
    Leaf();
  }
  KEEP_FRAME();
}

TEST_F(Shapes, ThrowAndCatch) {
  for (int i = 0; i < 12; ++i) {
    try {
      Throwing(i);
    } catch (...) {
      Leaf();
    }
  }
}

jmp_buf g_jump;

[[gnu::noinline]] void Jumping(int depth) {
  Leaf();
  if (depth == 0) longjmp(g_jump, 1);
  if (depth > 0) Jumping(depth - 1);
  KEEP_FRAME();
}

TEST_F(Shapes, Longjmp) {
  static int i;
  for (i = 0; i < 10; ++i) {
    if (setjmp(g_jump) == 0) {
      Jumping(i);
    } else {
      Leaf();
    }
  }
}

// ---- signals ----------------------------------------------------------------

void OnSignal(int) { Recurse(2, 2); }

[[gnu::noinline]] void RaiseBelow(int depth) {
  if (depth == 0) {
    raise(SIGUSR1);
  } else {
    RaiseBelow(depth - 1);
  }
  Leaf();
}

void Install(int flags) {
  struct sigaction action {};
  action.sa_handler = OnSignal;
  action.sa_flags = flags;
  sigaction(SIGUSR1, &action, nullptr);
  sigaction(SIGSEGV, &action, nullptr);
}

TEST_F(Shapes, SignalHandler) {
  Install(0);
  for (int i = 0; i < 5; ++i) RaiseBelow(i);
}

TEST_F(Shapes, SignalHandlerOnItsOwnStack) {
  std::vector<char> memory(1 << 18);
  stack_t stack{};
  stack.ss_sp = memory.data();
  stack.ss_size = memory.size();
  sigaltstack(&stack, nullptr);
  Install(SA_ONSTACK);
  for (int i = 0; i < 5; ++i) RaiseBelow(i);
  Leaf();
  stack.ss_flags = SS_DISABLE;
  sigaltstack(&stack, nullptr);
}

sigjmp_buf g_signal_jump;
volatile char* g_fault;

void OnFault(int) {
  Recurse(1, 1);
  siglongjmp(g_signal_jump, 1);
}

// A leaf function, interrupted at its first instruction.
[[gnu::noinline]] void Fault(volatile char* p) { *p = 1; }

TEST_F(Shapes, FaultInALeafFunction) {
  struct sigaction action {};
  action.sa_handler = OnFault;
  action.sa_flags = SA_NODEFER;
  sigaction(SIGSEGV, &action, nullptr);
  g_fault = static_cast<volatile char*>(
      mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  static int i;
  for (i = 0; i < 3; ++i) {
    if (sigsetjmp(g_signal_jump, 1) == 0) {
      Fault(g_fault);
    } else {
      Leaf();
    }
  }
  signal(SIGSEGV, SIG_DFL);
}

// ---- coroutines -------------------------------------------------------------

ucontext_t g_main, g_routines[3];

[[gnu::noinline]] void Yield(int self, int depth) {
  if (depth > 0) {
    Yield(self, depth - 1);
    KEEP_FRAME();
    return;
  }
  Leaf();
  swapcontext(&g_routines[self], &g_main);
  Leaf();
}

void Routine(int self) {
  for (int i = 0; i < 20; ++i) Yield(self, (i * (self + 3)) % 7);
}

TEST_F(Shapes, Coroutines) {
  constexpr size_t kStack = 256 << 10;
  std::vector<void*> stacks;
  static int round, i;  // kept from what the contexts save and restore
  // libunwind and we end alike at makecontext's start.
  for (i = 0; i < 3; ++i) {
    getcontext(&g_routines[i]);
    void* stack = mmap(nullptr, kStack, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    stacks.push_back(stack);
    g_routines[i].uc_stack.ss_sp = stack;
    g_routines[i].uc_stack.ss_size = kStack;
    g_routines[i].uc_link = &g_main;
    makecontext(&g_routines[i], reinterpret_cast<void (*)()>(Routine), 1, i);
  }
  for (round = 0; round < 20; ++round) {
    for (i = 0; i < 3; ++i) {
      Leaf();
      swapcontext(&g_main, &g_routines[i]);
      Leaf();
    }
  }
  // The memo still names slots on these stacks; it may not touch them any more.
  swapcontext(&g_main, &g_routines[1]);
  for (void* stack : stacks) munmap(stack, kStack);
  Leaf();
  Recurse(20, 2);
}

// ---- threads, memory ----------------------------------------------------------

TEST_F(Shapes, Threads) {
  std::vector<Checker> checkers(4);
  std::vector<std::thread> threads;
  for (Checker& checker : checkers) {
    threads.emplace_back([&checker] {
      for (int i = 0; i < 300; ++i) {
        checker.Check();
        struct Local {
          [[gnu::noinline]] static void Down(Checker* c, int depth) {
            if (depth > 0) Down(c, depth - 1);
            c->Check();
            KEEP_FRAME();
          }
        };
        Local::Down(&checker, i % 20);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (Checker& checker : checkers) {
    EXPECT_EQ(checker.differences, 0u) << checker.first_difference;
    EXPECT_EQ(RootOf(checker.last), kRootComplete);
    checker.walker.Release();
  }
  Leaf();
}

TEST_F(Shapes, OneWalkerServesThreadAfterThread) {
  for (int i = 0; i < 20; ++i) {
    std::thread([] { Recurse(5, 2); }).join();
  }
}

[[gnu::noinline]] uint32_t WalkCut(uint32_t depth) {
  return g_checker->walker.Walk(TEST_CALLER_STATE(), depth, Table());
}

TEST_F(Shapes, MaxDepthKeepsTheInnermostFrames) {
  Leaf();
  const Pcs whole = PcsOf(g_checker->last);
  const Pcs cut = PcsOf(WalkCut(3));
  EXPECT_EQ(cut.size(), 3u);
  EXPECT_EQ(RootOf(WalkCut(3)), kRootCut);
  EXPECT_EQ(Pcs(cut.begin() + 1, cut.end()),
            Pcs(whole.begin() + 2, whole.begin() + 4));
  // Exactly as deep as the stack is: not cut.
  const Pcs all = PcsOf(WalkCut(1000));
  const uint32_t exact = WalkCut(static_cast<uint32_t>(all.size()));
  EXPECT_EQ(RootOf(exact), kRootComplete);
  EXPECT_EQ(PcsOf(exact).size(), all.size());
  EXPECT_EQ(RootOf(WalkCut(static_cast<uint32_t>(all.size()) - 1)), kRootCut);
  Leaf();
}

TEST_F(Shapes, MemoGrowthIsReleased) {
  DeepWalks(20000, 2);
  const uint64_t full = sys::MappedBytes();
  checker_.walker.Release();
  EXPECT_LT(sys::MappedBytes(), full);
  Leaf();
}

}  // namespace
}  // namespace mallogram::testing
