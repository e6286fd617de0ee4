// Interior pointers that are as good as one to the start: new[] with a count before
// the elements, the second base of an object, a length before the data, the block's
// start before hand-aligned data. Beside each, one that only looks like it.
#include <cstdlib>
#include <new>

#include "tests/leak_corpus/programs/leak.h"

namespace {

struct Element {
  long value[2];
  ~Element() { Use(this); }
};
struct alignas(16) Wide {
  char value[48];
  ~Wide() { Use(this); }
};

struct First {
  virtual ~First() = default;
  long first = 1;
};
struct Second {
  virtual ~Second() = default;
  long second = 2;
};
struct Third {
  virtual ~Third() = default;
  long third = 3;
};
struct Derived : First, Second, Third {
  ~Derived() override = default;
  long own = 4;
};

NOINLINE Element* Elements(int n) {
  return new Element[n];  // LEAK reachable 1 block 168 bytes
}
NOINLINE Wide* Wides(int n) {
  return new Wide[n];  // LEAK reachable 1 block 208 bytes
}
NOINLINE void* NoCookie() {
  char* p = new char[168];  // LEAK possible 1 block 168 bytes
  Fill(p, 168);
  return p + 8;
}

NOINLINE Derived* Object() {
  return new Derived;  // LEAK reachable 2 blocks 112 bytes
}
NOINLINE void* Member() {
  Derived* object = new Derived;  // LEAK possible 1 block 56 bytes
  return &object->second;
}

NOINLINE void* Prefixed(size_t size) {
  size_t* p = static_cast<size_t*>(malloc(size + sizeof *p));  // LEAK reachable 1 block 72 bytes
  memset(p, 0xA5, size + sizeof *p);
  *p = size;
  return p + 1;
}
NOINLINE void* WrongLength(size_t size) {
  size_t* p = static_cast<size_t*>(malloc(size + sizeof *p));  // LEAK possible 1 block 80 bytes
  memset(p, 0xA5, size + sizeof *p);
  *p = size + 9;
  return p + 1;
}

NOINLINE void* HandAligned(size_t size) {
  void* raw = malloc(size + 63 + sizeof(void*));  // LEAK reachable 1 block 271 bytes
  Fill(raw, size + 63 + sizeof(void*));
  uintptr_t aligned =
      (reinterpret_cast<uintptr_t>(raw) + sizeof(void*) + 63) & ~63ul;
  reinterpret_cast<void**>(aligned)[-1] = raw;
  return reinterpret_cast<void*>(aligned);
}
NOINLINE void* OnlyAligned(size_t size) {
  void* raw = Fill(malloc(size + 63), size + 63);  // LEAK possible 1 block 363 bytes
  return reinterpret_cast<void*>((reinterpret_cast<uintptr_t>(raw) + 64) & ~63ul);
}

}  // namespace

void* pointers[16];
Second* second;
Third* third;

int main() {
  pointers[0] = Elements(10);
  pointers[1] = Wides(4);
  pointers[2] = NoCookie();
  second = Object();
  third = Object();
  Use(&second);
  Use(&third);
  pointers[3] = Member();
  pointers[4] = Prefixed(64);
  pointers[5] = WrongLength(72);
  pointers[6] = HandAligned(200);
  pointers[7] = OnlyAligned(300);
  ScrubStack();
  return 0;
}
