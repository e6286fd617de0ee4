// Another process's memory, read from outside.
//
// Pages that were never touched are not read, which would make the kernel give them
// memory, or take a second a GiB: /proc/PID/pagemap tells which exist.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "preload/collector/leaks/address_space.h"
#include "preload/collector/leaks/memory.h"

namespace mallogram::leaks {

class ProcessMemory final : public Memory {
 public:
  // `maps`: where there is memory at all; may be empty: anywhere.
  ProcessMemory(pid_t pid, const std::vector<Mapping>* maps);
  ~ProcessMemory() override;
  ProcessMemory(const ProcessMemory&) = delete;
  ProcessMemory& operator=(const ProcessMemory&) = delete;

  void ReadPieces(Piece* pieces, size_t count) override;
  bool NextPresent(uint64_t start, uint64_t end, uint64_t* from,
                   uint64_t* to) override;

  uint64_t system_calls() const { return system_calls_; }

 private:
  static constexpr uint64_t kPage = 4096;

  void ReadPages(Piece* piece);
  bool LoadPresent(uint64_t first_page, uint64_t last_page);
  bool Present(uint64_t page) const {
    return (present_[page - present_first_] >> 62) != 0;  // in memory or swapped
  }

  const pid_t pid_;
  const std::vector<Mapping>* const maps_;
  int pagemap_ = -1;
  uint64_t present_first_ = 0, entries_ = 0;
  std::vector<uint64_t> present_;  // entries of pagemap from there on
  uint64_t system_calls_ = 0;
};

}  // namespace mallogram::leaks
