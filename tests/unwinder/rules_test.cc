// Compiled rules, their cache under threads and signals, expressions, and guarded
// reads.
#include "preload/unwinder/rules.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <random>
#include <thread>

#include "preload/modules.h"
#include "preload/unwinder/expression.h"
#include "preload/unwinder/frame_step.h"
#include "preload/unwinder/stack_guard.h"
#include "tests/unwinder/harness.h"

namespace mallogram::testing {
namespace {

TEST(Rules, FieldsSurvivePacking) {
  for (int64_t cfa : {int64_t{8}, int64_t{-8}, int64_t{16}, int64_t{12345},
                      int64_t{67108863}, int64_t{-67108864}}) {
    for (int64_t slot : {int64_t{-16}, int64_t{0}, int64_t{8}, int64_t{-1048576},
                         int64_t{1048568}}) {
      Rule rule;
      ASSERT_TRUE(Rule::Make(Rule::kSimple | Rule::kSavedRbp, cfa, slot, &rule));
      rule = rule.WithModule(321);
      EXPECT_EQ(static_cast<int64_t>(rule.cfa_offset()), cfa);
      EXPECT_EQ(static_cast<int64_t>(rule.rbp_offset()), slot);
      EXPECT_TRUE(rule.simple() && rule.saved_rbp() && !rule.base_rbp());
      EXPECT_EQ(ModuleOfKey(rule.module_bits()), 321u);
      EXPECT_EQ(ModuleOfKey(rule.WithModule(kNoModule).module_bits()), kNoModule);
      EXPECT_EQ(ModuleOfKey(rule.WithModule(0x7fff).module_bits()), kNoModule);
    }
  }
  Rule rule;
  EXPECT_FALSE(Rule::Make(Rule::kSimple, int64_t{1} << 26, 0, &rule));
  EXPECT_FALSE(Rule::Make(Rule::kSimple, 8, int64_t{1} << 20, &rule));
  EXPECT_FALSE(Rule::Make(Rule::kSimple, 8, -12, &rule));
}

TEST(Rules, ReturnAddresses) {
  EXPECT_EQ(CheckReturnAddress(0), StepEnd::kComplete);
  EXPECT_EQ(CheckReturnAddress(1), StepEnd::kStopped);
  EXPECT_EQ(CheckReturnAddress(4095), StepEnd::kStopped);
  EXPECT_EQ(CheckReturnAddress(4096), StepEnd::kNotYet);
  EXPECT_EQ(CheckReturnAddress(kPcMask), StepEnd::kNotYet);
  EXPECT_EQ(CheckReturnAddress(kPcMask + 1), StepEnd::kStopped);
  EXPECT_EQ(CheckReturnAddress(~uint64_t{0}), StepEnd::kStopped);
}

// ---- the cache --------------------------------------------------------------

// Pcs spread over libc's code.
std::vector<uint64_t> SomePcs(size_t count) {
  Table();
  CodeModule libc;
  EXPECT_TRUE(
      FindModule(reinterpret_cast<uint64_t>(dlsym(RTLD_DEFAULT, "qsort")), &libc));
  std::mt19937_64 random(3);
  std::vector<uint64_t> pcs;
  const uint64_t low =
      reinterpret_cast<uint64_t>(dlsym(RTLD_DEFAULT, "qsort")) - 0x8000;
  for (size_t i = 0; i < count; ++i) {
    pcs.push_back((low + random() % 0x80000) | (i % 5 == 0 ? kExactPc : 0));
  }
  return pcs;
}

TEST(RuleCache, ServesWhatTheCompilerSaysWhileItGrowsAndForgets) {
  const std::vector<uint64_t> pcs = SomePcs(60'000);
  std::vector<uint64_t> truth;
  for (uint64_t pc : pcs) truth.push_back(CompileRule(pc).bits());
  std::atomic<uint64_t> wrong{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < pcs.size(); ++i) {
        const size_t at = (i * (2 * t + 1) + t * 997) % pcs.size();
        if (LookupRule(pcs[at]).bits() != truth[at]) ++wrong;
        if (LookupRule(pcs[at]).bits() != truth[at]) ++wrong;
      }
    });
  }
  std::thread forgetter([&] {
    while (!stop) {
      ForgetCode(pcs[0] & kPcMask & ~uint64_t{0xfff}, (pcs[0] & kPcMask) + 0x10000);
      usleep(2000);
    }
  });
  for (std::thread& thread : threads) thread.join();
  stop = true;
  forgetter.join();
  EXPECT_EQ(wrong, 0u);
}

// An insertion interrupted at any point by another of the same thread.
std::vector<uint64_t>* g_pcs;
std::atomic<uint64_t> g_interrupts;
void OnTimer(int) {
  for (int i = 0; i < 20; ++i) {
    const uint64_t at = g_interrupts.fetch_add(1) * 7919;
    LookupRule((*g_pcs)[at % g_pcs->size()]);
  }
}

TEST(RuleCache, ToleratesInterruptedInsertions) {
  std::vector<uint64_t> pcs = SomePcs(100'000);
  for (uint64_t& pc : pcs) pc += 3;  // other ones than above
  g_pcs = &pcs;
  std::vector<uint64_t> truth;
  for (uint64_t pc : pcs) truth.push_back(CompileRule(pc).bits());
  signal(SIGALRM, OnTimer);
  itimerval timer{{0, 100}, {0, 100}};
  setitimer(ITIMER_REAL, &timer, nullptr);
  uint64_t wrong = 0;
  for (size_t i = 0; i < pcs.size(); ++i)
    wrong += LookupRule(pcs[i]).bits() != truth[i];
  for (size_t i = 0; i < pcs.size(); ++i)
    wrong += LookupRule(pcs[i]).bits() != truth[i];
  timer = {};
  setitimer(ITIMER_REAL, &timer, nullptr);
  signal(SIGALRM, SIG_DFL);
  EXPECT_EQ(wrong, 0u);
  EXPECT_GT(g_interrupts, 0u);
}

TEST(RuleCache, CodeOutsideModulesIsNotRemembered) {
  Table();
  auto* page = static_cast<char*>(
      mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  const auto pc = reinterpret_cast<uint64_t>(page) + 64;
  const RuleTable* table = g_rules.load();
  const uint32_t used = table->used.load();
  EXPECT_EQ(LookupRule(pc).kind(), Rule::kGuess);
  EXPECT_EQ(ModuleOfKey(LookupRule(pc).module_bits()), kNoModule);
  EXPECT_EQ(g_rules.load()->used.load(), used);
  munmap(page, 4096);
}

// ---- expressions --------------------------------------------------------------

class Expression : public ::testing::Test {
 protected:
  Expression() {
    registers_.known = 0;
    registers_.Put(kRsp, 0x1000);
    registers_.Put(kRbp, reinterpret_cast<uint64_t>(&memory_));
    registers_.Put(kRa, 0x1234b);
  }
  bool Evaluate(std::vector<uint8_t> code, Deref deref = Deref::kPlain) {
    StackGuard guard{};
    const uint64_t cfa = 0x7000;
    return EvaluateExpression({code.data(), code.size()}, registers_, &cfa, deref,
                              &guard, &result_);
  }
  uint64_t memory_[2] = {0x1122334455667788, 42};
  RegisterFile registers_;
  uint64_t result_ = 0;
};

TEST_F(Expression, Operations) {
  const struct {
    std::vector<uint8_t> code;
    uint64_t result;
  } cases[] = {
      {{}, 0x7000},                           // the CFA
      {{0x77, 16}, 0x1010},                   // breg7
      {{0x92, 7, 0x70}, 0xff0},               // bregx -16
      {{0x76, 0, 0x06}, 0x1122334455667788},  // deref
      {{0x76, 8, 0x94, 1}, 42},               // deref_size
      {{0x76, 0, 0x94, 4}, 0x55667788},
      {{0x35, 0x33, 0x1c}, 2},                                // lit5 - lit3
      {{0x35, 0x33, 0x1e, 0x23, 100}, 115},                   // mul, plus_uconst
      {{0x09, 0xf6, 0x33, 0x1b}, static_cast<uint64_t>(-3)},  // -10 / 3
      {{0x3a, 0x33, 0x1d}, 1},                                // mod
      {{0x3c, 0x3a, 0x1a}, 8},
      {{0x3c, 0x3a, 0x21}, 14},
      {{0x3c, 0x3a, 0x27}, 6},
      {{0x31, 0x34, 0x24}, 16},
      {{0x09, 0xf0, 0x32, 0x26}, static_cast<uint64_t>(-4)},
      {{0x09, 0xf0, 0x32, 0x25}, 0x3ffffffffffffffc},
      {{0x31, 0x08, 64, 0x24}, 0},
      {{0x09, 0x80, 0x08, 99, 0x26}, ~uint64_t{0}},
      {{0x35, 0x1f}, static_cast<uint64_t>(-5)},
      {{0x35, 0x20}, ~uint64_t{5}},
      {{0x09, 0xfb, 0x19}, 5},        // abs
      {{0x31, 0x32, 0x12, 0x22}, 4},  // dup
      {{0x31, 0x32, 0x14}, 1},
      {{0x31, 0x32, 0x16}, 1},
      {{0x31, 0x32, 0x13}, 1},
      {{0x31, 0x32, 0x33, 0x15, 2}, 1},
      {{0x31, 0x32, 0x33, 0x17}, 2},
      {{0x09, 0xff, 0x31, 0x2d}, 1},
      {{0x09, 0xff, 0x31, 0x2b}, 0},
      {{0x31, 0x31, 0x29}, 1},
      {{0x31, 0x31, 0x2e}, 0},
      {{0x31, 0x31, 0x2a}, 1},
      {{0x31, 0x32, 0x2c}, 1},
      {{0x0a, 0x34, 0x12}, 0x1234},
      {{0x0b, 0xff, 0xff}, ~uint64_t{0}},
      {{0x0c, 1, 0, 0, 0}, 1},
      {{0x0d, 0xfe, 0xff, 0xff, 0xff}, ~uint64_t{1}},
      {{0x10, 0x80, 1}, 128},
      {{0x11, 0x7f}, ~uint64_t{0}},
      {{0x03, 8, 7, 6, 5, 4, 3, 2, 1}, 0x0102030405060708},
      {{0x31, 0x28, 1, 0, 0x35, 0x39}, 9},        // bra taken over lit5
      {{0x30, 0x28, 1, 0, 0x35, 0x13, 0x39}, 9},  // bra not taken
      {{0x2f, 1, 0, 0x06, 0x39, 0x96}, 9},        // skip, nop
      {{0x57}, 0x1000},
      {{0x90, 7}, 0x1000},  // reg7, regx
      // The PLT's: rsp + 8 + (((rip & 15) >= 11) << 3)
      {{0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22}, 0x1010},
  };
  for (const auto& c : cases) {
    ASSERT_TRUE(Evaluate(c.code)) << &c - cases;
    EXPECT_EQ(result_, c.result) << &c - cases;
  }
}

TEST_F(Expression, RefusesWhatItCannotKnow) {
  EXPECT_FALSE(Evaluate({0x70, 0}));      // rax is not known
  EXPECT_FALSE(Evaluate({0x92, 99, 0}));  // no such register
  EXPECT_FALSE(Evaluate({0x13, 0x13}));   // stack empty
  EXPECT_FALSE(Evaluate({0x22}));
  EXPECT_FALSE(Evaluate({0x0c, 1}));           // cut
  EXPECT_FALSE(Evaluate({0x31, 0x30, 0x1b}));  // division by zero
  EXPECT_FALSE(Evaluate({0x31, 0x30, 0x1d}));
  EXPECT_FALSE(Evaluate({0x2f, 100, 0}));  // jump out
  EXPECT_FALSE(Evaluate({0x2f, 0xf0, 0xff}));
  EXPECT_FALSE(Evaluate({0x2f, 0xfd, 0xff}));  // for ever
  EXPECT_FALSE(Evaluate({0x9c}));              // call_frame_cfa: not in CFI
  EXPECT_FALSE(Evaluate({0x76, 0, 0x06}, Deref::kNever));
  EXPECT_FALSE(Evaluate(std::vector<uint8_t>(100, 0x31)));  // too deep
  EXPECT_FALSE(Evaluate({0x30, 0x06}, Deref::kGuarded));    // nothing at 0
  EXPECT_TRUE(Evaluate({0x76, 0, 0x06}, Deref::kGuarded));
  EXPECT_EQ(result_, memory_[0]);
}

// ---- guarded reads --------------------------------------------------------------

TEST(StackGuard, KnowsItsOwnStack) {
  const auto body = [] {
    StackGuard guard{};
    uint64_t local = 77, value = 0;
    ASSERT_TRUE(guard.Read(reinterpret_cast<uint64_t>(&local), &value));
    EXPECT_EQ(value, 77u);
    EXPECT_FALSE(guard.unstable());
    auto* big = static_cast<volatile uint64_t*>(alloca(300'000));
    big[0] = 78;
    ASSERT_TRUE(guard.Read(reinterpret_cast<uint64_t>(big), &value));
    EXPECT_EQ(value, 78u);
    EXPECT_FALSE(guard.unstable());
  };
  body();
  std::thread(body).join();
}

TEST(StackGuard, AsksTheKernelElsewhere) {
  auto* pages = static_cast<char*>(mmap(nullptr, 3 * 4096, PROT_READ | PROT_WRITE,
                                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  munmap(pages + 4096, 4096);
  StackGuard guard{};
  uint64_t value = 1;
  const auto at = reinterpret_cast<uint64_t>(pages);
  EXPECT_TRUE(guard.Read(at + 4088, &value));
  EXPECT_EQ(value, 0u);
  EXPECT_TRUE(guard.unstable());
  guard.Reset();
  EXPECT_FALSE(guard.Read(at + 4096, &value));
  EXPECT_FALSE(guard.Read(at + 4092, &value));  // across the end
  EXPECT_TRUE(guard.Read(at + 8192, &value));
  EXPECT_TRUE(guard.unstable());
  EXPECT_FALSE(guard.Read(0, &value));
  EXPECT_FALSE(guard.Read(~uint64_t{7}, &value));
  EXPECT_FALSE(guard.Read(uint64_t{1} << 47, &value));
  munmap(pages, 3 * 4096);
}

TEST(StackGuard, OnlyTheThreadsOwnStackIsStable) {
  const auto read = [](uint64_t address) {
    StackGuard guard{};
    uint64_t value = 0;
    EXPECT_TRUE(guard.Read(address, &value));
    return !guard.unstable();
  };
  const uint64_t local = 1;
  EXPECT_TRUE(read(reinterpret_cast<uint64_t>(&local)));
  std::thread([&] {
    const uint64_t own = 2;
    EXPECT_TRUE(read(reinterpret_cast<uint64_t>(&own)));
  }).join();
  // Beside the main thread's TCB lies no stack, but what may be unmapped.
  EXPECT_FALSE(read(reinterpret_cast<uint64_t>(pthread_self()) - 8));
}

}  // namespace
}  // namespace mallogram::testing
