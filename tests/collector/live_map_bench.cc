// ns an insertion and a removal of LiveMap and of absl::flat_hash_map, for blocks
// allocated in address order and freed in the same or in random order.
// Run: meson test --benchmark live_map --verbose
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "preload/collector/live_map.h"

namespace mallogram {
namespace {

constexpr size_t kBatch = 32;  // as RingStream decodes

struct FlatHashMap {
  absl::flat_hash_map<uint64_t, uint32_t> map;
  void Prefetch(const uint64_t* first, const uint64_t* last) {
    for (; first != last; ++first) map.prefetch(*first);
  }
  void Insert(uint64_t address) { map.try_emplace(address, 1); }
  void Take(uint64_t address) { map.erase(address); }
};

struct PagedMap {
  LiveMap map;
  void Prefetch(const uint64_t* first, const uint64_t* last) {
    for (const uint64_t* p = first; p != last; ++p) map.PrefetchPage(*p);
    for (const uint64_t* p = first; p != last; ++p) map.PrefetchBlock(*p);
  }
  void Insert(uint64_t address) { *map.Insert(address) = 1; }
  void Take(uint64_t address) { map.Take(address); }
};

template <typename F>
double NsEach(const std::vector<uint64_t>& addresses, F&& f) {
  const auto start = std::chrono::steady_clock::now();
  for (size_t i = 0; i < addresses.size(); i += kBatch) {
    const size_t end = std::min(i + kBatch, addresses.size());
    f(addresses.data() + i, addresses.data() + end);
  }
  const std::chrono::duration<double, std::nano> elapsed =
      std::chrono::steady_clock::now() - start;
  return elapsed.count() / static_cast<double>(addresses.size());
}

template <typename Map>
void Measure(const char* name, const std::vector<uint64_t>& allocated,
             const std::vector<uint64_t>& freed) {
  Map map;
  const double insert =
      NsEach(allocated, [&](const uint64_t* p, const uint64_t* end) {
        map.Prefetch(p, end);
        for (; p != end; ++p) map.Insert(*p);
      });
  const double take = NsEach(freed, [&](const uint64_t* p, const uint64_t* end) {
    map.Prefetch(p, end);
    for (; p != end; ++p) map.Take(*p);
  });
  std::printf("  %-22s insert %6.1f ns   take %6.1f ns\n", name, insert, take);
}

void Run() {
  for (const size_t blocks : {1'000u, 540'000u, 5'000'000u}) {
    std::mt19937_64 random(1);
    std::vector<uint64_t> allocated(blocks);
    uint64_t address = 0x555555000000;
    for (uint64_t& a : allocated) {
      a = address;
      address += 32 + 16 * (random() % 8);
    }
    std::vector<uint64_t> freed = allocated;
    for (const char* order : {"in order", "at random"}) {
      std::printf("%zu blocks, freed %s\n", blocks, order);
      Measure<FlatHashMap>("absl::flat_hash_map", allocated, freed);
      Measure<PagedMap>("LiveMap", allocated, freed);
      std::shuffle(freed.begin(), freed.end(), random);
    }
  }
}

}  // namespace
}  // namespace mallogram

int main() { mallogram::Run(); }
