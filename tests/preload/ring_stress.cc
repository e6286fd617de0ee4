// Two threads, one small ring, the recorder's and the collector's full protocol:
// publish, wait when full, doorbell, sleep when empty. The consumer checks that it
// sees every word once, whole records, in order. The producer's sleep has no
// timeout here: a lost wake-up shows as a hang, where in the real thing it would
// cost some milliseconds.
//
// Built three times. -DPLANTED=0 must pass, also under ThreadSanitizer; the other
// two are the positive controls that show that this program can fail:
//   1  the record is published before it is written: the checker sees it
//   2  head is stored relaxed: ThreadSanitizer sees it (x86 hides it)

#include <sched.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "preload/image.h"
#include "preload/ring.h"
#include "preload/sys.h"

#ifndef PLANTED
#define PLANTED 0
#endif

namespace mallogram {
namespace {

constexpr uint32_t kWords = 64;  // small: full and empty many times
constexpr uint64_t kNoTimeout = uint64_t{3600} * 1'000'000'000;

RingSlot slot;
uint64_t data[kWords];
std::atomic<uint32_t> doorbell, collector_sleeps;
std::atomic<bool> finished;

// ring.h puts no fence anywhere; the handshake around it does. ThreadSanitizer
// does not know fences, and the protocol's happens-before edges don't need them.
void Fence() { std::atomic_thread_fence(std::memory_order_seq_cst); }

bool RingsDoorbell(uint64_t head, uint64_t* next_bell) {
  if (head < *next_bell) return false;
  *next_bell = head + kWords / 2;
  return true;
}

void Bell() {
  Fence();
  if (collector_sleeps.load(std::memory_order_relaxed) != 0) {
    doorbell.fetch_add(1, std::memory_order_release);
    sys::FutexWake(&doorbell, 1);
  }
}

// Record n: 1 to 4 words, each says record, length and place.
uint64_t Word(uint64_t n, uint32_t words, uint32_t i) {
  return n << 8 | words << 4 | i;
}

void WaitForRoom(RingWriter* writer, uint32_t words) {
  slot.producer_waits.store(1, std::memory_order_seq_cst);
  while (!writer->Reserve(words)) {
    const uint32_t expected = slot.tail_futex.load(std::memory_order_acquire);
    if (writer->Reserve(words)) break;
    Bell();
    sys::FutexWait(&slot.tail_futex, expected, kNoTimeout);
  }
  slot.producer_waits.store(0, std::memory_order_relaxed);
}

void Produce(uint64_t records) {
  RingWriter writer{};
  writer.Attach(&slot, data, kWords);
  uint64_t next_bell = kWords / 2;
  for (uint64_t n = 0; n < records; ++n) {
    const auto words = static_cast<uint32_t>(1 + (n * 7 >> 2) % kMaxRecordWords);
    if (!writer.Reserve(words)) WaitForRoom(&writer, words);
#if PLANTED == 1
    slot.head.store(writer.head() + words, std::memory_order_release);
    if (n % 64 == 0) sched_yield();
#endif
    for (uint32_t i = 0; i < words; ++i) writer.Put(Word(n, words, i));
#if PLANTED == 2
    slot.head.store(writer.head(), std::memory_order_relaxed);
#elif PLANTED == 0
    writer.Publish();
#endif
    if (RingsDoorbell(writer.head(), &next_bell)) Bell();
  }
  finished.store(true, std::memory_order_release);
  // The real collector learns of the end otherwise (pidfd, its own timeout).
  doorbell.fetch_add(1, std::memory_order_release);
  sys::FutexWake(&doorbell, 1);
}

[[noreturn]] void Fail(const char* what, uint64_t n) {
  std::printf("FAILED: %s at record %llu\n", what,
              static_cast<unsigned long long>(n));
  std::fflush(stdout);
  std::_Exit(1);
}

// Returns the number of records read; counts sleeps.
uint64_t Consume(uint64_t* sleeps) {
  RingReader reader;
  reader.Attach(&slot, data, kWords);
  uint64_t n = 0;
  for (;;) {
    // Read before the ring is: nothing can follow what the last round saw.
    const bool last = finished.load(std::memory_order_acquire);
    while (reader.Refresh() > 0) {
      // Half of what there is, at least a record: tail moves in odd steps.
      for (uint64_t budget = 1 + reader.available() / 2; budget > 0;) {
        const uint64_t first = reader.Peek();
        const auto words = static_cast<uint32_t>((first >> 4) & 15);
        if (words == 0 || words > reader.available()) Fail("half a record", n);
        for (uint32_t i = 0; i < words; ++i) {
          if (reader.Peek(i) != Word(n, words, i)) Fail("wrong word", n);
        }
        reader.Skip(words);
        ++n;
        if (reader.available() == 0) break;
        budget -= budget < words ? budget : words;
      }
      if (reader.damaged()) Fail("impossible head", n);
      reader.Release();
      Fence();
      if (slot.producer_waits.load(std::memory_order_relaxed) != 0) {
        slot.tail_futex.fetch_add(1, std::memory_order_release);
        sys::FutexWake(&slot.tail_futex, 1);
      }
    }
    if (last) return n;

    const uint32_t old = doorbell.load(std::memory_order_acquire);
    collector_sleeps.store(1, std::memory_order_relaxed);
    Fence();
    if (reader.Refresh() == 0 && !finished.load(std::memory_order_acquire)) {
      ++*sleeps;
      // Below half full nobody rings, which is what the real timeout is for.
      sys::FutexWait(&doorbell, old, 1'000'000);
    }
    collector_sleeps.store(0, std::memory_order_relaxed);
  }
}

}  // namespace
}  // namespace mallogram

int main(int argc, char** argv) {
  const uint64_t records =
      argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 10'000'000;
  std::thread producer(mallogram::Produce, records);
  uint64_t sleeps = 0;
  const uint64_t seen = mallogram::Consume(&sleeps);
  producer.join();
  std::printf("%llu of %llu records, the consumer slept %llu times\n",
              static_cast<unsigned long long>(seen),
              static_cast<unsigned long long>(records),
              static_cast<unsigned long long>(sleeps));
  return seen == records ? 0 : 1;
}
