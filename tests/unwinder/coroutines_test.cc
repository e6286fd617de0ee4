// Stacks that begin in the middle of nowhere: a coroutine library plants the return
// address of its first function. Such a stack is complete, not cut short.
#include <gtest/gtest.h>
#include <ucontext.h>

#include <cstring>
#include <vector>

#include "preload/unwinder/rules.h"
#include "tests/unwinder/harness.h"

extern "C" {
// Where coroutines end that return, as libraries have it.
extern const char planted_with_cfi[], planted_without_cfi[], planted_in_a_row[],
    behind_a_call[];
// Calls f() on the stack that ends at `top`, with `planted` for its return address
// and `rbp` in that register. f does not return.
void BeginOn(void* top, void (*f)(), const char* planted, uint64_t rbp);
}
asm(R"(
.text
.globl BeginOn
.type BeginOn, @function
BeginOn:
  .cfi_startproc
  mov %rdi, %rsp
  push %rdx
  mov %rcx, %rbp
  jmp *%rsi
  .cfi_endproc
.size BeginOn, .-BeginOn

# As glibc's __start_context and libco's crash(): a function with CFI of its own,
# padding before it.
.balign 16
  nop
  nop
.balign 16
.globl planted_with_cfi
planted_with_cfi:
  .cfi_startproc
  nop
  ud2
  .cfi_endproc
# The same, directly behind another function.
.globl planted_in_a_row
planted_in_a_row:
  .cfi_startproc
  nop
  ud2
  .cfi_endproc
# As boost.context's: a label in code without CFI, behind a jump.
  jmp *%rbx
.globl planted_without_cfi
planted_without_cfi:
  xor %rdi, %rdi
  ud2
  call *8(%rax)
.globl behind_a_call
behind_a_call:
  ud2
)");

namespace mallogram::testing {
namespace {

Checker* g_checker;
ucontext_t g_back;

// Nothing that could pass for the end of a stack lies above.
class Stack {
 public:
  Stack() : words_(1 << 14, 0x5a5a5a5a5a5a5a5a) {}
  void* top() { return words_.data() + words_.size() - 64; }
  void* start() { return words_.data(); }
  size_t bytes() const { return words_.size() * 8; }

 private:
  std::vector<uint64_t> words_;
};

class Coroutines : public ::testing::Test {
 protected:
  void SetUp() override {
    g_checker = &checker_;
    // libunwind stops at the same frame, or guesses on.
    checker_.oracle = Oracle::kNone;
  }
  void TearDown() override {
    EXPECT_GT(checker_.walks, 0u);
    EXPECT_EQ(checker_.differences, 0u) << checker_.first_difference;
    checker_.walker.Release();
  }
  Checker checker_;
};

[[gnu::noinline]] void Down(int depth) {
  if (depth > 0) Down(depth - 1);
  g_checker->Check();
  asm volatile("" ::: "memory");
}

void Body() {
  for (int depth : {0, 3, 1, 3}) Down(depth);
  asm volatile(
      "" ::
          : "memory");  // the last call is no jump: Body stays on the stack
}

void BodyAndBack() {
  Body();
  setcontext(&g_back);
}

void RunRoutine(ucontext_t* link) {
  Stack stack;
  ucontext_t routine;
  getcontext(&routine);
  routine.uc_stack.ss_sp = stack.start();
  routine.uc_stack.ss_size = stack.bytes();
  routine.uc_link = link;
  makecontext(&routine, link != nullptr ? Body : BodyAndBack, 0);
  swapcontext(&g_back, &routine);
}

TEST_F(Coroutines, OfMakecontext) {
  RunRoutine(&g_back);
  EXPECT_EQ(RootOf(checker_.last), kRootComplete);
  EXPECT_GE(PcsOf(checker_.last).size(), 3u);
  RunRoutine(nullptr);
  EXPECT_EQ(RootOf(checker_.last), kRootComplete);
}

void BeginAt(const char* planted, uint64_t rbp) {
  static Stack stack;
  volatile bool back = false;
  getcontext(&g_back);
  if (back) return;
  back = true;
  BeginOn(stack.top(), BodyAndBack, planted, rbp);
}

TEST_F(Coroutines, OfOtherLibraries) {
  for (const char* const planted :
       {planted_with_cfi, planted_in_a_row, planted_without_cfi}) {
    for (const uint64_t rbp :
         {uint64_t{8}, reinterpret_cast<uint64_t>(planted), uint64_t{1} << 63}) {
      BeginAt(planted, rbp);
      EXPECT_EQ(RootOf(checker_.last), kRootComplete) << planted - planted_with_cfi;
      EXPECT_EQ(PcsOf(checker_.last).back(), reinterpret_cast<uint64_t>(planted));
    }
  }
}

// An address that a call left is no end, whatever is wrong beyond it.
TEST_F(Coroutines, AnAddressBehindACallIsNoEnd) {
  BeginAt(behind_a_call, 8);
  EXPECT_EQ(RootOf(checker_.last), kRootStopped);
}

}  // namespace
}  // namespace mallogram::testing
