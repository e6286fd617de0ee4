// Allocates and frees until it is killed:
//
//   killed THREADS LOG-FILE
//
// Every thread logs what it has done in its own line of a shared mapping of
// LOG-FILE, which outlives it however it dies: {before, after} counts of
// allocations and of frees. A call that returned before the kill has been
// recorded, so  after <= recorded <= before  for every thread, and summed.
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>

namespace {

struct alignas(64) Log {
  std::atomic<uint64_t> allocating, allocated, freeing, freed;
};
constexpr int kMaxThreads = 16;
Log* logs;

[[gnu::noinline]] void* SiteKilled(size_t size) {
  void* p = malloc(size);
  asm volatile("" : "+r"(p) : : "memory");
  return p;
}

// A plain increment: one writer a line; a kill can't tear it.
void Bump(std::atomic<uint64_t>& counter) {
  counter.store(counter.load(std::memory_order_relaxed) + 1,
                std::memory_order_release);
}

void* Work(void* argument) {
  Log& log = logs[reinterpret_cast<intptr_t>(argument)];
  void* blocks[64] = {};
  for (uint64_t i = 0;; ++i) {
    void*& block = blocks[i * 7 % 64];
    if (block != nullptr) {
      Bump(log.freeing);
      free(block);
      Bump(log.freed);
    }
    Bump(log.allocating);
    block = SiteKilled(16 + i % 200);
    Bump(log.allocated);
  }
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const int threads = atoi(argv[1]);
  const int fd = open(argv[2], O_RDWR | O_CREAT, 0600);
  if (threads < 1 || threads > kMaxThreads || fd < 0) return 2;
  const size_t bytes = sizeof(Log) * kMaxThreads;
  if (ftruncate(fd, static_cast<off_t>(bytes)) != 0) return 2;
  void* map = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED) return 2;
  close(fd);
  logs = static_cast<Log*>(map);
  for (intptr_t i = 1; i < threads; ++i) {
    pthread_t id;
    if (pthread_create(&id, nullptr, Work, reinterpret_cast<void*>(i)) != 0)
      return 3;
  }
  Work(nullptr);
}
