// /proc/PID/maps, and sets of address ranges. The kernel makes one line of
// neighbours with the same rights, so a line may be several things: ranges are cut
// out of lines.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mallogram::leaks {

struct Mapping {
  uint64_t start = 0, end = 0;
  bool readable = false, writable = false, executable = false, shared = false;
  uint64_t offset = 0, inode = 0;
  std::string path;  // or [heap], [stack]; empty: anonymous
};

// Lines that make no sense are left out.
std::vector<Mapping> ParseMaps(std::string_view text);
// Of a process; empty: it can't be read.
std::vector<Mapping> ReadMaps(pid_t pid);

// The mapping that holds `address`, or nullptr. REQUIRES: in order, as the kernel
// tells them.
const Mapping* FindMapping(const std::vector<Mapping>& maps, uint64_t address);

class RangeSet {
 public:
  void Add(uint64_t start, uint64_t end);
  void Remove(uint64_t start, uint64_t end);
  bool Contains(uint64_t address) const;
  // Of [start, end), what is in the set (or is not).
  std::vector<std::pair<uint64_t, uint64_t>> Common(uint64_t start,
                                                    uint64_t end) const;
  std::vector<std::pair<uint64_t, uint64_t>> Missing(uint64_t start,
                                                     uint64_t end) const;
  const std::map<uint64_t, uint64_t>& ranges() const { return ranges_; }

 private:
  std::map<uint64_t, uint64_t> ranges_;  // start → end, disjoint, not touching
};

}  // namespace mallogram::leaks
