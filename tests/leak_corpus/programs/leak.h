// What the programs of the corpus share; C and C++.
//
// A program says on the line of each allocation what must become of it:
//
//   p = malloc(24);  // LEAK definite 1 block 24 bytes
//
// The kinds are definite, indirect, possible, reachable, unclassified and none;
// "definite or reachable" leaves it open, a list after commas has one entry for
// each kind, the size may be left out. "LEAK in child" belongs to the second
// process, if the line "PROCESSES parent child" names them in the order of their
// births. A line "RUN args: exit 3" or "RUN args: signal 6" says how to start it
// and how it ends; without one it takes no arguments and ends with 0.
// tests/leak_corpus/corpus.py reads this.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NOINLINE __attribute__((noinline))

// The compiler can't know what becomes of the pointer, nor of what it points to.
static inline void Use(const void* p) {
  __asm__ volatile(""
                   :
                   : "g"(p)
                   : "memory");
}

// Nothing in the block can be taken for a pointer, a length or a count.
static inline void* Fill(void* p, size_t size) {
  if (p != NULL) memset(p, 0xA5, size);
  Use(p);
  return p;
}

// Overwrites what calls before have left on the stack below the caller's frame, and in
// the registers that are theirs, in programs whose truth must not depend on it. No local variables: all below the stack
// pointer is dead, and nothing of it must be left out.
NOINLINE __attribute__((unused)) static void ScrubStack(void) {
  __asm__ volatile(
      "mov %%rsp, %%rdx\n"
      "sub $65536, %%rsp\n"
      "mov %%rsp, %%rdi\n"
      "mov $8192, %%ecx\n"
      "mov $0x5A5A5A5A5A5A5A5A, %%rax\n"
      "rep stosq\n"
      "mov %%rdx, %%rsp\n"
      "xor %%esi, %%esi\n"
      "xor %%r8d, %%r8d\n"
      "xor %%r9d, %%r9d\n"
      "xor %%r10d, %%r10d\n"
      "xor %%r11d, %%r11d\n"
      :
      :
      : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");
}
