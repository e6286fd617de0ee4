#include "tests/analyzer/leaks/growth/kinds.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <list>
#include <queue>
#include <unordered_map>

namespace mallogram::growth_test {
namespace {

uint64_t Iterations(Script& script) { return script.Whole(20'000, 50'000); }

// Keys as people ask for things: the k-th most popular with weight k^-s.
class Popularity {
 public:
  Popularity(uint64_t keys, double s) : sums_(keys) {
    double sum = 0;
    for (uint64_t k = 0; k < keys; ++k) {
      sum += std::pow(static_cast<double>(k + 1), -s);
      sums_[k] = sum;
    }
  }
  uint64_t Draw(Script& script) const {
    const double x = script.Uniform(0, sums_.back());
    return static_cast<uint64_t>(std::upper_bound(sums_.begin(), sums_.end(), x) -
                                 sums_.begin());
  }

 private:
  std::vector<double> sums_;
};

// ---- bounded ----------------------------------------------------------------

// Least recently used goes first. `bytes`: the bound is one of bytes.
void Lru(Script& script, double skew, bool by_bytes) {
  const uint64_t iterations = Iterations(script);
  const uint64_t capacity = script.Whole(50, iterations / 20);
  const Popularity keys(capacity * script.Whole(3, 20), skew);
  struct Entry {
    uint64_t key;
    uint32_t block, bytes;
  };
  std::list<Entry> order;  // most recently used first
  std::unordered_map<uint64_t, std::list<Entry>::iterator> entries;
  uint64_t held = 0;
  const uint64_t bound = by_bytes ? capacity * 500 : capacity;
  for (uint64_t i = 0; i < iterations; ++i) {
    script.Work();
    const uint64_t key = keys.Draw(script);
    const auto found = entries.find(key);
    if (found != entries.end()) {
      order.splice(order.begin(), order, found->second);
      continue;
    }
    const auto bytes =
        static_cast<uint32_t>(by_bytes ? script.Whole(16, 1000) : 200);
    held += by_bytes ? bytes : 1;
    while (held > bound) {
      const Entry& last = order.back();
      held -= by_bytes ? last.bytes : 1;
      script.Free(last.block);
      entries.erase(last.key);
      order.pop_back();
    }
    order.push_front({key, script.Allocate(kTarget, bytes), bytes});
    entries[key] = order.begin();
  }
}
void LruEven(Script& script) { Lru(script, 0, false); }
void LruSkewed(Script& script) { Lru(script, script.Uniform(0.6, 1.2), false); }
void LruBytes(Script& script) { Lru(script, script.Uniform(0, 1), true); }

void RandomReplacement(Script& script) {
  const uint64_t iterations = Iterations(script);
  std::vector<uint32_t> slots;
  const uint64_t capacity = script.Whole(50, iterations / 3);
  for (uint64_t i = 0; i < iterations; ++i) {
    script.Work();
    if (slots.size() < capacity) {
      slots.push_back(script.Allocate(kTarget, 128));
      continue;
    }
    uint32_t& slot = slots[script.Whole(0, capacity - 1)];
    script.Free(slot);
    slot = script.Allocate(kTarget, 128);
  }
}

void RingBuffer(Script& script) {
  const uint64_t iterations = Iterations(script);
  const uint64_t capacity = script.Whole(10, iterations / 3);
  std::deque<uint32_t> ring;
  for (uint64_t i = 0; i < iterations; ++i) {
    script.Work();
    if (ring.size() == capacity) {
      script.Free(ring.front());
      ring.pop_front();
    }
    ring.push_back(
        script.Allocate(kTarget, static_cast<uint32_t>(script.Whole(20, 300))));
  }
}

// Nodes come and go around a level that the load bounds.
void HashNodes(Script& script) {
  const uint64_t iterations = Iterations(script);
  const double level = static_cast<double>(script.Whole(20, iterations / 20));
  std::vector<uint32_t> nodes;
  for (uint64_t i = 0; i < iterations; ++i) {
    script.Work();
    if (script.Chance(
            std::min(0.9, static_cast<double>(nodes.size()) / level / 2))) {
      std::swap(nodes[script.Whole(0, nodes.size() - 1)], nodes.back());
      script.Free(nodes.back());
      nodes.pop_back();
    } else {
      nodes.push_back(script.Allocate(kTarget, 48));
    }
  }
}

// Its bucket arrays: they double while it fills, to a bound.
void HashBuckets(Script& script) {
  const uint64_t iterations = Iterations(script);
  uint32_t bytes = 64, held = 0, block = script.Allocate(kTarget, bytes);
  const uint64_t bound = script.Whole(100, iterations / 2);
  for (uint64_t i = 0; i < iterations; ++i) {
    script.Work();
    if (held < bound && ++held * 8 > bytes) {
      bytes *= 2;
      script.Free(block);
      block = script.Allocate(kTarget, bytes);
    }
  }
}

// Customers wait; the load is below 1.
void Queue(Script& script) {
  const uint64_t iterations = Iterations(script);
  const double load = script.Uniform(0.5, 0.95);
  std::deque<uint32_t> queue;
  for (uint64_t i = 0; i < iterations; ++i) {
    script.Work();
    if (script.Chance(0.5 * load)) queue.push_back(script.Allocate(kTarget, 96));
    if (!queue.empty() && script.Chance(0.5)) {
      script.Free(queue.front());
      queue.pop_front();
    }
  }
}

// A pool that takes a chunk from the heap when it has none free.
void HighWaterPool(Script& script) {
  const uint64_t iterations = Iterations(script);
  const double load = script.Uniform(0.5, 0.95);
  const uint64_t per_chunk = script.Whole(1, 4);
  uint64_t waiting = 0, room = 0;
  for (uint64_t i = 0; i < iterations; ++i) {
    script.Work();
    if (script.Chance(0.5 * load) && ++waiting > room) {
      script.Allocate(kTarget, 4096);
      room += per_chunk;
    }
    if (waiting > 0 && script.Chance(0.5)) --waiting;
  }
}

// Collected until there is a batch, then all of it goes.
void Batches(Script& script) {
  const uint64_t iterations = Iterations(script);
  const uint64_t batch = script.Whole(20, iterations / 3);
  std::vector<uint32_t> held;
  for (uint64_t i = 0; i < iterations; ++i) {
    script.Work();
    held.push_back(script.Allocate(kTarget, 80));
    if (held.size() < batch) continue;
    for (uint32_t block : held) script.Free(block);
    held.clear();
  }
}

void OneTimeTables(Script& script) {
  const uint64_t iterations = Iterations(script);
  const uint64_t tables = script.Whole(8, 5000);
  for (uint64_t i = 0; i < tables; ++i) {
    script.Allocate(kTarget, static_cast<uint32_t>(script.Whole(16, 4000)));
    if (i % 8 == 0) script.Work();
  }
  for (uint64_t i = 0; i < iterations; ++i) script.Work();
}

void RampThenPlateau(Script& script) {
  const uint64_t iterations = Iterations(script);
  const double full = script.Uniform(0.1, 0.6);
  const double some = script.Uniform(0.01, 1);
  for (uint64_t i = 0; i < iterations; ++i) {
    script.Work();
    if (static_cast<double>(i) < full * static_cast<double>(iterations) &&
        script.Chance(some)) {
      script.Allocate(kTarget, 256);
    }
  }
}

// Names are kept once each; most have been seen.
void InternedNames(Script& script) {
  const uint64_t iterations = Iterations(script);
  const uint64_t names =
      script.Whole(20, static_cast<uint64_t>(static_cast<double>(iterations) /
                                             script.Uniform(3, 20)));
  std::vector<bool> seen(names);
  for (uint64_t i = 0; i < iterations; ++i) {
    script.Work();
    const uint64_t name = script.Whole(0, names - 1);
    if (seen[name]) continue;
    seen[name] = true;
    script.Allocate(kTarget, 40);
  }
}

// As many sessions as people are there: a level with a long memory.
void Wandering(Script& script) {
  const uint64_t iterations = Iterations(script);
  const double memory = static_cast<double>(iterations) / script.Uniform(5, 100);
  const double center = script.Uniform(100, 1000), sd = center / 6;
  double level = center;
  std::vector<uint32_t> sessions;
  std::normal_distribution<double> noise;
  for (uint64_t i = 0; i < iterations; ++i) {
    script.Work();
    level += (center - level) / memory +
             sd * std::sqrt(2 / memory) * noise(script.random);
    while (static_cast<double>(sessions.size()) < level) {
      sessions.push_back(script.Allocate(kTarget, 300));
    }
    while (!sessions.empty() && static_cast<double>(sessions.size()) > level + 1) {
      std::swap(sessions[script.Whole(0, sessions.size() - 1)], sessions.back());
      script.Free(sessions.back());
      sessions.pop_back();
    }
  }
}

// Blocks with a lifetime, from `Draw`.
template <typename Draw>
void Lifetimes(Script& script, uint64_t iterations, double leaks, uint64_t from,
               Draw draw) {
  using Death = std::pair<uint64_t, uint32_t>;
  std::priority_queue<Death, std::vector<Death>, std::greater<Death>> deaths;
  for (uint64_t i = 0; i < iterations; ++i) {
    script.Work();
    while (!deaths.empty() && deaths.top().first <= i) {
      script.Free(deaths.top().second);
      deaths.pop();
    }
    const uint32_t block = script.Allocate(kTarget, 120);
    if (i >= from && script.Chance(leaks)) continue;
    deaths.emplace(i + 1 + static_cast<uint64_t>(draw()), block);
  }
}
void ExpiringCache(Script& script) {
  const uint64_t iterations = Iterations(script);
  const double life = script.Uniform(10, static_cast<double>(iterations) / 4);
  Lifetimes(script, iterations, 0, 0, [&] { return life; });
}
void LongLives(Script& script) {
  const double shape = script.Uniform(1.5, 2.5);
  Lifetimes(script, Iterations(script), 0, 0,
            [&] { return 5 * std::pow(script.Uniform(1e-12, 1), -1 / shape); });
}
// As many as the hour of the day has.
void DayAndNight(Script& script) {
  const uint64_t iterations = Iterations(script);
  const double days = script.Uniform(2, 10), phase = script.Uniform(0, 6.28);
  const double most = script.Uniform(50, 500);
  std::deque<uint32_t> sessions;
  for (uint64_t i = 0; i < iterations; ++i) {
    script.Work();
    const double level =
        most * (1.1 + std::sin(phase + 6.2832 * days * static_cast<double>(i) /
                                           static_cast<double>(iterations)));
    if (static_cast<double>(sessions.size()) < level) {
      sessions.push_back(script.Allocate(kTarget, 200));
    } else if (static_cast<double>(sessions.size()) > level + 1) {
      script.Free(sessions.front());
      sessions.pop_front();
    }
  }
}
// A cache whose size is raised once.
void OneStep(Script& script) {
  const uint64_t iterations = Iterations(script);
  const uint64_t small = script.Whole(20, iterations / 40);
  const uint64_t large = small * script.Whole(2, 4);
  const uint64_t when = script.Whole(iterations / 5, iterations * 3 / 5);
  std::deque<uint32_t> held;
  for (uint64_t i = 0; i < iterations; ++i) {
    script.Work();
    held.push_back(script.Allocate(kTarget, 150));
    if (held.size() <= (i < when ? small : large)) continue;
    script.Free(held.front());
    held.pop_front();
  }
}

// ---- growing ----------------------------------------------------------------

void LeakOneInThousand(Script& script) {
  SlowLeak(script, script.Whole(30'000, 60'000));
}
void LeakBeneathChurn(Script& script) {
  const double life = script.Uniform(1, 300);
  std::exponential_distribution<double> lives(1 / life);
  Lifetimes(script, script.Whole(40'000, 60'000), 1e-3, 0,
            [&] { return lives(script.random); });
}
void LateLeak(Script& script) {
  const uint64_t iterations = 50'000;
  std::exponential_distribution<double> lives(1 / script.Uniform(1, 100));
  Lifetimes(script, iterations, 2e-3,
            script.Whole(iterations * 3 / 10, iterations * 6 / 10),
            [&] { return lives(script.random); });
}
// A list of sessions that nobody ever leaves.
void SessionList(Script& script) {
  const uint64_t iterations = Iterations(script);
  const double some = script.Uniform(0.005, 0.2);
  for (uint64_t i = 0; i < iterations; ++i) {
    script.Work();
    if (script.Chance(some)) script.Allocate(kTarget, 400);
  }
}
// A tenth of each batch is forgotten.
void ForgottenTenth(Script& script) {
  for (uint64_t i = 0; i < 5000; ++i) {
    script.Work();
    uint32_t batch[10];
    for (uint32_t& block : batch) block = script.Allocate(kTarget, 64);
    script.Work();
    for (int j = 1; j < 10; ++j) script.Free(batch[j]);
  }
}
void LeakAfterTables(Script& script) {
  for (int i = 0; i < 300; ++i) script.Allocate(kTarget, 500);
  for (uint64_t i = 0; i < 50'000; ++i) {
    script.Work();
    const uint32_t block = script.Allocate(kTarget, 500);
    if (!script.Chance(2e-3)) script.Free(block);
  }
}
// Work comes faster than it is done.
void Backlog(Script& script) {
  const uint64_t iterations = Iterations(script);
  const double load = script.Uniform(1.1, 2);
  std::deque<uint32_t> queue;
  for (uint64_t i = 0; i < iterations; ++i) {
    script.Work();
    if (script.Chance(0.5)) queue.push_back(script.Allocate(kTarget, 96));
    if (!queue.empty() && script.Chance(0.5 / load)) {
      script.Free(queue.front());
      queue.pop_front();
    }
  }
}
// A log in memory: enlarged by the same amount, again and again.
void EndlessBuffer(Script& script) {
  const uint64_t iterations = Iterations(script);
  uint32_t bytes = 0, block = script.Allocate(kTarget, 16);
  for (uint64_t i = 0; i < iterations; ++i) {
    script.Work();
    if (i % 50 != 0) continue;
    bytes += 1024;
    script.Free(block);
    block = script.Allocate(kTarget, bytes);
  }
}

constexpr Kind kKinds[] = {
    {"LRU cache, keys alike", false, LruEven},
    {"LRU cache, popular keys", false, LruSkewed},
    {"LRU cache bounded in bytes", false, LruBytes},
    {"random replacement", false, RandomReplacement},
    {"ring buffer", false, RingBuffer},
    {"expiring cache", false, ExpiringCache},
    {"hash table's nodes", false, HashNodes},
    {"hash table's buckets", false, HashBuckets},
    {"interned names", false, InternedNames},
    {"pool with high water", false, HighWaterPool},
    {"queue", false, Queue},
    {"batches", false, Batches},
    {"one-time tables", false, OneTimeTables},
    {"ramp, then plateau", false, RampThenPlateau},
    {"one step up", false, OneStep},
    {"wandering level", false, Wandering},
    {"day and night", false, DayAndNight},
    {"long lives (Pareto)", false, LongLives},
    {"leak, 1 in 1,000", true, LeakOneInThousand},
    {"the same beneath churn", true, LeakBeneathChurn},
    {"late leak beneath churn", true, LateLeak},
    {"session list", true, SessionList},
    {"a tenth is forgotten", true, ForgottenTenth},
    {"leak after tables", true, LeakAfterTables},
    {"backlog", true, Backlog},
    {"buffer without end", true, EndlessBuffer},
};

}  // namespace

absl::Span<const Kind> AllKinds() { return kKinds; }

void SlowLeak(Script& script, uint64_t iterations) {
  for (uint64_t i = 0; i < iterations; ++i) {
    script.Work();
    if (script.Chance(1e-3)) script.Allocate(kTarget, 64);
  }
}

}  // namespace mallogram::growth_test
