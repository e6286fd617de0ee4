// What an event costs the collector: CPU time from ring to compressed chunk, bytes
// stored, memory. Not a test: prints figures.
//
//   meson test --benchmark drain   (or run the program; arguments: events)
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <random>

#include "preload/collector/process_facts.h"
#include "preload/collector/session.h"
#include "tests/collector/test_image.h"

namespace mallogram {
namespace {

struct Shape {
  const char* name;
  uint32_t threads;
  uint32_t live;  // blocks held at a time, freed in random order
  uint32_t sites;
};

void Measure(const Shape& shape, uint64_t events) {
  const std::string path = "/tmp/drain-benchmark." + std::to_string(getpid());
  TestImage image(shape.threads, 1 << 17, shape.sites + kFirstNode);
  std::vector<uint32_t> stacks;
  for (uint32_t i = 0; i < shape.sites; ++i) {
    const uint32_t parent = i < 20 ? kRootComplete : stacks[i - 1 - i % 20];
    stacks.push_back(image.AddNode(parent, 0x400000 + 37 * i, kNoModule));
  }
  SessionOptions options;
  options.path = path;
  const uint64_t rss_before = OwnRssBytes();
  std::unique_ptr<Session> session =
      Session::Open(image.DupFd(), getpid(), options).value();
  std::vector<RecordWriter*> rings;
  for (uint32_t i = 0; i < shape.threads; ++i) {
    rings.push_back(&image.OpenRing(static_cast<int>(i) + 1, ReadStamp(true)));
  }
  std::mt19937 random(1);
  std::vector<uint64_t> held, pool;
  uint64_t next_address = 0x7f0000000000;
  uint32_t site = 0;
  for (uint64_t i = 0; i < events; ++i) {
    RecordWriter& ring = *rings[(i / 50) % shape.threads];
    if (!ring.HasRoom()) {
      session->Drain();
      while (!ring.HasRoom()) session->Drain();
    }
    if (held.size() < shape.live || (i % 2 == 0 && held.size() == shape.live)) {
      uint64_t address = next_address;
      if (pool.empty()) {
        next_address += 48;
      } else {
        address = pool.back();
        pool.pop_back();
      }
      // Call sites come in runs and come back, as in programs.
      if (random() % 4 == 0) site = random() % shape.sites;
      ring.Block(RecordKind::kAlloc, ReadStamp(true), address, stacks[site],
                 16 + site % 100);
      held.push_back(address);
    } else {
      const size_t victim = random() % held.size();
      ring.Address(RecordKind::kFree, ReadStamp(true), held[victim]);
      pool.push_back(held[victim]);
      held[victim] = held.back();
      held.pop_back();
    }
    ring.Publish();
  }
  while (session->HasWork()) session->Drain();
  const uint64_t rss = OwnRssBytes() - rss_before;
  if (!session->Finish(EndReason::kExited, 0, 0).ok()) abort();
  const SelfReport& self = session->summary().self;
  std::printf(
      "%-34s %6.1f ns CPU an event  %5.2f bytes an event  %7.1f MiB RSS grown "
      "(image and the harness's own lists included)  violations %llu\n",
      shape.name,
      static_cast<double>(self.collector_cpu_ns) / static_cast<double>(self.events),
      static_cast<double>(self.event_file_bytes) / static_cast<double>(self.events),
      static_cast<double>(rss) / (1 << 20),
      static_cast<unsigned long long>(session->summary().loss.order_violations));
  unlink(path.c_str());
}

}  // namespace
}  // namespace mallogram

int main(int argc, char** argv) {
  const uint64_t events =
      argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 4'000'000;
  for (const mallogram::Shape& shape :
       {mallogram::Shape{"loop, 1 thread, 10 alive", 1, 10, 100},
        mallogram::Shape{"1 thread, 10,000 alive", 1, 10'000, 2'000},
        mallogram::Shape{"1 thread, 1,000,000 alive", 1, 1'000'000, 20'000},
        mallogram::Shape{"4 threads, 100,000 alive", 4, 100'000, 2'000}}) {
    mallogram::Measure(shape, events);
  }
}
