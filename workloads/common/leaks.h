// Planted leaks: --leak SITE:RATE.
//
// A workload names its leak sites and asks at each occasion whether this one is
// due; RATE is the share of occasions that leak (0 < RATE <= 1), spread evenly:
// exactly floor(occasions * RATE) of them. What leaks is a copy of the data at
// hand:
//   lost     one block to which no pointer remains,
//   chain    several blocks linked to each other, no pointer to the first,
//   growing  one block on a list that a global still holds: reachable, never freed.
//
// Invariants: without --leak nothing is allocated here; blocks and bytes in the
// truth are those asked of operator new, the links included.

#ifndef WORKLOADS_COMMON_LEAKS_H_
#define WORKLOADS_COMMON_LEAKS_H_

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "workloads/common/account.h"
#include "workloads/common/json.h"

namespace workloads {

struct PlantedLeak {
  static constexpr const char* kName = "planted_leaks";
};

enum class LeakKind { kLost, kChain, kGrowing };

class LeakSite {
 public:
  LeakSite(const char* name, LeakKind kind, const char* what)
      : name_(name), what_(what), kind_(kind) {}

  // One more occasion: must this one leak?
  bool Due() {
    if (rate_ == 0) return false;
    ++occasions_;
    return static_cast<int64_t>(static_cast<double>(occasions_) * rate_ + 1e-9) >
           leaks_;
  }

  // Leaks a copy of `data`. REQUIRES: Due() just said so; not a chain.
  [[gnu::noinline]] void Leak(std::string_view data);
  // Leaks linked copies of `parts`, each one block. REQUIRES: as above; a chain.
  [[gnu::noinline]] void LeakChain(const std::string_view* parts, size_t count);
  void LeakChain(std::initializer_list<std::string_view> parts) {
    LeakChain(parts.begin(), parts.size());
  }

  const char* name() const { return name_; }
  const char* what() const { return what_; }
  LeakKind kind() const { return kind_; }
  int64_t leaks() const { return leaks_; }
  int64_t blocks() const { return blocks_; }
  int64_t bytes() const { return bytes_; }
  // "lost", "chain" or "growing".
  const char* KindName() const;

 private:
  friend class LeakPlan;

  char* Allocate(size_t bytes);

  const char* name_;
  const char* what_;
  LeakKind kind_;
  double rate_ = 0;
  int64_t occasions_ = 0;
  int64_t leaks_ = 0;
  int64_t blocks_ = 0;
  int64_t bytes_ = 0;
};

// The sites of one workload; does not own them.
class LeakPlan {
 public:
  LeakPlan(std::initializer_list<LeakSite*> sites) : sites_(sites) {}

  // Takes "SITE:RATE". Returns what is wrong with it, empty when nothing is.
  std::string Apply(std::string_view request);

  // One line a site, for --help.
  std::string Describe() const;

  // "leaks": [{site, kind, rate, occasions, leaks, blocks, bytes}] for the sites
  // that were asked for, and "leaked_blocks", "leaked_bytes".
  void Write(Json& json) const;

 private:
  std::vector<LeakSite*> sites_;
};

}  // namespace workloads

#endif  // WORKLOADS_COMMON_LEAKS_H_
