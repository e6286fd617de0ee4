// Events through encoder and decoder: random programs come back as they were, and
// damaged bytes end in an error, never beyond the payload.
#include "preload/trace/event_codec.h"

#include <gtest/gtest.h>

#include <random>

#include "preload/trace/heap_model.h"
#include "tests/trace/damage.h"

namespace mallogram {
namespace {

std::vector<Event> DecodeAll(std::string_view payload) {
  EventDecoder decoder;
  EXPECT_TRUE(decoder.Init(payload).ok());
  std::vector<Event> events;
  Event event;
  while (decoder.Next(&event)) events.push_back(event);
  EXPECT_TRUE(decoder.status().ok()) << decoder.status();
  EXPECT_EQ(events.size(), decoder.event_count());
  return events;
}

// A program that a HeapModel accepts, from `threads` threads; times grow as
// `step` says.
template <typename Step>
std::vector<Event> RandomEvents(int count, uint32_t threads, uint32_t seed,
                                Step step) {
  std::mt19937 random(seed);
  HeapModel model;
  std::vector<uint32_t> live;
  std::vector<Event> events;
  uint64_t now = 12345;
  for (int i = 0; i < count; ++i) {
    Event event;
    event.thread = random() % threads;
    event.stack = 4 + random() % 300;
    event.size = random() % 2 == 0 ? 24 : random() % 100000;
    event.time_ns = now += step(random);
    const uint32_t what = random() % 100;
    const size_t victim = live.empty() ? 0 : random() % live.size();
    if (what < 45 || (what < 96 && live.empty())) {
      event.kind = EventKind::kAlloc;
      live.push_back(model.Allocate(event.thread, event.stack, event.size, now));
    } else if (what < 85) {
      event.kind = EventKind::kFree;
      event.slot = live[victim];
      model.Free(event.thread, event.slot, now);
      live[victim] = live.back();
      live.pop_back();
    } else if (what < 96) {
      event.kind = EventKind::kMove;
      event.slot = live[victim];
      live[victim] =
          model.Move(event.thread, event.slot, event.stack, event.size, now);
    } else if (what < 98) {
      event.kind = EventKind::kFreeUnknown;
    } else {
      event.kind = EventKind::kLost;
      event.count = random() % 1000;
    }
    // What a kind does not carry reads back as its default.
    if (event.kind == EventKind::kFree || event.kind == EventKind::kFreeUnknown) {
      event.stack = 0;
      event.size = 0;
    }
    events.push_back(event);
  }
  return events;
}

uint64_t Distance(uint64_t a, uint64_t b) { return a > b ? a - b : b - a; }

void ExpectSame(const std::vector<Event>& got, const std::vector<Event>& want) {
  ASSERT_EQ(got.size(), want.size());
  uint64_t previous = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    ASSERT_EQ(got[i].kind, want[i].kind) << i;
    ASSERT_EQ(got[i].thread, want[i].thread) << i;
    ASSERT_EQ(got[i].slot, want[i].slot) << i;
    ASSERT_EQ(got[i].stack, want[i].stack) << i;
    ASSERT_EQ(got[i].size, want[i].size) << i;
    ASSERT_EQ(got[i].count, want[i].count) << i;
    ASSERT_LE(Distance(got[i].time_ns, want[i].time_ns), kAnchorErrorNs) << i;
    ASSERT_GE(got[i].time_ns, previous) << i;
    previous = got[i].time_ns;
  }
}

TEST(EventCodec, RoundTripsOverBatches) {
  const std::vector<Event> events =
      RandomEvents(5000, 5, 1, [](auto& random) { return random() % 300; });
  EventEncoder encoder;
  std::vector<Event> got;
  size_t first = 0;
  for (size_t i = 0; i < events.size(); ++i) {
    encoder.Add(events[i]);
    // Batches of 1, 2, 3 … events: every position of an anchor meets an end.
    if (encoder.event_count() > first % 150) {
      EXPECT_EQ(encoder.first_event() + encoder.event_count(), i + 1);
      const std::string payload = encoder.Take();
      for (const Event& event : DecodeAll(payload)) got.push_back(event);
      ++first;
    }
  }
  for (const Event& event : DecodeAll(encoder.Take())) got.push_back(event);
  ExpectSame(got, events);
}

TEST(EventCodec, EmptyBatch) {
  EventEncoder encoder;
  EXPECT_TRUE(DecodeAll(encoder.Take()).empty());
}

// Bursts, pauses, seconds and hours between events: off by at most the bound.
TEST(EventCodec, TimesStayWithinTheBound) {
  const auto steps = [](int shape) {
    return [shape, i = 0](std::mt19937& random) mutable -> uint64_t {
      ++i;
      switch (shape) {
        case 0:
          return 0;
        case 1:
          return 37;
        case 2:
          return random() % 100 == 0 ? random() % 1'000'000'000 : random() % 50;
        case 3:
          return random() % 2'000'000;
        case 4:
          return i % 64 == 0 ? 3'600'000'000'000 : 1;
        case 5:
          return static_cast<uint64_t>(i % 64) * 1000;  // speeds up, 64 at a time
        case 6:
          return static_cast<uint64_t>(64 - i % 64) * 1000;  // slows down
        case 8:
          return uint64_t{1} << random() % 20;
        case 9:  // near an anchor, then further and further off
          return i % 32 < 10 ? 400 : static_cast<uint64_t>(i % 32) * 300;
        default:
          return i % 64 == 1 ? 15'000 : 0;  // stamps come once in 64 events
      }
    };
  };
  for (int shape = 0; shape <= 9; ++shape) {
    SCOPED_TRACE(shape);
    const std::vector<Event> events = RandomEvents(3000, 2, 7, steps(shape));
    EventEncoder encoder;
    for (const Event& event : events) encoder.Add(event);
    EXPECT_EQ(encoder.end_ns(), events.back().time_ns);
    ExpectSame(DecodeAll(encoder.Take()), events);
  }
}

// Interpolation is the point: steady programs pay no byte an event for times.
TEST(EventCodec, SteadyLoopIsSmall) {
  EventEncoder encoder;
  Event event;
  for (int i = 0; i < 20000; ++i) {
    event.time_ns += 40;
    event.kind = i % 2 == 0 ? EventKind::kAlloc : EventKind::kFree;
    event.stack = 9;
    event.size = 16;
    encoder.Add(event);
  }
  // kind 1, and either stack 1 + size 1 or slot 1; anchors 3 bytes in 64.
  EXPECT_LT(encoder.approximate_bytes(), 20000 * 5 / 2 + 20000 / 16);
}

// Writer and reader simulate the same slots: a replay of the decoded events
// through Apply never misses and ends in the same heap.
TEST(EventCodec, SlotsAreDeterministic) {
  const std::vector<Event> events =
      RandomEvents(20000, 3, 99, [](auto& random) { return random() % 100; });
  EventEncoder encoder;
  HeapModel direct;
  for (const Event& event : events) {
    encoder.Add(event);
    ASSERT_TRUE(direct.Apply(event));
  }
  HeapModel replayed;
  for (const Event& event : DecodeAll(encoder.Take())) {
    ASSERT_TRUE(replayed.Apply(event));
  }
  Summary a = direct.Summarize(), b = replayed.Summarize();
  // Times are interpolated, all else is exact.
  a.totals.peak_time_ns = b.totals.peak_time_ns;
  a.totals.duration_ns = b.totals.duration_ns;
  for (size_t i = 0; i < a.sites.size(); ++i) {
    a.sites[i].lifetime_ns = b.sites[i].lifetime_ns;
  }
  EXPECT_EQ(EncodeSummary(a), EncodeSummary(b));
}

// No damage makes the decoder or the model do more than refuse.
TEST(EventCodec, SurvivesEveryDamage) {
  EventEncoder encoder;
  for (const Event& event :
       RandomEvents(200, 3, 5, [](auto& random) { return random() % 90000; })) {
    encoder.Add(event);
  }
  const std::string payload = encoder.Take();
  int refused = 0, accepted = 0;
  ForEachDamage(payload, [&](const std::string& damaged) {
    EventDecoder decoder;
    if (!decoder.Init(damaged).ok()) {
      ++refused;
      Event event;
      ASSERT_FALSE(decoder.Next(&event));
      return;
    }
    ASSERT_EQ(damaged.size(), payload.size()) << "a cut payload was accepted";
    HeapModel model;
    Event event;
    uint64_t events = 0;
    while (decoder.Next(&event)) {
      model.Apply(event);
      ASSERT_LE(++events, 200u);
    }
    decoder.status().ok() ? ++accepted : ++refused;
    EncodeSummary(model.Summarize());
  });
  EXPECT_GT(refused, 1000);
  EXPECT_GT(accepted, 0);  // a changed size is a size
}

}  // namespace
}  // namespace mallogram
