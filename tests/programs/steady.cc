// A long-lived program with a known output, for tests that kill its collector:
//
//   steady THREADS MILLISECONDS
//
// Prints "started", then the sum that its threads worked out on heap blocks.
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <atomic>

namespace {

std::atomic<bool> stop{false};
std::atomic<uint64_t> wrong{0};

void* Work(void* argument) {
  uint64_t* blocks[128] = {};
  for (uint64_t i = 1; !stop.load(std::memory_order_relaxed); ++i) {
    uint64_t*& block = blocks[i % 128];
    if (block != nullptr && *block != i - 128) wrong.fetch_add(1);
    free(block);
    block = static_cast<uint64_t*>(malloc(sizeof(uint64_t) + i % 500));
    *block = i;
  }
  for (uint64_t* block : blocks) free(block);
  (void)argument;
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const int threads = atoi(argv[1]);
  const long milliseconds = atol(argv[2]);
  puts("started");
  fflush(stdout);
  pthread_t ids[16];
  if (threads < 1 || threads > 16) return 2;
  for (int i = 0; i < threads; ++i) {
    if (pthread_create(&ids[i], nullptr, Work, nullptr) != 0) return 3;
  }
  const timespec span{milliseconds / 1000, milliseconds % 1000 * 1'000'000};
  nanosleep(&span, nullptr);
  stop.store(true);
  for (int i = 0; i < threads; ++i) pthread_join(ids[i], nullptr);
  printf("wrong %llu\n", static_cast<unsigned long long>(wrong.load()));
  return 7;
}
