// Stacks that the program made and switched to itself: one in a block, one mapped.
// The suspended fibers' variables hold blocks; both are reachable.
#include <sys/mman.h>
#include <ucontext.h>

#include "tests/leak_corpus/programs/leak.h"

enum { kStack = 64 << 10 };
ucontext_t scheduler, fibers[2];
void* stack_block;

static void Run(int number) {
  void* p = malloc(44);  // LEAK reachable 2 blocks 88 bytes
  Use(&p);
  swapcontext(&fibers[number], &scheduler);
  Use(&p);
}

NOINLINE static void Start(int number, void* stack) {
  if (getcontext(&fibers[number]) != 0) abort();
  fibers[number].uc_stack.ss_sp = stack;
  fibers[number].uc_stack.ss_size = kStack;
  fibers[number].uc_link = &scheduler;
  makecontext(&fibers[number], (void (*)(void))Run, 1, number);
  swapcontext(&scheduler, &fibers[number]);
}

int main(void) {
  stack_block = calloc(1, kStack);  // LEAK reachable 1 block 65536 bytes
  Start(0, stack_block);
  void* mapped = mmap(NULL, kStack, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return 1;
  Start(1, mapped);
  return 0;
}
