// Trap 7: a pointer that only a register of a spinning thread holds: reachable. One
// thread keeps it in a register that calls preserve, one in one that they don't.
#include "tests/leak_corpus/programs/threads.h"

volatile int spinning;

static void* Preserved(void* unused) {
  Use(unused);
  void* volatile p = malloc(31);  // LEAK reachable 1 block 31 bytes
  ScrubStack();
  __asm__ volatile(
      "mov %0, %%r13\n"
      "movq $0, %0\n"
      "xor %%eax, %%eax\n"
      "movl $1, %1\n"
      "1: pause\n"
      "jmp 1b\n"
      : "+m"(p), "=m"(spinning)
      :
      : "r13", "rax", "memory");
  return NULL;
}

static void* Scratch(void* unused) {
  Use(unused);
  void* volatile p = malloc(32);  // LEAK reachable 1 block 32 bytes
  ScrubStack();
  __asm__ volatile(
      "mov %0, %%r10\n"
      "movq $0, %0\n"
      "xor %%eax, %%eax\n"
      "movl $1, %1\n"
      "1: pause\n"
      "jmp 1b\n"
      : "+m"(p), "=m"(spinning)
      :
      : "r10", "rax", "memory");
  return NULL;
}

int main(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, Preserved, NULL) != 0) return 1;
  while (!spinning) usleep(1000);
  spinning = 0;
  if (pthread_create(&thread, NULL, Scratch, NULL) != 0) return 1;
  while (!spinning) usleep(1000);
  return 0;
}
