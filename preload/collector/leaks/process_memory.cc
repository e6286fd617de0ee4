#include "preload/collector/leaks/process_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>

#include "absl/strings/str_cat.h"

namespace mallogram::leaks {
namespace {

// Of PAGEMAP_SCAN, which the headers of Linux 6.1 lack.
struct PageRegion {
  uint64_t start, end, categories;
};
struct ScanArguments {
  uint64_t size, flags, start, end, walk_end, regions, region_count, max_pages,
      category_inverted, category_mask, category_anyof_mask, return_mask;
};
constexpr unsigned long kPagemapScan = _IOWR('f', 16, ScanArguments);
constexpr uint64_t kIsPresent = 1 << 3, kIsSwapped = 1 << 4, kIsZero = 1 << 5;
// Beyond, the kernel takes no addresses from a process with four page levels.
constexpr uint64_t kMaxAddress = (uint64_t{1} << 47) - 4096;
// Asked about at once. Holes cost nothing unless their page tables are there: then
// so much of them takes 50 ms, in which the process could not go on.
constexpr uint64_t kScanBytes = uint64_t{64} << 30;
constexpr size_t kRegions = 512;
// Present pages that are told at once: few at first, since the next question may be
// about another place; more as long as it goes on.
constexpr uint64_t kMinPages = 256, kMaxPages = 1 << 17;
// Where every page must be asked about, smaller ranges are cheaper to read.
constexpr uint64_t kWorthAsking = 64 << 10;
// Spaces of more have large holes, so that smaps, which costs as much as it has
// resident pages, is worth its price.
constexpr uint64_t kLargeSpace = uint64_t{4} << 30;
// Of more it is not read what may not be there.
constexpr uint64_t kMaxUnknown = uint64_t{1} << 30;

uint64_t PageDown(uint64_t address) { return address / 4096 * 4096; }
uint64_t PageUp(uint64_t address) { return PageDown(address + 4095); }

}  // namespace

ProcessMemory::ProcessMemory(pid_t pid, const std::vector<Mapping>* maps,
                             Presence best)
    : pid_(pid),
      maps_(maps),
      pagemap_(best == Presence::kNone
                   ? -1
                   : open(absl::StrCat("/proc/", pid, "/pagemap").c_str(),
                          O_RDONLY | O_CLOEXEC)) {
  if (pagemap_ < 0) return;
  presence_ = best;
  // Does the kernel know how? Nothing is asked about.
  ScanArguments arguments{};
  arguments.size = sizeof(arguments);
  if (best == Presence::kScan && ioctl(pagemap_, kPagemapScan, &arguments) != 0) {
    presence_ = Presence::kPagemap;
  }
}

ProcessMemory::~ProcessMemory() {
  if (pagemap_ >= 0) close(pagemap_);
}

void ProcessMemory::ReadPieces(Piece* pieces, size_t count) {
  std::array<iovec, IOV_MAX> local, remote;
  size_t next = 0;
  while (next < count) {
    if (Stopped()) {
      for (; next < count; ++next) pieces[next].got = 0;
      return;
    }
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
  while (piece->got < piece->bytes && !Stopped()) {
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

// Tells what is present from `start` on, as far as it is worth its while, but no
// less than a page. False: it can't be told.
bool ProcessMemory::Ask(uint64_t start, uint64_t end) {
  start = PageDown(start);
  const bool next = start == told_end_ && told_end_ != 0;
  pages_ = next ? std::min(2 * pages_, kMaxPages) : kMinPages;
  const bool told = presence_ == Presence::kScan ? AskScan(start, PageUp(end))
                                                 : AskPagemap(start, PageUp(end));
  if (!told) told_start_ = told_end_ = 0;
  return told;
}

bool ProcessMemory::AskScan(uint64_t start, uint64_t end) {
  // Beyond the end, too: that is what comes next as a rule.
  if (start < kMaxAddress) end = std::min(start + kScanBytes, kMaxAddress);
  std::array<PageRegion, kRegions> regions;
  ScanArguments arguments{};
  arguments.size = sizeof(arguments);
  arguments.start = start;
  arguments.end = end;
  arguments.regions = reinterpret_cast<uint64_t>(regions.data());
  arguments.region_count = regions.size();
  arguments.max_pages = pages_;
  // Neither swapped nor present, or the page of zeroes: nothing is there.
  arguments.category_inverted = arguments.category_mask = kIsZero;
  arguments.category_anyof_mask = kIsPresent | kIsSwapped;
  arguments.return_mask = kIsPresent;
  ++system_calls_;
  const int count = ioctl(pagemap_, kPagemapScan, &arguments);
  if (count < 0 || arguments.walk_end <= start) return false;
  regions_.clear();
  for (size_t i = 0; i < std::min<size_t>(static_cast<size_t>(count), kRegions);
       ++i) {
    const PageRegion& region = regions[i];
    if (!regions_.empty() && regions_.back().end == region.start) {
      regions_.back().end = region.end;
    } else {
      regions_.push_back({region.start, region.end});
    }
  }
  told_start_ = start;
  told_end_ = arguments.walk_end;
  return true;
}

bool ProcessMemory::AskPagemap(uint64_t start, uint64_t end) {
  std::vector<uint64_t> entries(std::min((end - start) / kPage, pages_));
  ++system_calls_;
  const ssize_t got = pread(pagemap_, entries.data(), entries.size() * 8,
                            static_cast<off_t>(start / kPage * 8));
  if (got < 8) return false;
  entries.resize(static_cast<size_t>(got) / 8);
  regions_.clear();
  for (size_t i = 0; i < entries.size(); ++i) {
    if (entries[i] >> 62 == 0) continue;  // neither in memory nor swapped
    const uint64_t page = start + i * kPage;
    if (!regions_.empty() && regions_.back().end == page) {
      regions_.back().end += kPage;
    } else {
      regions_.push_back({page, page + kPage});
    }
  }
  told_start_ = start;
  told_end_ = start + entries.size() * kPage;
  return true;
}

// What smaps says of every mapping.
void ProcessMemory::ReadResident() {
  knows_resident_ = true;
  uint64_t bytes = 0;
  for (const Mapping& mapping : *maps_) bytes += mapping.end - mapping.start;
  if (bytes < kLargeSpace) return;
  FILE* const smaps = fopen(absl::StrCat("/proc/", pid_, "/smaps").c_str(), "re");
  if (smaps == nullptr) return;
  char* line = nullptr;
  size_t size = 0;
  uint64_t* resident = nullptr;
  while (!Stopped() && getline(&line, &size, smaps) > 0) {
    unsigned long long start, end, kib;
    if (sscanf(line, "%llx-%llx ", &start, &end) == 2) {
      resident = &resident_[start];
    } else if (resident != nullptr &&
               (sscanf(line, "Rss: %llu", &kib) == 1 ||
                sscanf(line, "Swap: %llu", &kib) == 1 ||
                sscanf(line, "Shared_Hugetlb: %llu", &kib) == 1 ||
                sscanf(line, "Private_Hugetlb: %llu", &kib) == 1)) {
      *resident += kib << 10;
    }
  }
  free(line);
  fclose(smaps);
}

// Nothing of it is there, for all that is known.
bool ProcessMemory::IsEmpty(const Mapping& mapping) {
  if (presence_ == Presence::kScan) return false;  // is told as fast
  if (!knows_resident_) ReadResident();
  const auto found = resident_.find(mapping.start);
  if (found != resident_.end()) return found->second == 0;
  const bool unknown =
      presence_ == Presence::kNone && mapping.end - mapping.start > kMaxUnknown;
  if (unknown && mapping.readable) unknown_bytes_ += mapping.end - mapping.start;
  return unknown;
}

bool ProcessMemory::NextPresent(uint64_t start, uint64_t end, uint64_t* from,
                                uint64_t* to) {
  while (start < end) {
    if (Stopped()) return false;
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
      if (IsEmpty(*next)) {
        start = stop;
        continue;
      }
    }
    *from = start;
    *to = stop;
    const bool told = start >= told_start_ && start < told_end_;
    if (!told) {
      if (presence_ == Presence::kNone) return true;
      if (presence_ == Presence::kPagemap && stop - start < kWorthAsking)
        return true;
      if (!Ask(start, stop)) return true;  // not told: it is read
    }
    const auto region =
        std::upper_bound(regions_.begin(), regions_.end(), start,
                         [](uint64_t a, const Region& r) { return a < r.end; });
    if (region == regions_.end() || region->start >= stop) {
      start = std::min(stop, region == regions_.end() ? told_end_ : stop);
      continue;
    }
    *from = std::max(start, region->start);
    *to = std::min(stop, region->end);
    return true;
  }
  return false;
}

}  // namespace mallogram::leaks
