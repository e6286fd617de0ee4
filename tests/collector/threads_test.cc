// Real threads, real stamps, a real race: they share an allocator that gives out
// the address freed last, pass blocks to one another, and write their rings while
// the session drains them. No order may be violated, no free left over, and every
// count must be right.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "preload/collector/session.h"
#include "tests/collector/read_trace.h"
#include "tests/collector/test_image.h"
#include "tests/collector/truth.h"

namespace mallogram {
namespace {

constexpr uint32_t kSites = 10;
constexpr int kOperations = 20000;  // of each thread
// Rings of idle threads between those that work: reading all heads then takes long
// enough for a block to be freed in a ring whose head was read and to be given out
// again in one whose head was not. This is what the horizon is for.
constexpr uint32_t kIdleRings = 300;

struct Held {
  uint64_t address;
  uint32_t site;
  uint64_t size;
};

struct Shared {
  std::mutex mutex;
  std::vector<uint64_t> pool;  // addresses to give out, last freed first
  uint64_t next_address = 0x10000;
  std::vector<Held> mailbox;  // blocks that anyone may take over

  uint64_t Malloc() {
    const std::lock_guard lock(mutex);
    if (pool.empty()) return next_address += 16;
    const uint64_t address = pool.back();
    pool.pop_back();
    return address;
  }
  void Free(uint64_t address) {
    const std::lock_guard lock(mutex);
    pool.push_back(address);
  }
};

// One program thread; counts into `sites` what it did at each site.
class Mutator {
 public:
  Mutator(Shared* shared, RecordWriter* ring, const std::vector<uint32_t>& stacks,
          uint32_t seed)
      : shared_(shared),
        ring_(ring),
        stacks_(stacks),
        random_(seed),
        sites(kSites) {}

  void Run() {
    for (int i = 0; i < kOperations; ++i) {
      const uint32_t what = random_() % 8;
      if (own_.empty() || what < 3) {
        Allocate();
      } else if (what < 5) {
        Free(TakeOwn());
      } else if (what == 5) {
        Move(TakeOwn());
      } else {
        Exchange(TakeOwn());
      }
    }
  }

 private:
  Held TakeOwn() {
    const size_t i = random_() % own_.size();
    const Held held = own_[i];
    own_[i] = own_.back();
    own_.pop_back();
    return held;
  }
  void Room() {
    while (!ring_->HasRoom()) std::this_thread::yield();
  }
  void Allocate() {
    Held held{shared_->Malloc(), static_cast<uint32_t>(random_() % kSites),
              random_() % 1000};
    Room();
    ring_->Block(RecordKind::kAlloc, ReadStamp(true), held.address,
                 stacks_[held.site], held.size);
    ring_->Publish();
    Count(held);
    own_.push_back(held);
  }
  void Free(const Held& held) {
    Room();
    ring_->Address(RecordKind::kFree, ReadStamp(true), held.address);
    ring_->Publish();
    shared_->Free(held.address);
    ++sites[held.site].frees;
  }
  void Move(Held held) {
    Room();
    ring_->Address(RecordKind::kMoveBegin, ReadStamp(true), held.address);
    ring_->Publish();
    shared_->Free(held.address);
    ++sites[held.site].frees;
    held = {shared_->Malloc(), static_cast<uint32_t>(random_() % kSites),
            random_() % 1000};
    Room();
    ring_->Block(RecordKind::kMoveEnd, ReadStamp(true), held.address,
                 stacks_[held.site], held.size);
    ring_->Publish();
    ++sites[held.site].reallocations;
    Count(held);
    own_.push_back(held);
  }
  // Hands a block on, and takes one of somebody's.
  void Exchange(const Held& held) {
    const std::lock_guard lock(shared_->mutex);
    shared_->mailbox.push_back(held);
    const size_t i = random_() % shared_->mailbox.size();
    own_.push_back(shared_->mailbox[i]);
    shared_->mailbox[i] = shared_->mailbox.back();
    shared_->mailbox.pop_back();
  }
  void Count(const Held& held) {
    ++sites[held.site].calls;
    sites[held.site].bytes_allocated += held.size;
  }

  Shared* const shared_;
  RecordWriter* const ring_;
  const std::vector<uint32_t>& stacks_;
  std::mt19937 random_;
  std::vector<Held> own_;

 public:
  std::vector<SiteTotals> sites;
};

class Threads : public testing::TestWithParam<uint32_t> {};

TEST_P(Threads, NothingIsLostOrConfused) {
  const uint32_t count = GetParam();
  const std::string path =
      absl::StrCat(testing::TempDir(), "/threads.", getpid(), ".mgram");
  unlink(path.c_str());
  TestImage image(count * (kIdleRings + 1), 1024);
  const std::vector<uint32_t> stacks = MakeSites(&image, kSites);
  SessionOptions options;
  options.path = path;
  std::unique_ptr<Session> session =
      Session::Open(image.DupFd(), getpid(), options).value();

  Shared shared;
  std::vector<std::unique_ptr<Mutator>> mutators;
  std::vector<std::thread> threads;
  std::atomic<uint32_t> running{count};
  for (uint32_t i = 0; i < count; ++i) {
    RecordWriter& ring = image.OpenRing(static_cast<int>(i) + 1, ReadStamp(true));
    for (uint32_t j = 0; j < kIdleRings && count > 1; ++j) {
      image.OpenRing(1'000'000, ReadStamp(true));
    }
    mutators.push_back(std::make_unique<Mutator>(&shared, &ring, stacks, i));
    threads.emplace_back([&running, mutator = mutators.back().get()] {
      mutator->Run();
      --running;
    });
  }
  while (running != 0) {
    if (session->Drain() == 0) std::this_thread::yield();
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(session->Finish(EndReason::kExited, 0, 0).ok());

  const Summary& summary = session->summary();
  EXPECT_EQ(summary.loss.order_violations, 0u);
  EXPECT_EQ(summary.totals.unknown_frees, 0u);
  const ReadTrace trace = ParseTrace(FileBytes(path));
  EXPECT_EQ(trace.error, "");
  const std::vector<uint32_t> file_stacks = FindSites(trace.stacks, kSites);
  for (const SiteTotals& got : summary.sites) {
    uint32_t site = 0;
    while (site < kSites && file_stacks[site] != got.stack) ++site;
    ASSERT_LT(site, kSites);
    SiteTotals want;
    for (const auto& mutator : mutators) {
      want.calls += mutator->sites[site].calls;
      want.frees += mutator->sites[site].frees;
      want.reallocations += mutator->sites[site].reallocations;
      want.bytes_allocated += mutator->sites[site].bytes_allocated;
    }
    EXPECT_EQ(got.calls, want.calls);
    EXPECT_EQ(got.frees, want.frees);
    EXPECT_EQ(got.reallocations, want.reallocations);
    EXPECT_EQ(got.bytes_allocated, want.bytes_allocated);
  }
  unlink(path.c_str());
}

INSTANTIATE_TEST_SUITE_P(Counts, Threads, testing::Values(1, 2, 4, 16));

}  // namespace
}  // namespace mallogram
