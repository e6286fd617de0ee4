#include "preload/collector/resource_limits.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>

#include <algorithm>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace mallogram {
namespace {

struct Raised {
  int resource;
  rlim_t enough;  // more than that is not asked for
};
// Not those that a program is judged by but we never meet (core, nice, priority).
// A stack without a limit would change where the kernel puts mappings after exec.
constexpr Raised kRaised[] = {
    {RLIMIT_AS, RLIM_INFINITY},    {RLIMIT_DATA, RLIM_INFINITY},
    {RLIMIT_STACK, 8 << 20},       {RLIMIT_CPU, RLIM_INFINITY},
    {RLIMIT_FSIZE, RLIM_INFINITY}, {RLIMIT_NOFILE, 1 << 20},
    {RLIMIT_NPROC, RLIM_INFINITY}, {RLIMIT_SIGPENDING, RLIM_INFINITY},
    {RLIMIT_RTTIME, RLIM_INFINITY}};

// As the shell names them, and counts them.
struct Named {
  int resource;
  char option;
  uint64_t unit;  // bytes, or 1
  rlim_t narrow;  // up to here it may keep the library out
};
constexpr Named kNamed[] = {
    {RLIMIT_AS, 'v', 1024, 64 << 20}, {RLIMIT_DATA, 'd', 1024, 64 << 20},
    {RLIMIT_NOFILE, 'n', 1, 8},       {RLIMIT_FSIZE, 'f', 1024, 64 << 20},
    {RLIMIT_NPROC, 'u', 1, 0},        {RLIMIT_CPU, 't', 1, 0}};

constexpr char kMark[] = "ulimit -";
constexpr size_t kThreadStack = 1 << 20;
constexpr uint64_t kNsPerSecond = 1'000'000'000;

const Named& NameOf(int resource) {
  return *std::find_if(std::begin(kNamed), std::end(kNamed),
                       [&](const Named& n) { return n.resource == resource; });
}

bool IsLimited(int resource, rlim_t* value) {
  rlimit limit;
  if (getrlimit(resource, &limit) != 0) return false;
  *value = limit.rlim_cur;
  return limit.rlim_cur != RLIM_INFINITY;
}

}  // namespace

ResourceLimits::ResourceLimits() {
  for (int i = 0; i < kCount; ++i) {
    if (getrlimit(i, &limits_[i]) != 0) {
      limits_[i] = {RLIM_INFINITY, RLIM_INFINITY};
    }
  }
}

void ResourceLimits::Raise() {
  for (const Raised& raised : kRaised) {
    rlimit now;
    if (getrlimit(raised.resource, &now) != 0) continue;
    if (now.rlim_cur >= raised.enough) continue;
    const rlimit most{raised.enough, std::max(raised.enough, now.rlim_max)};
    if (setrlimit(raised.resource, &most) == 0) continue;
    const rlimit allowed{std::min(raised.enough, now.rlim_max), now.rlim_max};
    setrlimit(raised.resource, &allowed);
  }
}

void ResourceLimits::Restore() const {
  for (const Raised& raised : kRaised) {
    setrlimit(raised.resource, &limits_[raised.resource]);
  }
}

std::string ResourceLimits::Narrow() const {
  std::string text;
  for (const Named& named : kNamed) {
    const rlim_t value = limits_[named.resource].rlim_cur;
    if (value > named.narrow) continue;
    absl::StrAppend(&text, text.empty() ? "ulimit -" : ", -",
                    std::string(1, named.option), " ", value / named.unit);
  }
  return text;
}

void UseLittleMemory() {
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) == 0) {
    if (pthread_attr_setstacksize(&attributes, kThreadStack) == 0) {
      pthread_setattr_default_np(&attributes);
    }
    pthread_attr_destroy(&attributes);
  }
  // A thread's heap of its own would take 64 MiB of the address space.
  rlim_t value;
  if (IsLimited(RLIMIT_AS, &value)) mallopt(M_ARENA_MAX, 1);
}

std::string LimitBehind(int error) {
  int candidates[2] = {-1, -1};
  switch (error) {
    case ENOMEM:
      candidates[0] = RLIMIT_AS;
      candidates[1] = RLIMIT_DATA;
      break;
    case EAGAIN:  // of fork
      candidates[0] = RLIMIT_NPROC;
      break;
    case EMFILE:
      candidates[0] = RLIMIT_NOFILE;
      break;
    case ETIME:  // no system call's: of the processor
      candidates[0] = RLIMIT_CPU;
      break;
    case EFBIG:
      candidates[0] = RLIMIT_FSIZE;
      break;
    default:
      break;
  }
  std::string text;
  for (const int resource : candidates) {
    rlim_t value;
    if (resource < 0 || !IsLimited(resource, &value)) continue;
    const Named& named = NameOf(resource);
    absl::StrAppend(&text, text.empty() ? " (ulimit -" : ", -",
                    std::string(1, named.option), " ", value / named.unit);
  }
  return text.empty() ? text : text + ")";
}

bool NamesALimit(absl::string_view text) { return absl::StrContains(text, kMark); }

std::string OutOfMemory() {
  return absl::StrCat("out of memory", LimitBehind(ENOMEM));
}

uint64_t CpuAllowance() {
  rlimit limit;
  if (getrlimit(RLIMIT_CPU, &limit) != 0 || limit.rlim_max == RLIM_INFINITY) {
    return UINT64_MAX;
  }
  return uint64_t{limit.rlim_max} * kNsPerSecond;
}

}  // namespace mallogram
