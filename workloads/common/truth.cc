#include "workloads/common/truth.h"

#include <time.h>
#include <unistd.h>

#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace workloads {

void Phases::Mark(const char* name) {
  assert(count_ < kMost);
  phases_[count_++] = {name, total_balance};
  if (!print_marks_) return;
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  char line[128];
  const int size = std::snprintf(line, sizeof line, "phase %s %lld.%09ld\n", name,
                                 static_cast<long long>(now.tv_sec), now.tv_nsec);
  // One write a line: marks of several processes do not mix. Losing one is no
  // error.
  [[maybe_unused]] const ssize_t written =
      ::write(STDERR_FILENO, line, static_cast<size_t>(size));
}

const Balance& Phases::At(const char* name) const {
  for (size_t i = 0; i < count_; ++i) {
    if (std::strcmp(phases_[i].name, name) == 0) return phases_[i].balance;
  }
  std::abort();
}

void Phases::Write(Json& json) const {
  json.OpenList("phases");
  for (size_t i = 0; i < count_; ++i) {
    json.OpenItem();
    json.String("name", phases_[i].name);
    json.Integer("live_bytes", phases_[i].balance.live_bytes);
    json.Integer("live_blocks", phases_[i].balance.live_blocks);
    json.Integer("peak_bytes", phases_[i].balance.peak_bytes);
    json.Integer("allocated_bytes", phases_[i].balance.allocated_bytes);
    json.Integer("allocations", phases_[i].balance.allocations);
    json.Close();
  }
  json.CloseList();
}

void Entities::Take(const Account& account, int64_t count, int64_t payload) {
  assert(size_ < kMost);
  entries_[size_++] = {&account, count, payload, account.balance()};
}

void Entities::Write(Json& json) const {
  json.Open("entities");
  for (size_t i = 0; i < size_; ++i) {
    const Entry& entry = entries_[i];
    const Balance& now = entry.account->balance();
    json.Open(entry.account->name());
    json.Integer("count", entry.count);
    json.Integer("payload_bytes", entry.payload);
    json.Integer("live_bytes", entry.taken.live_bytes);
    json.Integer("live_blocks", entry.taken.live_blocks);
    json.Integer("peak_bytes", now.peak_bytes);
    json.Integer("allocated_bytes", now.allocated_bytes);
    json.Integer("allocations", now.allocations);
    json.Integer("end_bytes", now.live_bytes);
    json.Integer("end_blocks", now.live_blocks);
    json.Close();
  }
  json.Close();
}

}  // namespace workloads
