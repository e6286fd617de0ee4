// Limits of this process are given back as they were found, and named when they are
// what an error is due to.
#include <errno.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "preload/collector/resource_limits.h"

namespace mallogram {
namespace {

// More than a sanitizer maps.
constexpr rlim_t kMemory = rlim_t{1} << 45;

// In a child: a hard limit, once lowered, stays. True if `body` says so.
bool InAChild(const std::function<bool()>& body) {
  const pid_t pid = fork();
  if (pid == 0) _exit(body() ? 0 : 1);
  int status = 0;
  return waitpid(pid, &status, 0) == pid && status == 0;
}

rlimit Get(int resource) {
  rlimit limit{};
  getrlimit(resource, &limit);
  return limit;
}

bool Equal(const rlimit& a, const rlimit& b) {
  return a.rlim_cur == b.rlim_cur && a.rlim_max == b.rlim_max;
}

TEST(ResourceLimits, GivesBackWhatWasThere) {
  EXPECT_TRUE(InAChild([] {
    const rlimit descriptors{40, 60}, files{1000, 2000000}, cpu{7, 9};
    setrlimit(RLIMIT_NOFILE, &descriptors);
    setrlimit(RLIMIT_FSIZE, &files);
    setrlimit(RLIMIT_CPU, &cpu);
    const ResourceLimits found;
    ResourceLimits::Raise();
    const bool raised = Get(RLIMIT_NOFILE).rlim_cur >= 60 &&
                        Get(RLIMIT_FSIZE).rlim_cur >= 2000000 &&
                        Get(RLIMIT_CPU).rlim_cur >= 9;
    found.Restore();
    return raised && Equal(Get(RLIMIT_NOFILE), descriptors) &&
           Equal(Get(RLIMIT_FSIZE), files) && Equal(Get(RLIMIT_CPU), cpu);
  }));
}

TEST(ResourceLimits, NamesTheOneBehindAnError) {
  EXPECT_TRUE(InAChild([] {
    const rlimit memory{kMemory, kMemory}, descriptors{6, 6};
    setrlimit(RLIMIT_AS, &memory);
    setrlimit(RLIMIT_NOFILE, &descriptors);
    return LimitBehind(ENOMEM) == " (ulimit -v 34359738368)" &&
           LimitBehind(EMFILE) == " (ulimit -n 6)" && LimitBehind(ENOSPC).empty() &&
           OutOfMemory() == "out of memory (ulimit -v 34359738368)" &&
           NamesALimit(OutOfMemory()) && !NamesALimit("out of memory") &&
           // Wide enough for the library: not to blame.
           ResourceLimits().Narrow() == "ulimit -n 6";
  }));
}

TEST(ResourceLimits, TellsWhenTheProcessorIsOver) {
  EXPECT_TRUE(InAChild([] {
    const rlimit cpu{5, 10};
    setrlimit(RLIMIT_CPU, &cpu);
    return CpuAllowance() == 10'000'000'000;
  }));
}

}  // namespace
}  // namespace mallogram
