// What an event costs the collector: CPU time from ring to compressed chunk, bytes
// stored, memory. Not a test: prints figures.
//
//   meson test --benchmark drain --verbose
//   drain_benchmark [EVENTS [SHAPE]]      SHAPE: part of a name
//
// Everything runs in one thread, so the rings are warm in its cache and nobody
// competes for it: what the collector costs beside a program is more.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <random>

#include "preload/collector/process_facts.h"
#include "preload/collector/session.h"
#include "tests/collector/test_image.h"

namespace mallogram {
namespace {

enum class Pattern {
  kPairs,     // every block is freed next
  kRandom,    // `live` blocks are held, freed in random order
  kHandOver,  // a queue of `live` blocks between every two threads
  kFill,      // half of the events allocate, half free, each in random order
};

struct Shape {
  const char* name;
  Pattern pattern;
  uint32_t threads;
  uint32_t run;  // events of a thread before the next one's turn
  uint32_t live;
  uint32_t sites;
  uint32_t bytes;  // from block to block
};

class Harness {
 public:
  Harness(const Shape& shape, uint64_t events)
      : shape_(shape),
        events_(events),
        path_("/tmp/drain." + std::to_string(getpid())),
        image_(shape.threads, 1 << 15, shape.sites + kFirstNode) {
    for (uint32_t i = 0; i < shape.sites; ++i) {
      const uint32_t parent = i < 20 ? kRootComplete : stacks_[i - 1 - i % 20];
      stacks_.push_back(image_.AddNode(parent, 0x400000 + 37 * i, kNoModule));
    }
    SessionOptions options;
    options.path = path_;
    session_ = Session::Open(image_.DupFd(), getpid(), options).value();
    for (uint32_t i = 0; i < shape.threads; ++i) {
      rings_.push_back(&image_.OpenRing(static_cast<int>(i) + 1, ReadStamp(true)));
    }
    queues_.resize(shape.threads);
    if (shape.pattern == Pattern::kFill) held_.reserve(events / 2);
    rss_before_ = OwnRssBytes();
  }
  ~Harness() { unlink(path_.c_str()); }

  void Run() {
    for (uint64_t i = 0; i < events_; ++i) {
      const auto thread = static_cast<uint32_t>(i / shape_.run % shape_.threads);
      switch (shape_.pattern) {
        case Pattern::kPairs:
          if (queues_[thread].empty()) {
            queues_[thread].push_back(Allocate(thread, thread));
          } else {
            Free(thread, queues_[thread].front());
            queues_[thread].pop_front();
          }
          break;
        case Pattern::kRandom:
          if (held_.size() < shape_.live ||
              (i % 2 == 0 && held_.size() == shape_.live)) {
            held_.push_back(Allocate(thread, 0));
          } else {
            FreeOneHeld(thread);
          }
          break;
        case Pattern::kHandOver: {
          std::deque<uint64_t>& queue = queues_[thread / 2];
          if (thread % 2 == 0 && queue.size() < shape_.live) {
            queue.push_back(Allocate(thread, thread / 2));
          } else if (!queue.empty()) {
            Free(thread, queue.front());
            queue.pop_front();
          }
          break;
        }
        case Pattern::kFill:
          if (i < events_ / 2) {
            held_.push_back(Allocate(thread, 0));
          } else {
            FreeOneHeld(thread);
          }
          break;
      }
      if (i == events_ / 2) rss_ = OwnRssBytes();
    }
    while (session_->HasWork()) session_->Drain();
  }

  void Print() {
    if (!session_->Finish(EndReason::kExited, 0, 0).ok()) abort();
    const SelfReport& self = session_->summary().self;
    const auto events = static_cast<double>(self.events);
    std::printf(
        "%-40s %6.1f ns CPU an event %6.2f bytes an event %7.1f MiB RSS grown, "
        "%llu violations\n",
        shape_.name, static_cast<double>(self.collector_cpu_ns) / events,
        static_cast<double>(self.event_file_bytes) / events,
        (static_cast<double>(rss_) - static_cast<double>(rss_before_)) / (1 << 20),
        static_cast<unsigned long long>(session_->summary().loss.order_violations));
    std::fflush(stdout);
  }

 private:
  // Of one thread: no stamps but one now and then.
  uint64_t Stamp(RecordWriter* ring) {
    if (shape_.threads > 1) return stamp_ = ReadStamp(true);
    if (++unstamped_ % 64 == 0) ring->Time(stamp_ = ReadStamp(true));
    return stamp_;
  }
  RecordWriter* WithRoom(uint32_t thread) {
    while (!rings_[thread]->HasRoom()) session_->Drain();
    return rings_[thread];
  }
  uint64_t Allocate(uint32_t thread, uint32_t arena) {
    RecordWriter* ring = WithRoom(thread);
    std::vector<uint64_t>& pool = pools_[arena];
    uint64_t address;
    if (pool.empty()) {
      address = 0x7f0000000000 + (uint64_t{arena} << 32) + next_[arena];
      next_[arena] += shape_.bytes;
    } else {
      address = pool.back();
      pool.pop_back();
    }
    // Call sites come in runs and come back, as in programs.
    if (random_() % 4 == 0) site_ = random_() % shape_.sites;
    ring->Block(RecordKind::kAlloc, Stamp(ring), address, stacks_[site_],
                16 + site_ % 100);
    ring->Publish();
    return address;
  }
  void Free(uint32_t thread, uint64_t address) {
    RecordWriter* ring = WithRoom(thread);
    ring->Address(RecordKind::kFree, Stamp(ring), address);
    ring->Publish();
    pools_[address >> 32 & 63].push_back(address);
  }
  void FreeOneHeld(uint32_t thread) {
    const size_t victim = random_() % held_.size();
    Free(thread, held_[victim]);
    held_[victim] = held_.back();
    held_.pop_back();
  }

  const Shape& shape_;
  const uint64_t events_;
  const std::string path_;
  TestImage image_;
  std::vector<uint32_t> stacks_;
  std::unique_ptr<Session> session_;
  std::vector<RecordWriter*> rings_;
  std::mt19937 random_{1};
  std::vector<std::deque<uint64_t>> queues_;
  std::vector<uint64_t> held_, pools_[64];
  uint64_t next_[64] = {};
  uint32_t site_ = 0, unstamped_ = 0;
  uint64_t stamp_ = ReadStamp(true);
  uint64_t rss_before_ = 0, rss_ = 0;
};

constexpr Shape kShapes[] = {
    {"pairs, 1 thread", Pattern::kPairs, 1, 1, 0, 16, 48},
    {"pairs, 2 threads", Pattern::kPairs, 2, 1, 0, 16, 48},
    {"pairs, 8 threads", Pattern::kPairs, 8, 3, 0, 16, 48},
    {"hand-over, 4 pairs of threads", Pattern::kHandOver, 8, 3, 100, 16, 48},
    {"random, 1 thread, 10 alive", Pattern::kRandom, 1, 1, 10, 100, 48},
    {"random, 1 thread, 10,000 alive", Pattern::kRandom, 1, 1, 10'000, 2'000, 48},
    {"random, 4 threads, 100,000 alive", Pattern::kRandom, 4, 50, 100'000, 2'000,
     48},
    {"random, 1 thread, 1,000,000 alive", Pattern::kRandom, 1, 1, 1'000'000, 20'000,
     48},
    {"fill and free at random", Pattern::kFill, 1, 1, 0, 1'000, 32},
    {"fill and free at random, 256 B", Pattern::kFill, 1, 1, 0, 1'000, 272},
};

}  // namespace
}  // namespace mallogram

int main(int argc, char** argv) {
  const uint64_t events =
      argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 10'000'000;
  for (const mallogram::Shape& shape : mallogram::kShapes) {
    if (argc > 2 && std::strstr(shape.name, argv[2]) == nullptr) continue;
    mallogram::Harness harness(shape, events);
    harness.Run();
    harness.Print();
  }
}
