#include "workloads/common/leaks.h"

#include <cassert>
#include <charconv>
#include <cmath>
#include <cstring>

namespace workloads {
namespace {

struct Link {
  Link* next;
};

// Holds everything that grows; the one root that a leak detector finds.
constinit Link* growing = nullptr;

// Overwrites the dead frames below, where a copy of a lost pointer may still be: a
// conservative scan would call that block reachable.
[[gnu::noinline]] void ScrubStack() {
  volatile char dead[1024];
  for (size_t i = 0; i < sizeof dead; ++i) dead[i] = 0;
}

}  // namespace

char* LeakSite::Allocate(size_t bytes) {
  // operator new(0) gives a block too, but a leak of no bytes helps nobody.
  if (bytes == 0) bytes = 1;
  ++blocks_;
  bytes_ += static_cast<int64_t>(bytes);
  return EntityAllocator<char, PlantedLeak>().allocate(bytes);
}

void LeakSite::Leak(std::string_view data) {
  assert(kind_ != LeakKind::kChain);
  ++leaks_;
  const size_t head = kind_ == LeakKind::kGrowing ? sizeof(Link) : 0;
  char* block = Allocate(head + data.size());
  if (!data.empty()) std::memcpy(block + head, data.data(), data.size());
  if (kind_ == LeakKind::kGrowing) growing = new (block) Link{growing};
  // The copy is used, as far as the compiler knows; it may not drop the allocation.
  asm volatile("" : : "r"(block) : "memory");
  ScrubStack();
}

void LeakSite::LeakChain(const std::string_view* parts, size_t count) {
  assert(kind_ == LeakKind::kChain);
  ++leaks_;
  Link* next = nullptr;
  for (size_t i = count; i > 0; --i) {
    const std::string_view part = parts[i - 1];
    char* block = Allocate(sizeof(Link) + part.size());
    if (!part.empty()) std::memcpy(block + sizeof(Link), part.data(), part.size());
    next = new (block) Link{next};
  }
  asm volatile("" : : "r"(next) : "memory");
  ScrubStack();
}

const char* LeakSite::KindName() const {
  switch (kind_) {
    case LeakKind::kLost:
      return "lost";
    case LeakKind::kChain:
      return "chain";
    case LeakKind::kGrowing:
      return "growing";
  }
  return "";
}

std::string LeakPlan::Apply(std::string_view request) {
  const std::string quoted = "--leak '" + std::string(request) + "'";
  const size_t colon = request.rfind(':');
  if (colon == std::string_view::npos) {
    return quoted + " has no rate; write SITE:RATE, such as " + sites_[0]->name() +
           ":0.01";
  }
  double rate = 0;
  const std::string_view number = request.substr(colon + 1);
  const std::from_chars_result parsed =
      std::from_chars(number.data(), number.data() + number.size(), rate);
  if (parsed.ec != std::errc() || parsed.ptr != number.data() + number.size() ||
      !std::isfinite(rate) || rate <= 0 || rate > 1) {
    return quoted + ": the rate must be a number above 0, at most 1";
  }
  std::string names;
  for (LeakSite* site : sites_) {
    if (request.substr(0, colon) == site->name()) {
      if (site->rate_ != 0) return quoted + ": this site was given before";
      site->rate_ = rate;
      return "";
    }
    names += names.empty() ? "" : ", ";
    names += site->name();
  }
  return quoted + ": no such site; there are " + names;
}

std::string LeakPlan::Describe() const {
  std::string text = "Leak sites:\n";
  for (const LeakSite* site : sites_) {
    text += std::string("  ") + site->name() + " (" + site->KindName() +
            "): " + site->what() + "\n";
  }
  return text;
}

void LeakPlan::Write(Json& json) const {
  int64_t blocks = 0;
  int64_t bytes = 0;
  json.OpenList("leaks");
  for (const LeakSite* site : sites_) {
    if (site->rate_ == 0) continue;
    json.OpenItem();
    json.String("site", site->name_);
    json.String("kind", site->KindName());
    json.Real("rate", site->rate_);
    json.Integer("occasions", site->occasions_);
    json.Integer("leaks", site->leaks_);
    json.Integer("blocks", site->blocks_);
    json.Integer("bytes", site->bytes_);
    json.Close();
    blocks += site->blocks_;
    bytes += site->bytes_;
  }
  json.CloseList();
  json.Integer("leaked_blocks", blocks);
  json.Integer("leaked_bytes", bytes);
}

}  // namespace workloads
