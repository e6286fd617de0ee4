// What of a process is looked at, told in system calls: reservations cost nothing,
// whatever they are made of, and every page that holds something is found.
#include "preload/collector/leaks/process_memory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "preload/collector/leaks/address_space.h"

namespace mallogram::leaks {
namespace {

constexpr uint64_t kPage = 4096, kGib = uint64_t{1} << 30;
constexpr uint64_t kTib = 1024 * kGib;

struct Kind {
  const char* name;
  int protection, flags;
  bool file;
};
constexpr Kind kKinds[] = {
    {"anonymous", PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, false},
    {"closed", PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, false},
    {"shared", PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, false},
    {"file", PROT_READ | PROT_WRITE, MAP_SHARED, true},
    {"private file", PROT_READ | PROT_WRITE, MAP_PRIVATE, true},
};

// A mapping as long as it lives.
class Space {
 public:
  Space(const Kind& kind, uint64_t bytes) : bytes_(bytes) {
    const int fd = kind.file ? memfd_create("sparse", MFD_CLOEXEC) : -1;
    if (kind.file && ftruncate(fd, static_cast<off_t>(bytes)) != 0) abort();
    start_ = static_cast<char*>(
        mmap(nullptr, bytes, kind.protection, kind.flags | MAP_NORESERVE, fd, 0));
    if (start_ == MAP_FAILED) abort();
    madvise(start_, bytes, MADV_NOHUGEPAGE);
    if (fd >= 0) close(fd);
  }
  ~Space() { munmap(start_, bytes_); }
  char* at(uint64_t offset) const { return start_ + offset; }
  uint64_t start() const { return reinterpret_cast<uint64_t>(start_); }
  uint64_t end() const { return start() + bytes_; }

 private:
  const uint64_t bytes_;
  char* start_;
};

// Offsets of the present pages.
std::vector<uint64_t> PresentOf(ProcessMemory* memory, const Space& space) {
  std::vector<uint64_t> pages;
  uint64_t at = space.start(), from = 0, to = 0;
  while (memory->NextPresent(at, space.end(), &from, &to)) {
    for (uint64_t page = from; page < to && pages.size() < 100000; page += kPage)
      pages.push_back(page - space.start());
    at = to;
  }
  return pages;
}

bool KernelScans() {
  const std::vector<Mapping> none;
  return ProcessMemory(getpid(), &none).PassesHoles();
}

TEST(ProcessMemory, EmptyReservationsCostNothing) {
  for (const Kind& kind : kKinds) {
    for (const Presence best :
         {Presence::kNone, Presence::kPagemap, Presence::kScan}) {
      SCOPED_TRACE(std::string(kind.name) + " " + std::to_string(int(best)));
      const Space space(kind, 16 * kTib);
      const std::vector<Mapping> maps = ReadMaps(getpid());
      ProcessMemory memory(getpid(), &maps, best);
      EXPECT_EQ(PresentOf(&memory, space), std::vector<uint64_t>{});
      EXPECT_LE(memory.system_calls(), 300u);
      EXPECT_EQ(memory.unknown_bytes() != 0,
                best == Presence::kNone && kind.protection != PROT_NONE &&
                    access("/proc/self/smaps", R_OK) != 0);
    }
  }
}

TEST(ProcessMemory, WhatIsThereIsFound) {
  if (!KernelScans()) GTEST_SKIP() << "this kernel has no PAGEMAP_SCAN";
  for (const Kind& kind : kKinds) {
    if (kind.protection == PROT_NONE) continue;
    SCOPED_TRACE(kind.name);
    const Space space(kind, 4 * kTib);
    std::vector<uint64_t> truth;
    // Alone, beside each other, at both ends, more than are told at once.
    for (const uint64_t at :
         {uint64_t{0}, 3 * kPage, 4 * kPage, kTib, 4 * kTib - kPage})
      truth.push_back(at);
    for (uint64_t i = 0; i < 3000; ++i) truth.push_back(2 * kTib + i * (2 << 20));
    for (uint64_t i = 0; i < 1000; ++i) truth.push_back(3 * kTib + i * kPage);
    std::sort(truth.begin(), truth.end());
    for (const uint64_t at : truth) *space.at(at) = 1;
    const std::vector<Mapping> maps = ReadMaps(getpid());
    ProcessMemory memory(getpid(), &maps);
    EXPECT_EQ(PresentOf(&memory, space), truth);
    EXPECT_LE(memory.system_calls(), 200u);
  }
}

TEST(ProcessMemory, WithoutTheScanToo) {
  const Space space(kKinds[0], kGib);
  const std::vector<uint64_t> truth = {0, 3 * kPage, 4 * kPage, kGib / 2,
                                       kGib - kPage};
  for (const uint64_t at : truth) *space.at(at) = 1;
  const std::vector<Mapping> maps = ReadMaps(getpid());
  ProcessMemory memory(getpid(), &maps, Presence::kPagemap);
  EXPECT_EQ(PresentOf(&memory, space), truth);
  EXPECT_LE(memory.system_calls(), 20u);
}

// A large table that was only read shows the kernel's one page of zeroes.
TEST(ProcessMemory, PagesThatWereOnlyReadAreEmpty) {
  if (!KernelScans()) GTEST_SKIP() << "this kernel has no PAGEMAP_SCAN";
  const Space space(kKinds[0], kGib);
  for (uint64_t at = 0; at < kGib; at += 64 * kPage) {
    const volatile char* const page = space.at(at);
    EXPECT_EQ(*page, 0);
  }
  *space.at(5 * kPage) = 1;
  const std::vector<Mapping> maps = ReadMaps(getpid());
  ProcessMemory memory(getpid(), &maps);
  EXPECT_EQ(PresentOf(&memory, space), std::vector<uint64_t>{5 * kPage});
}

// In no order of their addresses.
TEST(ProcessMemory, ManyMappings) {
  std::vector<Space> spaces;
  spaces.reserve(200);
  for (int i = 0; i < 200; ++i) {
    const Kind& kind = kKinds[i % 5];
    spaces.emplace_back(kind, kPage << (i % 32));
    if (kind.protection != PROT_NONE) *spaces.back().at(0) = 1;
  }
  const std::vector<Mapping> maps = ReadMaps(getpid());
  ProcessMemory memory(getpid(), &maps);
  uint64_t found = 0;
  for (const Space& space : spaces) found += PresentOf(&memory, space).size();
  EXPECT_EQ(found, 160u);
  EXPECT_LE(memory.system_calls(), 2500u);  // 96 TiB, by 64 GiB, and some
}

TEST(ProcessMemory, StopsWhenItIsTold) {
  const Space space(kKinds[0], kGib);
  *space.at(0) = 1;
  const std::vector<Mapping> maps = ReadMaps(getpid());
  ProcessMemory memory(getpid(), &maps);
  ScanControl control;
  memory.SetControl(&control);
  char byte = 0;
  EXPECT_EQ(memory.Read(space.start(), &byte, 1), 1u);
  EXPECT_GT(control.progress.load(), 0u);
  control.stop = StopReason::kSignal;
  EXPECT_EQ(PresentOf(&memory, space), std::vector<uint64_t>{});
  EXPECT_EQ(memory.Read(space.start(), &byte, 1), 0u);
}

}  // namespace
}  // namespace mallogram::leaks
