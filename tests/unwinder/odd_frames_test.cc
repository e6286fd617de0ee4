// Frames that need more than rsp and rbp, frames without any CFI, code under
// single step, and libraries that come and go.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "preload/modules.h"
#include "preload/unwinder/rules.h"
#include "tests/unwinder/harness.h"

#define KEEP_FRAME() asm volatile("" ::: "memory")

// Each calls f(argument).
extern "C" {
void ViaRbx(void (*f)(void*), void* argument);
void ViaCfaInMemory(void (*f)(void*), void* argument);
void ViaReturnAddressInR12(void (*f)(void*), void* argument);
void ViaFramePointerOnly(void (*f)(void*), void* argument);
void ViaNothing(void (*f)(void*), void* argument, uint64_t rbp);
void ViaMisalignedStack(void (*f)(void*), void* argument);
extern const char via_frame_pointer_end[];
}
asm(R"(
.text
# CFA in rbx; nobody saves it on the way but by chance.
.globl ViaRbx
.type ViaRbx, @function
ViaRbx:
  .cfi_startproc
  push %rbx
  .cfi_def_cfa_offset 16
  .cfi_offset %rbx, -16
  mov %rsp, %rbx
  .cfi_def_cfa_register %rbx
  sub $200, %rsp
  and $-64, %rsp
  mov %rdi, %rax
  mov %rsi, %rdi
  call *%rax
  mov %rbx, %rsp
  .cfi_def_cfa_register %rsp
  pop %rbx
  .cfi_def_cfa_offset 8
  ret
  .cfi_endproc
.size ViaRbx, .-ViaRbx

# CFA = [rsp + 8], where the prologue put it.
.globl ViaCfaInMemory
.type ViaCfaInMemory, @function
ViaCfaInMemory:
  .cfi_startproc
  lea 8(%rsp), %rax
  sub $328, %rsp
  .cfi_def_cfa_offset 336
  and $-32, %rsp
  mov %rax, 8(%rsp)
  .cfi_escape 0x0f, 3, 0x77, 8, 0x06
  mov %rdi, %rax
  mov %rsi, %rdi
  call *%rax
  mov 8(%rsp), %rax
  .cfi_def_cfa %rax, 0
  lea -8(%rax), %rsp
  .cfi_def_cfa %rsp, 8
  ret
  .cfi_endproc
.size ViaCfaInMemory, .-ViaCfaInMemory

# The return address kept in r12, its slot overwritten.
.globl ViaReturnAddressInR12
.type ViaReturnAddressInR12, @function
ViaReturnAddressInR12:
  .cfi_startproc
  push %r12
  .cfi_def_cfa_offset 16
  .cfi_offset %r12, -16
  mov 8(%rsp), %r12
  .cfi_register %rip, %r12
  movq $0x5555, 8(%rsp)
  sub $16, %rsp
  .cfi_def_cfa_offset 32
  mov %rdi, %rax
  mov %rsi, %rdi
  call *%rax
  add $16, %rsp
  .cfi_def_cfa_offset 16
  mov %r12, 8(%rsp)
  .cfi_offset %rip, -8
  pop %r12
  .cfi_def_cfa_offset 8
  .cfi_restore %r12
  ret
  .cfi_endproc
.size ViaReturnAddressInR12, .-ViaReturnAddressInR12

# Calls with a stack pointer that the ABI forbids, as careless assembly does.
.globl ViaMisalignedStack
.type ViaMisalignedStack, @function
ViaMisalignedStack:
  .cfi_startproc
  sub $16, %rsp
  .cfi_def_cfa_offset 24
  mov %rdi, %rax
  mov %rsi, %rdi
  call *%rax
  add $16, %rsp
  .cfi_def_cfa_offset 8
  ret
  .cfi_endproc
.size ViaMisalignedStack, .-ViaMisalignedStack

# No CFI from here on.
.globl ViaFramePointerOnly
.type ViaFramePointerOnly, @function
ViaFramePointerOnly:
  push %rbp
  mov %rsp, %rbp
  sub $64, %rsp
  mov %rdi, %rax
  mov %rsi, %rdi
  call *%rax
  leave
  ret
.size ViaFramePointerOnly, .-ViaFramePointerOnly
.globl via_frame_pointer_end
via_frame_pointer_end:

.globl ViaNothing
.type ViaNothing, @function
ViaNothing:
  push %rbp
  mov %rdx, %rbp
  mov %rdi, %rax
  mov %rsi, %rdi
  call *%rax
  pop %rbp
  ret
.size ViaNothing, .-ViaNothing
)");

namespace mallogram::testing {
namespace {

Checker* g_checker;

class OddFrames : public ::testing::Test {
 protected:
  void SetUp() override { g_checker = &checker_; }
  void TearDown() override {
    EXPECT_GT(checker_.walks, 0u);
    EXPECT_EQ(checker_.differences, 0u) << checker_.first_difference;
    checker_.walker.Release();
  }
  Checker checker_;
};

void CheckTwice(void*) {
  g_checker->Check();
  g_checker->Check();
  KEEP_FRAME();
}

using Via = void (*)(void (*)(void*), void*);
struct Plan {
  const Via* vias;
  int count;
};

// Calls through the plan's functions one inside the other.
[[gnu::noinline]] void Nest(void* argument) {
  const auto* plan = static_cast<const Plan*>(argument);
  if (plan->count == 0) {
    CheckTwice(nullptr);
  } else {
    Plan rest{plan->vias + 1, plan->count - 1};
    plan->vias[0](Nest, &rest);
    g_checker->Check();
  }
  KEEP_FRAME();
}

void CallThrough(std::vector<Via> vias) {
  Plan plan{vias.data(), static_cast<int>(vias.size())};
  Nest(&plan);
}

TEST_F(OddFrames, CfaInRbx) {
  CallThrough({ViaRbx});
  EXPECT_GT(checker_.walker.stats().full_walks, 0u);
  CallThrough({ViaRbx, ViaRbx, ViaRbx});
}

// Calls `via` with the stack pointer lower by `bytes` and a little more, from one
// of two places.
[[gnu::noinline]] void Shifted(Via via, size_t bytes, bool second,
                               void (*f)(void*) = CheckTwice,
                               void* argument = nullptr) {
  auto* p = static_cast<volatile char*>(alloca(bytes));
  p[0] = 1;
  if (second) {
    via(f, argument);
    asm volatile("nop" ::: "memory");
  } else {
    via(f, argument);
    asm volatile("nop; nop" ::: "memory");
  }
}

// ViaRbx aligns its frame, so that callers at different depths find it at one
// stack pointer: only rbx tells them apart, and only a barrier in the memo knows.
TEST_F(OddFrames, EqualFramesWithOtherSavedRegisters) {
  for (size_t bytes = 16; bytes < 1024; bytes += 16) {
    Shifted(ViaRbx, bytes, bytes % 32 == 0);
  }
}

TEST_F(OddFrames, CfaInMemory) { CallThrough({ViaCfaInMemory, ViaCfaInMemory}); }

// libunwind's unw_backtrace takes the overwritten slot for the return address.
TEST_F(OddFrames, ReturnAddressInARegister) {
  checker_.oracle = Oracle::kGlibc;
  CallThrough({ViaReturnAddressInR12});
}

TEST_F(OddFrames, AllOfThemMixed) {
  checker_.oracle = Oracle::kGlibc;
  std::vector<Via> vias = {ViaRbx, ViaCfaInMemory,        ViaReturnAddressInR12,
                           ViaRbx, ViaReturnAddressInR12, ViaCfaInMemory};
  for (size_t n = 1; n <= vias.size(); ++n) {
    CallThrough(
        std::vector<Via>(vias.begin(), vias.begin() + static_cast<long>(n)));
  }
  for (int i = 0; i < 50; ++i) vias.push_back(vias[static_cast<size_t>(i * 7 % 6)]);
  CallThrough(vias);
}

TEST_F(OddFrames, ASecondWalkRetakesOnlyTheComplexFrames) {
  CallThrough({ViaRbx, ViaCfaInMemory});
  const auto before = checker_.walker.stats();
  CheckTwice(nullptr);
  EXPECT_LT(checker_.walker.stats().frames_walked - before.frames_walked, 10u);
}

TEST_F(OddFrames, FramePointerStepsWithoutCfi) {
  CallThrough({ViaFramePointerOnly});
  CallThrough({ViaFramePointerOnly, ViaFramePointerOnly, ViaFramePointerOnly});
  EXPECT_EQ(RootOf(checker_.last), kRootComplete);
}

TEST_F(OddFrames, FramePointersAndComplexFrames) {
  // libunwind loses rbx and r12 in a frame-pointer step, as we do.
  checker_.oracle = Oracle::kNone;
  CallThrough(
      {ViaRbx, ViaFramePointerOnly, ViaCfaInMemory, ViaFramePointerOnly, ViaRbx});
  EXPECT_EQ(RootOf(checker_.last), kRootComplete);
}

TEST_F(OddFrames, CodeOutsideEveryModule) {
  const size_t bytes = static_cast<size_t>(
      via_frame_pointer_end - reinterpret_cast<const char*>(ViaFramePointerOnly));
  void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(page, MAP_FAILED);
  memcpy(page, reinterpret_cast<const void*>(ViaFramePointerOnly), bytes);
  const Via jit = reinterpret_cast<Via>(page);
  CallThrough({jit});
  CallThrough({jit, jit, ViaFramePointerOnly, jit});
  EXPECT_EQ(RootOf(checker_.last), kRootComplete);
  munmap(page, 4096);
}

[[gnu::noinline]] void WithRbp(uint64_t rbp) {
  ViaNothing(CheckTwice, nullptr, rbp);
  KEEP_FRAME();
}

TEST_F(OddFrames, ARegisterThatIsNoFramePointer) {
  checker_.oracle = Oracle::kNone;
  void* gone =
      mmap(nullptr, 1 << 16, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(gone, 1 << 16);
  uint64_t local[64] = {};
  const auto here = reinterpret_cast<uint64_t>(local);
  for (uint64_t rbp :
       {uint64_t{0}, uint64_t{1}, uint64_t{4096}, reinterpret_cast<uint64_t>(gone),
        here, here + 1, here + 8, ~uint64_t{0}, ~uint64_t{7}, uint64_t{1} << 63,
        reinterpret_cast<uint64_t>(&WithRbp)}) {
    WithRbp(rbp);
    EXPECT_GE(PcsOf(checker_.last).size(), 2u);
    // 0 is the ABI's mark of the outermost frame; `local` holds a frame of zeros.
    const bool complete = rbp == 0 || rbp == here || rbp == here + 8;
    EXPECT_EQ(RootOf(checker_.last), complete ? kRootComplete : kRootStopped)
        << rbp;
  }
  // Every word of this thread's stack, read as a frame, must do no harm.
  for (uint64_t at = here & ~uint64_t{15}; at < here + 4096; at += 8) WithRbp(at);
  std::thread([] {
    uint64_t there[4] = {};
    const auto base = reinterpret_cast<uint64_t>(there);
    for (uint64_t at = base; at < base + 1024; at += 8) WithRbp(at);
  }).join();
  // Words that look like return addresses into this module, leading nowhere.
  for (int i = 0; i < 32; ++i) {
    local[2 * i] = here + 1024;
    local[2 * i + 1] =
        reinterpret_cast<uint64_t>(&ViaRbx) + 40u + static_cast<uint64_t>(i);
  }
  for (uint64_t at = here; at < here + 256; at += 8) WithRbp(at);
}

#ifndef __clang__
// Malloc itself stores no vectors on the stack; nor may we.
[[gnu::noinline, gnu::target("general-regs-only")]] void WalkOnly(void* stack) {
  *static_cast<uint32_t*>(stack) =
      g_checker->walker.Walk(TEST_CALLER_STATE(), 0, Table());
  KEEP_FRAME();
}

TEST_F(OddFrames, AMisalignedStackPointer) {
  checker_.Check();
  uint32_t aligned = 0, misaligned = 0;
  WalkOnly(&aligned);
  ForgetCode(0, 1);  // everything anew, rules too
  ViaMisalignedStack(WalkOnly, &misaligned);
  EXPECT_EQ(PcsOf(misaligned).size(), PcsOf(aligned).size() + 1);
  ForgetCode(0, ~uint64_t{0});
  ViaMisalignedStack(WalkOnly, &misaligned);
  EXPECT_EQ(RootOf(misaligned), kRootComplete);
}
#endif

// ---- every instruction ------------------------------------------------------

// Bits of the flags register: the trap flag makes the CPU raise SIGTRAP after
// each instruction, so that walks start from every possible pc.
void OnTrap(int, siginfo_t*, void*) { g_checker->Check(); }

void SetTrapFlag(bool on) {
  if (on) {
    asm volatile("pushfq; orq $0x100, (%%rsp); popfq" ::: "memory", "cc");
  } else {
    asm volatile("pushfq; andq $~0x100, (%%rsp); popfq" ::: "memory", "cc");
  }
}

int CompareInts(const void* a, const void* b) {
  return *static_cast<const int*>(a) - *static_cast<const int*>(b);
}

[[gnu::noinline]] int Stepped(int n) {
  char text[64];
  alignas(32) volatile int numbers[8] = {3, 1, 2, 7, 5, 8, 6, 4};
  qsort(const_cast<int*>(numbers), 8, sizeof(int), CompareInts);
  snprintf(text, sizeof(text), "%d %x", n, numbers[3]);
  return static_cast<int>(strtol(text, nullptr, 10)) + numbers[0];
}

TEST_F(OddFrames, EveryInstructionOfCodeUnderSingleStep) {
  struct sigaction action {};
  action.sa_sigaction = OnTrap;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGTRAP, &action, nullptr);
  checker_.Check();
  SetTrapFlag(true);
  const int result = Stepped(5);
  ViaRbx([](void*) {}, nullptr);
  ViaCfaInMemory([](void*) {}, nullptr);
  SetTrapFlag(false);
  signal(SIGTRAP, SIG_DFL);
  EXPECT_EQ(result, 6);
  EXPECT_GT(checker_.walks, 1000u);
  printf("%lu walks\n", checker_.walks);
}

// ---- libraries that come and go ---------------------------------------------

uint32_t ModuleOfFrame(uint32_t stack, uint64_t start, uint64_t end) {
  for (; stack >= kFirstNode; stack = Table()->node(stack).parent) {
    const StackNode& node = Table()->node(stack);
    if (node.pc >= start && node.pc < end) return node.module;
  }
  return kNoModule;
}

// Called by the plugin's function. A memo of the first plugin's frame holds the
// slot where that has its return address; in the second plugin's larger frame the
// slot is unused. Forged to the old value there, it makes a memo that outlived its
// library match to the last word.
constexpr uint64_t kFrameA = 264, kFrameB = 4104;
void ForgeSlot(void* first_plugin) {
  static uint64_t old_value;
  auto* slot = reinterpret_cast<uint64_t*>(
      static_cast<char*>(__builtin_frame_address(0)) + 16 + kFrameA);
  if (first_plugin != nullptr) {
    old_value = *slot;
  } else {
    *slot = old_value;
  }
  CheckTwice(nullptr);
  KEEP_FRAME();
}

TEST_F(OddFrames, AnotherLibraryAtTheSameAddress) {
  int same_address = 0;
  uint64_t last_start = 0, outermost = 0;
  for (int i = 0; i < 6; ++i) {
    const std::string path = i % 2 == 0 ? PLUGIN_A : PLUGIN_B;
    void* plugin = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(plugin, nullptr) << dlerror();
    const auto run = reinterpret_cast<Via>(dlsym(plugin, "PluginRun"));
    CodeModule module;
    ASSERT_TRUE(FindModule(reinterpret_cast<uint64_t>(run), &module));
    same_address += module.start == last_start ? 1 : 0;
    last_start = module.start;
    // libunwind's caches are stale after a dlclose; glibc's unwinder has none.
    checker_.oracle = Oracle::kGlibc;
    // The frame of either library at the same stack pointer, one after the other.
    const bool first = i % 2 == 0;
    if (first) run(CheckTwice, nullptr);
    Shifted(run, first ? kFrameB - kFrameA + 16 : 16, first, ForgeSlot,
            first ? &same_address : nullptr);
    if (!first) run(CheckTwice, nullptr);
    EXPECT_EQ(RootOf(checker_.last), kRootComplete) << i;
    const uint32_t index = ModuleOfFrame(checker_.last, module.start, module.end);
    ASSERT_NE(index, kNoModule);
    EXPECT_EQ(ModulePath(index), path);
    Pcs pcs = PcsOf(checker_.last);
    if (outermost == 0) outermost = pcs.back();
    EXPECT_EQ(pcs.back(), outermost);
    dlclose(plugin);
    SweepModules();
    EXPECT_NE(Modules()[index].unload_tsc.load(), 0u);
  }
  EXPECT_GT(same_address, 0)
      << "the loader never reused the address: nothing was tested";
}

}  // namespace
}  // namespace mallogram::testing
