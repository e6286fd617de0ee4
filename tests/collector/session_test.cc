// A session over an image made here: what ends up in the file, whatever happens to
// the disk, the threads and the collector.
#include "preload/collector/session.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/collector/session_fixture.h"

namespace mallogram {
namespace {

// Two modules, three stacks, two threads; what was written is what is read.
TEST_F(SessionTest, WholeFile) {
  TestImage image;
  options_.allocator = "jemalloc";
  options_.parent_trace = "parent.mgram";
  std::unique_ptr<Session> session = Open(&image);
  const uint32_t lib = image.AddModule("/lib/a.so", 0x7f0000000000);
  const uint32_t exe = image.AddModule("/bin/prog", 0x400000);
  const uint32_t main_node = image.AddNode(kRootComplete, 0x400123, exe);
  const uint32_t leaf = image.AddNode(main_node, 0x7f0000000456, lib);
  const uint32_t jit = image.AddNode(kRootStopped, 0xabcdef, kNoModule);
  const uint64_t t0 = ReadStamp(true);
  RecordWriter& a = image.OpenRing(getpid(), t0);
  RecordWriter& b = image.OpenRing(4242, t0);
  a.Block(RecordKind::kAlloc, t0 + 100, 0x1000, leaf, 100);
  a.Publish();
  EXPECT_TRUE(session->HasWork());
  while (session->HasWork()) session->Drain();
  b.Block(RecordKind::kAlloc, t0 + 200, 0x2000, jit, 50);
  b.Address(RecordKind::kMoveBegin, t0 + 250, 0x1000);
  b.Block(RecordKind::kMoveEnd, t0 + 300, 0x3000, main_node, 1000);
  b.Address(RecordKind::kFree, t0 + 350, 0x2000);
  b.Publish();
  image.modules()[lib].unload_tsc = ReadStamp(true);
  session->Tick(Monotonic());
  ASSERT_TRUE(session->Finish(EndReason::kExited, 3, 0).ok());

  const ReadTrace t = Read();
  EXPECT_EQ(t.error, "");
  EXPECT_TRUE(t.trailer);
  EXPECT_EQ(t.chunks.front(), ChunkType::kRun);
  EXPECT_EQ(t.chunks.back(), ChunkType::kIndex);
  EXPECT_EQ(t.run.pid, getpid());
  EXPECT_EQ(t.run.allocator, "jemalloc");
  EXPECT_EQ(t.run.parent_trace, "parent.mgram");
  char self[4096];
  const ssize_t self_bytes = readlink("/proc/self/exe", self, sizeof(self));
  EXPECT_EQ(t.run.executable, std::string(self, static_cast<size_t>(self_bytes)));
  EXPECT_FALSE(t.run.argv.empty());
  EXPECT_GT(t.run.tsc_hz, 100'000'000u);
  ASSERT_EQ(t.stacks.size(), 3u);
  EXPECT_EQ(t.stacks[0].offset, 0x123u);
  EXPECT_EQ(t.stacks[0].parent, kRootComplete);
  EXPECT_EQ(t.stacks[1].offset, 0x456u);
  EXPECT_EQ(t.stacks[1].parent, 4u);
  EXPECT_EQ(t.stacks[2].offset, 0xabcdefu);
  EXPECT_EQ(t.stacks[2].module, 0u);
  EXPECT_EQ(t.stacks[2].parent, kRootStopped);
  EXPECT_EQ(t.modules.at(t.stacks[1].module).path, "/lib/a.so");
  EXPECT_EQ(t.modules.at(t.stacks[1].module).build_id, "\1\2\3");
  EXPECT_NE(t.modules.at(t.stacks[1].module).unload_ns, 0u);
  EXPECT_EQ(t.modules.at(t.stacks[0].module).unload_ns, 0u);
  ASSERT_EQ(t.threads.size(), 2u);
  EXPECT_EQ(t.threads.at(0).tid, getpid());
  EXPECT_NE(t.threads.at(0).name, "");
  EXPECT_EQ(t.threads.at(1).tid, 4242);
  ASSERT_EQ(t.events.size(), 4u);
  EXPECT_EQ(t.events[2].kind, EventKind::kMove);
  EXPECT_EQ(t.events[2].thread, 1u);
  EXPECT_EQ(t.events[2].stack, 4u);
  ASSERT_EQ(t.index.size(), t.chunks.size() - 1);

  const Summary& s = *t.summary;
  EXPECT_EQ(s.end, EndReason::kExited);
  EXPECT_EQ(s.end_detail, 3);
  EXPECT_EQ(s.totals.allocations, 3u);
  EXPECT_EQ(s.totals.frees, 2u);
  EXPECT_EQ(s.totals.peak_heap_bytes, 1050u);
  EXPECT_EQ(s.totals.live_bytes, 1000u);
  EXPECT_GT(s.totals.peak_rss_bytes, 1'000'000u);  // this process's own
  EXPECT_EQ(s.loss.truncated_stacks, 1u);
  EXPECT_EQ(s.self.threads, 2u);
  EXPECT_EQ(s.self.stack_nodes, 3u);
  EXPECT_GT(s.self.collector_cpu_ns, 0u);
  EXPECT_GT(s.self.image_bytes, 0u);
  bool has_peak = false;
  for (const Sample& sample : s.timeline) {
    has_peak = has_peak || (sample.time_ns == s.totals.peak_time_ns &&
                            sample.heap_bytes == 1050);
  }
  EXPECT_TRUE(has_peak);
  EXPECT_EQ(EncodeSummary(session->summary()), EncodeSummary(s));
  struct stat info {};
  ASSERT_EQ(stat(options_.path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(SessionTest, ImageOfADeadProcess) {
  TestImage image;
  const uint64_t t0 = image.header()->start_tsc;
  RecordWriter& a = image.OpenRing(99, t0);
  for (int i = 0; i < 100; ++i)
    a.Block(RecordKind::kAlloc, t0 + i, 0x1000 + 16 * i, 0, 8);
  a.Publish();
  const pid_t child = fork();
  if (child == 0) _exit(0);
  waitpid(child, nullptr, 0);
  std::unique_ptr<Session> session = Open(&image, child);
  ASSERT_TRUE(session->Finish(EndReason::kVanished, -1, 12345).ok());
  const ReadTrace t = Read();
  EXPECT_EQ(t.error, "");
  EXPECT_EQ(t.events.size(), 100u);
  EXPECT_EQ(t.summary->totals.live_blocks, 100u);
  EXPECT_EQ(t.summary->totals.peak_rss_bytes, 12345u);
}

TEST_F(SessionTest, RefusesWhatIsThere) {
  TestImage image;
  std::ofstream(options_.path) << "precious";
  const auto session = Session::Open(image.DupFd(), getpid(), options_);
  EXPECT_TRUE(absl::IsAlreadyExists(session.status())) << session.status();
  EXPECT_EQ(FileBytes(options_.path), "precious");
  EXPECT_FALSE(CollectorAttached(*image.header()))
      << "a second try must be possible";
}

// Whatever is written half a second after an event survives the collector; and what
// survives is readable however the file is cut.
TEST_F(SessionTest, ReadableUpToTheLastWholeChunk) {
  TestImage image;
  std::unique_ptr<Session> session = Open(&image);
  const uint64_t t0 = ReadStamp(true);
  RecordWriter& a = image.OpenRing(1, t0);
  uint64_t now = Monotonic();
  for (uint32_t batch = 0; batch < 5; ++batch) {
    const uint32_t node = image.AddNode(kRootComplete, 0x100 + batch, kNoModule);
    for (uint32_t i = 0; i < 20; ++i) {
      a.Block(RecordKind::kAlloc, t0, 0x1000 + 16 * (100 * batch + i), node, 10);
    }
    a.Publish();
    while (session->HasWork()) session->Drain();
    session->Tick(now += kSecond);
    EXPECT_EQ(Read().events.size(), 20 * (batch + 1)) << "not in the file in time";
  }
  const std::string unfinished = FileBytes(options_.path);
  ASSERT_TRUE(session->Finish(EndReason::kExited, 0, 0).ok());
  const std::string whole = FileBytes(options_.path);
  EXPECT_EQ(whole.substr(0, unfinished.size()), unfinished);
  const ReadTrace all = ParseTrace(whole);
  size_t events = 0;
  for (size_t bytes = sizeof(FileHeader); bytes <= whole.size(); ++bytes) {
    const ReadTrace t = ParseTrace(std::string_view(whole).substr(0, bytes));
    ASSERT_EQ(t.error, "") << "cut at " << bytes;
    ASSERT_GE(t.events.size(), events);
    events = t.events.size();
    size_t chunks = 0;
    while (chunks < all.chunk_ends.size() && all.chunk_ends[chunks] <= bytes)
      ++chunks;
    ASSERT_EQ(t.chunks.size(), chunks);
    ASSERT_EQ(t.trailer, bytes == whole.size());
  }
  EXPECT_EQ(events, 100u);
}

// The limit on file sizes stands for a full disk.
TEST_F(SessionTest, FullDiskNeverStalls) {
  TestImage image;
  signal(SIGXFSZ, SIG_IGN);
  std::unique_ptr<Session> session = Open(&image);
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  const rlimit small{4000, old.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const uint64_t t0 = ReadStamp(true);
  RecordWriter& a = image.OpenRing(1, t0);
  std::mt19937_64 random(1);
  uint64_t now = Monotonic();
  for (int i = 0; i < 20000; ++i) {
    while (!a.HasRoom()) session->Drain();
    a.Block(RecordKind::kAlloc, t0, 16 * random(), 0, random() % 100000);
    a.Publish();
    if (i % 1000 == 0) {
      session->Drain();
      session->Tick(now += kSecond);
    }
  }
  const absl::Status status = session->Finish(EndReason::kExited, 0, 0);
  setrlimit(RLIMIT_FSIZE, &old);
  EXPECT_FALSE(status.ok());
  EXPECT_NE(session->trouble().find("File too large"), std::string::npos);
  EXPECT_EQ(session->summary().totals.allocations, 20000u) << "counted to the end";
  const std::string bytes = FileBytes(options_.path);
  const ReadTrace t = ParseTrace(bytes);
  EXPECT_EQ(t.error, "");
  EXPECT_GT(t.events.size(), 0u);
  EXPECT_EQ(t.chunk_ends.back(), bytes.size()) << "ends with a whole chunk";
}

TEST_F(SessionTest, SleepingProducerIsWoken) {
  TestImage image(1, 64);
  std::unique_ptr<Session> session = Open(&image);
  RecordWriter& a = image.OpenRing(1, ReadStamp(true));
  while (a.HasRoom()) a.Address(RecordKind::kFree, ReadStamp(true), 0x10);
  a.Publish();
  RingSlot* const slot = image.slot(0);
  std::thread producer([&] {
    slot->producer_waits.store(1, std::memory_order_seq_cst);
    const uint32_t expected = slot->tail_futex.load(std::memory_order_seq_cst);
    while (!a.HasRoom()) sys::FutexWait(&slot->tail_futex, expected, 20 * kSecond);
    slot->producer_waits.store(0);
  });
  const uint64_t start = Monotonic();
  while (slot->producer_waits.load() == 0) std::this_thread::yield();
  while (session->HasWork()) session->Drain();
  producer.join();
  EXPECT_LT(Monotonic() - start, 10 * kSecond) << "it slept on";
}

TEST_F(SessionTest, RingsOfDeadThreadsAreFreed) {
  TestImage image;
  std::unique_ptr<Session> session = Open(&image);
  int dead_tid = 0;
  std::thread([&] { dead_tid = static_cast<int>(syscall(SYS_gettid)); }).join();
  RecordWriter& dead = image.OpenRing(dead_tid, ReadStamp(true));
  image.OpenRing(static_cast<int>(syscall(SYS_gettid)), ReadStamp(true));
  while (session->HasWork()) session->Drain();
  dead.Address(RecordKind::kFree, ReadStamp(true), 0x100);
  dead.Publish();
  uint64_t now = Monotonic();
  for (int i = 0; i < 3; ++i) session->Tick(now += kSecond);
  EXPECT_EQ(image.slot(0)->state.load(), RingSlot::kOwned) << "unread records";
  while (session->HasWork()) session->Drain();
  session->Tick(now += kSecond);
  EXPECT_EQ(image.slot(0)->state.load(), RingSlot::kOwned) << "seen once only";
  session->Tick(now += kSecond);
  EXPECT_EQ(image.slot(0)->state.load(), RingSlot::kFree);
  EXPECT_EQ(image.slot(1)->state.load(), RingSlot::kOwned) << "this one lives";
}

// The word that the program looks at, through every kind of end.
TEST_F(SessionTest, ProgramSeesTheCollectorLiveAndDie) {
  TestImage image;
  EXPECT_FALSE(CollectorAttached(*image.header()));
  std::unique_ptr<Session> session = Open(&image);
  EXPECT_TRUE(CollectorAttached(*image.header()));
  EXPECT_FALSE(CollectorDied(*image.header()));
  session.reset();
  EXPECT_TRUE(CollectorDied(*image.header()));

  for (const int signal_number : {SIGKILL, 0}) {
    TestImage other, third;
    unlink(options_.path.c_str());
    int ready[2];
    ASSERT_EQ(pipe(ready), 0);
    const pid_t collector = fork();
    if (collector == 0) {
      std::unique_ptr<Session> first = Open(&other);
      options_.path += ".2";
      std::unique_ptr<Session> second = Open(&third);
      if (write(ready[1], "x", 1) != 1) _exit(1);
      if (signal_number == 0) _exit(0);
      pause();
    }
    char byte = 0;
    ASSERT_EQ(read(ready[0], &byte, 1), 1);
    if (signal_number != 0) {
      EXPECT_TRUE(CollectorAttached(*other.header()));
      EXPECT_FALSE(CollectorDied(*other.header()));
      kill(collector, signal_number);
    }
    waitpid(collector, nullptr, 0);
    EXPECT_TRUE(CollectorDied(*other.header()));
    EXPECT_TRUE(CollectorDied(*third.header()));
    close(ready[0]);
    close(ready[1]);
    unlink((options_.path + ".2").c_str());
  }
}

// With one thread, stamps are up to 64 events old; the rounds know better.
// Between the program and libstdc++ (operator new) may be frames of the library.
TEST_F(SessionTest, OwnFramesAreLeftOut) {
  TestImage image;
  image.header()->library_start = 0x10000;
  image.header()->library_end = 0x20000;
  std::unique_ptr<Session> session = Open(&image);
  const uint32_t user = image.AddNode(kRootComplete, 0xfff0, kNoModule);
  const uint32_t outer = image.AddNode(user, 0x10000, kNoModule);
  const uint32_t inner = image.AddNode(outer, 0x1ffff, kNoModule);
  const uint32_t operator_new = image.AddNode(inner, 0x20000, kNoModule);
  const uint64_t t0 = ReadStamp(true);
  RecordWriter& ring = image.OpenRing(1, t0);
  ring.Block(RecordKind::kAlloc, t0 + 1, 0x1000, operator_new, 10);
  ring.Block(RecordKind::kAlloc, t0 + 2, 0x2000, inner, 10);
  ring.Publish();
  session->Drain();
  ASSERT_TRUE(session->Finish(EndReason::kExited, 0, 0).ok());
  const ReadTrace t = Read();
  EXPECT_EQ(t.error, "");
  ASSERT_EQ(t.stacks.size(), 2u);
  EXPECT_EQ(t.stacks[0].offset, 0xfff0u);
  EXPECT_EQ(t.stacks[1].offset, 0x20000u);
  EXPECT_EQ(t.stacks[1].parent, kFirstStackId);
  ASSERT_EQ(t.events.size(), 2u);
  EXPECT_EQ(t.events[1].stack, kFirstStackId);
}

TEST_F(SessionTest, UnstampedEventsAreNoOlderThanTheRoundBefore) {
  TestImage image;
  image.header()->start_tsc -= 400'000'000;
  image.header()->start_monotonic_ns -= kSecond / 5;
  std::unique_ptr<Session> session = Open(&image);
  RecordWriter& a = image.OpenRing(1, image.header()->start_tsc);
  a.Unstamped(RecordKind::kFree, 0x100);
  a.Publish();
  session->Drain();
  a.Unstamped(RecordKind::kFree, 0x200);
  a.Publish();
  session->Drain();
  ASSERT_TRUE(session->Finish(EndReason::kExited, 0, 0).ok());
  const ReadTrace t = Read();
  ASSERT_EQ(t.events.size(), 2u);
  EXPECT_LT(t.events[0].time_ns, kSecond / 50);
  EXPECT_GT(t.events[1].time_ns, kSecond / 6);
}

// What is stamped after the round's clock waits: its predecessor may have been
// published after its ring was looked at. Here it is seen two rounds late.
TEST_F(SessionTest, RoundsDoNotLookAhead) {
  TestImage image;
  std::unique_ptr<Session> session = Open(&image);
  const uint64_t t0 = ReadStamp(true);
  RecordWriter& a = image.OpenRing(1, t0);
  RecordWriter& b = image.OpenRing(2, t0);
  a.Block(RecordKind::kAlloc, t0, 0x100, 0, 1);
  a.Publish();
  const uint64_t later = t0 + 100'000'000'000;  // half a minute
  b.Block(RecordKind::kAlloc, later, 0x100, 0, 2);
  b.Address(RecordKind::kFree, later + 4, 0x100);
  b.Publish();
  session->Drain();
  session->Drain();
  a.Address(RecordKind::kFree, later - 1000, 0x100);
  a.Publish();
  ASSERT_TRUE(session->Finish(EndReason::kExited, 0, 0).ok());
  EXPECT_EQ(session->summary().loss.order_violations, 0u);
  EXPECT_EQ(session->summary().totals.unknown_frees, 0u);
  EXPECT_EQ(session->summary().totals.frees, 2u);
}

}  // namespace
}  // namespace mallogram
