#include "preload/collector/leaks/process_memory.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>

#include "absl/strings/str_cat.h"

namespace mallogram::leaks {
namespace {

// Of pagemap, at a time: 1 MiB for 512 MiB of addresses.
constexpr uint64_t kMaxEntries = 1 << 17, kMinEntries = 256;
// Smaller ranges are cheaper to read than to ask about.
constexpr uint64_t kWorthAsking = 64 << 10;

}  // namespace

ProcessMemory::ProcessMemory(pid_t pid, const std::vector<Mapping>* maps)
    : pid_(pid),
      maps_(maps),
      pagemap_(open(absl::StrCat("/proc/", pid, "/pagemap").c_str(),
                    O_RDONLY | O_CLOEXEC)) {}

ProcessMemory::~ProcessMemory() {
  if (pagemap_ >= 0) close(pagemap_);
}

void ProcessMemory::ReadPieces(Piece* pieces, size_t count) {
  std::array<iovec, IOV_MAX> local, remote;
  size_t next = 0;
  while (next < count) {
    const size_t n = std::min<size_t>(count - next, IOV_MAX);
    for (size_t i = 0; i < n; ++i) {
      const Piece& piece = pieces[next + i];
      local[i] = {piece.out, piece.bytes};
      remote[i] = {reinterpret_cast<void*>(piece.address), piece.bytes};
    }
    ++system_calls_;
    const ssize_t result =
        process_vm_readv(pid_, local.data(), n, remote.data(), n, 0);
    auto got = static_cast<uint64_t>(std::max<ssize_t>(result, 0));
    // Everything up to the first page that can't be read.
    size_t whole = 0;
    for (; whole < n && got >= pieces[next + whole].bytes; ++whole) {
      pieces[next + whole].got = pieces[next + whole].bytes;
      got -= pieces[next + whole].bytes;
    }
    if (whole < n) ReadPages(&pieces[next + whole++]);
    next += whole;
  }
}

// Page by page, since what a failed read has read is not told exactly.
void ProcessMemory::ReadPages(Piece* piece) {
  piece->got = 0;
  while (piece->got < piece->bytes) {
    const uint64_t at = piece->address + piece->got;
    const size_t bytes =
        std::min<uint64_t>(piece->bytes - piece->got, kPage - at % kPage);
    const iovec local = {piece->out + piece->got, bytes};
    const iovec remote = {reinterpret_cast<void*>(at), bytes};
    ++system_calls_;
    if (process_vm_readv(pid_, &local, 1, &remote, 1, 0) !=
        static_cast<ssize_t>(bytes)) {
      return;
    }
    piece->got += bytes;
  }
}

bool ProcessMemory::LoadPresent(uint64_t first_page, uint64_t last_page) {
  if (first_page >= present_first_ &&
      first_page - present_first_ < present_.size()) {
    return true;
  }
  // Little at first: most ranges are full. More as long as it goes on.
  const bool next = first_page == present_first_ + present_.size();
  entries_ = next ? std::min(2 * entries_, kMaxEntries) : kMinEntries;
  present_.resize(std::min(last_page - first_page, entries_));
  ++system_calls_;
  const ssize_t got = pread(pagemap_, present_.data(), present_.size() * 8,
                            static_cast<off_t>(first_page * 8));
  present_.resize(got > 0 ? static_cast<size_t>(got) / 8 : 0);
  present_first_ = first_page;
  return !present_.empty();
}

bool ProcessMemory::NextPresent(uint64_t start, uint64_t end, uint64_t* from,
                                uint64_t* to) {
  while (start < end) {
    // In what mapping?
    uint64_t stop = end;
    if (!maps_->empty()) {
      const auto next = std::upper_bound(
          maps_->begin(), maps_->end(), start,
          [](uint64_t a, const Mapping& mapping) { return a < mapping.end; });
      if (next == maps_->end()) return false;
      start = std::max(start, next->start);
      stop = std::min(end, next->end);
      if (start >= end) return false;
    }
    *from = start;
    *to = stop;
    if (pagemap_ < 0 || stop - start < kWorthAsking) return true;
    const uint64_t last = (stop + kPage - 1) / kPage;
    uint64_t page = start / kPage;
    while (page < last && LoadPresent(page, last) && !Present(page)) ++page;
    if (page == last) {
      start = stop;
      continue;
    }
    *from = std::max(start, page * kPage);
    if (page - present_first_ >= present_.size())
      return true;  // not told: it is read
    uint64_t after = page + 1;
    while (after < last && after - present_first_ < present_.size() &&
           Present(after)) {
      ++after;
    }
    *to = std::min(stop, after * kPage);
    return true;
  }
  return false;
}

}  // namespace mallogram::leaks
