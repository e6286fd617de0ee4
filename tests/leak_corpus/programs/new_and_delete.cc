// Definite, out of every form of new; in a class of its own, over-aligned, nothrow.
#include <new>

#include "tests/leak_corpus/programs/leak.h"

namespace {

struct Plain {
  int value[5];
};
struct alignas(128) Aligned {
  char value[128];
};
struct Counted {
  Counted() { Use(this); }
  ~Counted() { Use(this); }
  int value[6];
};
struct Own {
  void* operator new(size_t size) {
    return ::operator new(size);  // LEAK definite 1 block 28 bytes
  }
  void operator delete(void* p) { ::operator delete(p); }
  int value[7];
};

NOINLINE void Lose() {
  Use(new int);                      // LEAK definite 1 block 4 bytes
  Use(new Plain);                    // LEAK definite 1 block 20 bytes
  Use(new Plain[3]);                 // LEAK definite 1 block 60 bytes
  Use(new (std::nothrow) char[33]);  // LEAK definite 1 block 33 bytes
  Use(new Aligned);                  // LEAK definite 1 block 128 bytes
  Use(new Aligned[2]);               // LEAK definite 1 block 256 bytes
  Use(new Counted[2]);               // LEAK definite 1 block 56 bytes
  Use(new char[0]);                  // LEAK definite 1 block
  Use(::operator new(45));           // LEAK definite 1 block 45 bytes
  Use(new Own);                      // LEAK optional
}

NOINLINE void Free() {
  Plain* plain = new Plain;  // LEAK none
  Use(plain);
  delete plain;
  Counted* counted = new Counted[4];  // LEAK none
  Use(counted);
  delete[] counted;
  Aligned* aligned = new Aligned;  // LEAK none
  Use(aligned);
  delete aligned;
}

}  // namespace

int main() {
  Lose();
  Free();
  ScrubStack();
  return 0;
}
