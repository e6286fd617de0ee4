// A program to record: allocates, throws and catches across many frames, through C
// code and in several threads. Its argument scales the work.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
  std::vector<std::string> notes;
};

struct Guard {  // a destructor that allocates while the stack unwinds
  ~Guard() { std::make_unique<std::string>(40, 'g')->push_back('x'); }
};

[[gnu::noinline]] void Inner(unsigned* state, int depth) {
  *state = *state * 1664525 + 1013904223;
  Guard guard;
  std::vector<std::string> local(3, std::string(30, 'a'));
  if (depth == 0 || (*state >> 24) % 11 == 0) {
    Failure failure("failed at depth " + std::to_string(depth) + " of some call");
    failure.notes.push_back("a note that is too long to be kept inside of it");
    throw failure;
  }
  alignas(64) volatile char wide[64];
  wide[0] = 1;
  if (wide[0] != 1) abort();
  if ((*state >> 16) % 3 == 0) {
    try {
      Inner(state, depth - 1);
    } catch (Failure& failure) {
      failure.notes.push_back("seen on the way out, at depth " +
                              std::to_string(depth));
      if (depth % 4 != 0) throw;
    }
  } else {
    Inner(state, depth - 1);
  }
}

unsigned g_sort_state = 1;

int Compare(const void* a, const void* b) {
  try {
    Inner(&g_sort_state, 3);
  } catch (const Failure&) {
    return *static_cast<const int*>(a) - *static_cast<const int*>(b);
  }
  return 0;
}

void Work(unsigned state, int rounds) {
  size_t notes = 0;
  for (int i = 0; i < rounds; ++i) {
    try {
      Inner(&state, static_cast<int>((state >> 8) % 25));
    } catch (const Failure& failure) {
      notes += failure.notes.size();
    }
  }
  if (notes == 0) abort();
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? atoi(argv[1]) : 1000;
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 2; ++t) threads.emplace_back(Work, t + 1, rounds);
  int numbers[] = {5, 2, 9, 1, 7, 3};
  for (int i = 0; i < rounds / 100; ++i) qsort(numbers, 6, sizeof(int), Compare);
  for (std::thread& thread : threads) thread.join();
  puts("done");
  return 0;
}
