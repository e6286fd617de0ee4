// N simulated threads share an allocator that gives out the address freed last;
// they pass blocks to one another, free and realloc each other's, and write what a
// recorder would write. The session's summary must equal what really happened.
//
// A thread's operation is several steps, between which others run: an allocation
// takes its address, then its stamp, and is published later; a free is stamped,
// published, and only then is its address free. Stamps may be skewed per thread, by
// more than an address takes to change hands once, but less than twice: what lies
// closer than that, no stamps can tell apart.
#include <gtest/gtest.h>
#include <unistd.h>

#include <random>

#include "absl/strings/str_cat.h"
#include "preload/collector/session.h"
#include "tests/collector/read_trace.h"
#include "tests/collector/test_image.h"
#include "tests/collector/truth.h"

namespace mallogram {
namespace {

struct Shape {
  uint32_t threads;
  bool delays;        // steps of one operation may lie apart
  uint64_t max_skew;  // ticks, between two threads
  bool stamped;       // every event, or one in kStampWords (single thread)
};

constexpr uint32_t kSites = 40;
constexpr uint64_t kHop = 40;            // least time between two steps
constexpr uint64_t kPast = 400'000'000;  // ticks: all stamps lie before now

class Simulator {
 public:
  Simulator(const Shape& shape, uint32_t seed)
      : shape_(shape), random_(seed), image_(shape.threads, 1024) {
    image_.header()->start_tsc -= kPast;
    image_.header()->start_monotonic_ns -= kPast / 2;
    now_ = image_.header()->start_tsc + 1'000'000;
    sites_ = MakeSites(&image_, kSites);
    path_ = absl::StrCat(testing::TempDir(), "/simulate.", getpid(), ".mgram");
    unlink(path_.c_str());
    SessionOptions options;
    options.path = path_;
    session_ = Session::Open(image_.DupFd(), getpid(), options).value();
    threads_.resize(shape.threads);
    for (uint32_t i = 0; i < shape.threads; ++i) {
      threads_[i].skew = random_() % (shape.max_skew + 1);
      threads_[i].ring = &image_.OpenRing(1000 + static_cast<int>(i), now_);
    }
  }
  ~Simulator() { unlink(path_.c_str()); }

  void Run(int steps) {
    for (int i = 0; i < steps; ++i) {
      now_ += kHop + random_() % 60;
      Step(random_() % shape_.threads);
      if (random_() % 300 == 0) session_->Drain();
      if (random_() % 5000 == 0) session_->Tick(now_);
    }
    // Everyone finishes what they are at.
    for (uint32_t i = 0; i < shape_.threads; ++i) {
      while (threads_[i].state != State::kIdle) {
        now_ += kHop;
        Step(i);
      }
    }
    ASSERT_LT(now_, image_.header()->start_tsc + kPast);
    ASSERT_TRUE(session_->Finish(EndReason::kExited, 0, 0).ok());
  }

  void Check() {
    const ReadTrace trace = ParseTrace(FileBytes(path_));
    ASSERT_EQ(trace.error, "");
    const bool order = !shape_.delays && shape_.max_skew == 0;
    const std::vector<uint32_t> file_stacks = FindSites(trace.stacks, kSites);
    truth_.ExpectEqual(session_->summary(), file_stacks, order);
    // A reader without the footer comes to the same.
    truth_.ExpectEqual(trace.model.Summarize(), file_stacks, order);
    EXPECT_EQ(trace.summary->totals.allocations,
              session_->summary().totals.allocations);
  }

 private:
  struct Held {
    uint64_t address;
    TrueBlock block;
  };
  enum class State { kIdle, kAllocated, kFreeing, kMoveBeginning, kMoving, kMoved };
  struct Thread {
    State state = State::kIdle;
    RecordWriter* ring = nullptr;
    uint64_t skew = 0;
    uint32_t until_stamp = 1;
    uint64_t stamp = 0;    // of the step under way
    uint64_t address = 0;  // likewise
    uint64_t new_address = 0;
    uint32_t site = 0;
    uint64_t size = 0;
    bool fails = false;  // the realloc under way
    TrueBlock block{};
  };

  uint64_t TakeAddress() {
    if (pool_.empty()) return next_address_ += 16;
    const uint64_t address = pool_.back();
    pool_.pop_back();
    return address;
  }

  void Room(Thread* t) {
    while (!t->ring->HasRoom()) session_->Drain();
  }
  void PutBlock(Thread* t, RecordKind kind) {
    Room(t);
    t->ring->Block(kind, t->stamp, t->new_address, sites_[t->site], t->size);
    t->ring->Publish();
  }
  void PutAddress(Thread* t, RecordKind kind) {
    Room(t);
    t->ring->Address(kind, t->stamp, t->address);
    t->ring->Publish();
  }
  void Stamp(Thread* t) {
    t->stamp = now_ + t->skew;
    if (shape_.stamped) return;
    // As the recorder does while it is alone: the stamp of up to 64 events ago.
    if (--t->until_stamp == 0) {
      t->until_stamp = kStampWords;
      last_single_stamp_ = now_;
    }
    t->stamp = last_single_stamp_;
  }

  // One step of one thread. Without delays an operation is one step, so stamps
  // are in the true order; a realloc's two ends stay two.
  void Step(uint32_t index) {
    Thread& t = threads_[index];
    const State before = t.state;
    switch (before) {
      case State::kIdle:
        Begin(&t);
        break;
      case State::kAllocated:
        PutBlock(&t, RecordKind::kAlloc);
        held_.push_back({t.new_address, truth_.Allocate(index, t.site, t.size)});
        t.state = State::kIdle;
        break;
      case State::kFreeing:
        PutAddress(&t, RecordKind::kFree);
        truth_.Free(index, t.block);
        pool_.push_back(t.address);
        t.state = State::kIdle;
        break;
      case State::kMoveBeginning:
        PutAddress(&t, RecordKind::kMoveBegin);
        t.fails = random_() % 10 == 0;
        if (!t.fails) pool_.push_back(t.address);
        t.state = State::kMoving;
        break;
      case State::kMoving:
        if (!t.fails) t.new_address = TakeAddress();
        Stamp(&t);
        t.state = State::kMoved;
        break;
      case State::kMoved:
        if (t.fails) {
          PutAddress(&t, RecordKind::kMoveFail);
          held_.push_back({t.address, t.block});
        } else {
          PutBlock(&t, RecordKind::kMoveEnd);
          held_.push_back(
              {t.new_address, truth_.Move(index, t.block, t.site, t.size)});
        }
        t.state = State::kIdle;
        break;
    }
    const bool at_once =
        t.state == State::kAllocated || t.state == State::kFreeing ||
        t.state == State::kMoveBeginning || t.state == State::kMoved;
    if (at_once && !shape_.delays) Step(index);
  }

  void Begin(Thread* t) {
    const uint32_t what = random_() % 100;
    // Grows to some hundred blocks, then shrinks again, over and over.
    const bool grow = (now_ >> 16) % 2 == 0;
    t->site = random_() % kSites;
    t->size = random_() % 3 == 0 ? 64 : random_() % 5000;
    if (held_.empty() || what < (grow ? 55u : 35u)) {
      t->new_address = TakeAddress();
      Stamp(t);
      t->state = State::kAllocated;
      return;
    }
    const size_t victim =
        random_() % 4 == 0 ? held_.size() - 1 : random_() % held_.size();
    t->address = held_[victim].address;
    t->block = held_[victim].block;
    held_[victim] = held_.back();
    held_.pop_back();
    Stamp(t);
    t->state = what < 85 ? State::kFreeing : State::kMoveBeginning;
  }

  const Shape shape_;
  std::mt19937 random_;
  TestImage image_;
  std::vector<uint32_t> sites_;
  std::string path_;
  std::unique_ptr<Session> session_;
  std::vector<Thread> threads_;
  std::vector<uint64_t> pool_;
  std::vector<Held> held_;
  uint64_t next_address_ = 0x10000;
  uint64_t now_ = 0, last_single_stamp_ = 0;
  Truth truth_;
};

class Simulate : public testing::TestWithParam<Shape> {};

TEST_P(Simulate, SummaryEqualsTruth) {
  for (uint32_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(seed);
    Simulator simulator(GetParam(), seed);
    simulator.Run(20000);
    simulator.Check();
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, Simulate,
                         testing::Values(Shape{1, false, 0, true},   //
                                         Shape{1, false, 0, false},  //
                                         Shape{2, false, 0, true},   //
                                         Shape{8, false, 0, true},   //
                                         Shape{4, true, 0, true},    //
                                         Shape{16, true, 0, true},   //
                                         Shape{4, false, 75, true},  //
                                         Shape{16, true, 75, true}));

}  // namespace
}  // namespace mallogram
