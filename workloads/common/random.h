// Seeded random numbers, the same on every machine and with every standard library
// (std::uniform_int_distribution and friends are not). The generator is SplitMix64:
// one word of state, so that a stream can be split off for every entity.

#ifndef WORKLOADS_COMMON_RANDOM_H_
#define WORKLOADS_COMMON_RANDOM_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace workloads {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    state_ += 0x9e3779b97f4a7c15u;
    return Mix(state_);
  }

  // Uniform in [0, bound). REQUIRES: bound > 0. The bias of the multiplication is
  // below 2^-32 for the bounds in use here.
  uint64_t Below(uint64_t bound) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(Next()) * bound) >>
                                 64);
  }

  // Uniform in [low, high], both ends included. REQUIRES: low <= high.
  int64_t Between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(Below(static_cast<uint64_t>(high - low) + 1));
  }

  // Uniform in [0, 1).
  double Real() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }

  bool Chance(double probability) { return Real() < probability; }

  // An independent stream for the entity of that number; does not advance this one.
  Random Split(uint64_t number) const { return Random(Mix(state_ ^ Mix(number))); }

  static uint64_t Mix(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
  }

 private:
  uint64_t state_;
};

// An English word; small numbers are common words, as in running text.
std::string_view Word(uint64_t number);
inline constexpr uint64_t kWords = 192;

// A word drawn with falling frequency: the first ones are the most common.
inline std::string_view AnyWord(Random& random) {
  const uint64_t reach = 1 + random.Below(kWords);
  return Word(random.Below(reach));
}

}  // namespace workloads

#endif  // WORKLOADS_COMMON_RANDOM_H_
