// Programs in small: kinds of call sites whose growth is known, as scripts of
// allocations. Each kind draws its own sizes, rates and lengths from the seed.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "absl/types/span.h"
#include "analyzer/leaks/growth/course.h"

namespace mallogram::growth_test {

// The sites of a script. Everything is about kTarget; the rest is other work.
inline constexpr uint32_t kTarget = 0, kWork = 1;

class Script {
 public:
  explicit Script(uint64_t seed) : random(seed) {}

  // Returns the block's name.
  uint32_t Allocate(uint32_t site, uint32_t bytes);
  void Free(uint32_t block);
  void Wait(uint64_t ns) { now_ns_ += ns; }
  // One request's worth of other work: a few temporary blocks, and time.
  void Work();

  double Uniform(double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random);
  }
  uint64_t Whole(uint64_t low, uint64_t high) {
    return std::uniform_int_distribution<uint64_t>(low, high)(random);
  }
  bool Chance(double p) { return std::bernoulli_distribution(p)(random); }

  // The courses of its sites, those after `first` moved to the end of `courses`.
  std::vector<Course> Replay() const;

  std::mt19937_64 random;

 private:
  struct Step {
    uint32_t block = 0;
    uint32_t bytes = 0;
    uint64_t time_ns = 0;
    uint32_t site = 0;
    bool frees = false;
  };
  std::vector<Step> steps_;
  uint32_t blocks_ = 0;
  uint64_t now_ns_ = 1'000'000;
};

struct Kind {
  const char* name;
  bool grows;
  void (*run)(Script& script);
};
absl::Span<const Kind> AllKinds();
// With a number of iterations of the caller's: leaks one block in 1,000.
void SlowLeak(Script& script, uint64_t iterations);

}  // namespace mallogram::growth_test
