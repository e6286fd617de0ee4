// Seconds and memory of a leak check of a heap of blocks of 64 bytes, for several
// shapes. Not a test: run it by hand,
//   leak_scan_bench SHAPE MIB
// with SHAPE one of list (in the order of the addresses), random (a list in random
// order), tree, array (of pointers), lost (nothing holds the list).
//
// A child fills the heap and is stopped; the parent plays the collector.
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "preload/collector/leaks/scan_process.h"

namespace mallogram {
namespace {

constexpr uint64_t kBytes = 64;
// As glibc lays out blocks of 56 bytes: one every 64, after a header.
constexpr uint64_t kHeader = 16;

uint64_t RssKib(const char* field) {
  char line[256];
  uint64_t value = 0;
  FILE* const file = fopen("/proc/self/status", "r");
  while (fgets(line, sizeof(line), file) != nullptr) {
    if (strncmp(line, field, strlen(field)) == 0) {
      value = strtoull(line + strlen(field) + 1, nullptr, 10);
    }
  }
  fclose(file);
  return value;
}

// A permutation of [0, n) with one cycle, without a table: n a power of two.
uint64_t Step(uint64_t i, uint64_t n) {
  return (i * 0x9e3779b97f4a7c15 * 4 + i + 0x2545f4914f6cdd1d * 2 + 1) & (n - 1);
}

void Fill(const std::string& shape, char* heap, uint64_t n, uint64_t** root) {
  const auto block = [heap](uint64_t i) {
    return reinterpret_cast<uint64_t*>(heap + kHeader + i * kBytes);
  };
  if (shape == "array") {
    auto* const pointers =
        static_cast<uint64_t*>(mmap(nullptr, n * 8, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    for (uint64_t i = 0; i < n; ++i) {
      pointers[i] = reinterpret_cast<uint64_t>(block(i));
      block(i)[0] = i;
    }
    return;
  }
  *root = shape == "lost" ? nullptr : block(0);
  for (uint64_t i = 0; i < n; ++i) {
    uint64_t* const words = block(i);
    words[2] = i * 3;
    if (shape == "tree") {
      for (uint64_t k : {2 * i + 1, 2 * i + 2}) {
        if (k < n) words[k - 2 * i - 1] = reinterpret_cast<uint64_t>(block(k));
      }
    } else if (shape == "random") {
      words[0] = reinterpret_cast<uint64_t>(block(Step(i, n)));
    } else if (i + 1 < n) {
      words[0] = reinterpret_cast<uint64_t>(block(i + 1));
    }
  }
}

uint64_t* g_root;

int Run(const std::string& shape, uint64_t mib) {
  uint64_t n = (mib << 20) / kBytes;
  if (shape == "random") {
    while ((n & (n - 1)) != 0) n &= n - 1;
  }
  // The heap's place is known before the fork, its content only to the child.
  char* const heap =
      static_cast<char*>(mmap(nullptr, n * kBytes + 4096, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  auto* const ready = static_cast<volatile uint32_t*>(mmap(
      nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  const pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    Fill(shape, heap, n, &g_root);
    *ready = 1;
    for (;;) pause();
  }
  while (*ready == 0) usleep(10000);
  ptrace(PTRACE_ATTACH, pid, nullptr, nullptr);
  waitpid(pid, nullptr, __WALL);
  StoppedThread thread;
  thread.tid = pid;
  ptrace(PTRACE_GETREGS, pid, nullptr, &thread.registers);

  LiveMap live;
  HeapModel model;
  for (uint64_t i = 0; i < n; ++i) {
    const uint64_t address =
        reinterpret_cast<uint64_t>(heap) + kHeader + i * kBytes;
    *live.Insert(address) = model.Allocate(0, 4, 56, i);
  }
  const uint64_t before = RssKib("VmRSS:");
  ScanRequest request;
  request.pid = pid;
  request.threads = {thread};
  request.live = &live;
  request.model = &model;
  request.glibc_heap = false;
  rusage start{};
  getrusage(RUSAGE_SELF, &start);
  const absl::StatusOr<LeakCheck> check = ScanProcess(request);
  rusage end{};
  getrusage(RUSAGE_SELF, &end);
  if (!check.ok()) return 1;
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  std::printf(
      "%-7s %6lu MiB %10lu blocks: %7.2f s (user %.2f, system %.2f), extra %lu MiB "
      "(%.1f %%), read %lu MiB, %zu groups, first of class %d with %lu blocks\n",
      shape.c_str(), mib, n, static_cast<double>(check->scan_ns) * 1e-9,
      seconds(end.ru_utime) - seconds(start.ru_utime),
      seconds(end.ru_stime) - seconds(start.ru_stime),
      (RssKib("VmHWM:") - before) >> 10,
      100.0 * static_cast<double>(RssKib("VmHWM:") - before) * 1024 /
          static_cast<double>(n * kBytes),
      check->scanned_bytes >> 20, check->groups.size(),
      static_cast<int>(check->groups[0].kind), check->groups[0].blocks);
  kill(pid, SIGKILL);
  return 0;
}

}  // namespace
}  // namespace mallogram

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  return mallogram::Run(argv[1], strtoull(argv[2], nullptr, 10));
}
