// Another process's memory, read from outside.
//
// Pages that were never touched are not read, which would make the kernel give them
// memory, nor asked about one by one, which takes 9 s a TiB. Which exist, the
// kernel tells in one of these ways, the first that it knows:
//
//   PAGEMAP_SCAN   (Linux 6.7) ranges of present pages; holes cost nothing
//   pagemap        8 bytes a page, holes included; mappings of which nothing is
//                  resident are passed, as smaps tells
//   none           large mappings are not looked at
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <vector>

#include "preload/collector/leaks/address_space.h"
#include "preload/collector/leaks/memory.h"

namespace mallogram::leaks {

// The best way that may be used; less is for tests.
enum class Presence { kNone = 0, kPagemap = 1, kScan = 2 };

class ProcessMemory final : public Memory {
 public:
  // `maps`: where there is memory at all; may be empty: anywhere.
  ProcessMemory(pid_t pid, const std::vector<Mapping>* maps,
                Presence best = Presence::kScan);
  ~ProcessMemory() override;
  ProcessMemory(const ProcessMemory&) = delete;
  ProcessMemory& operator=(const ProcessMemory&) = delete;

  void ReadPieces(Piece* pieces, size_t count) override;
  bool NextPresent(uint64_t start, uint64_t end, uint64_t* from,
                   uint64_t* to) override;
  bool PassesHoles() const override { return presence_ == Presence::kScan; }

  uint64_t system_calls() const { return system_calls_; }
  // Of mappings too large to be read without knowing what of them is there.
  uint64_t unknown_bytes() const { return unknown_bytes_; }

 private:
  static constexpr uint64_t kPage = 4096;

  // Present pages in a row.
  struct Region {
    uint64_t start, end;
  };

  void ReadPages(Piece* piece);
  bool Ask(uint64_t start, uint64_t end);
  bool AskScan(uint64_t start, uint64_t end);
  bool AskPagemap(uint64_t start, uint64_t end);
  void ReadResident();
  bool IsEmpty(const Mapping& mapping);

  const pid_t pid_;
  const std::vector<Mapping>* const maps_;
  int pagemap_ = -1;
  Presence presence_ = Presence::kNone;
  // What was last told: all that is present in [told_start_, told_end_).
  uint64_t told_start_ = 0, told_end_ = 0;
  std::vector<Region> regions_;
  uint64_t pages_ = 0;  // to be told at most, the next time
  // By the start of a mapping: bytes in memory or swapped. Of large spaces only.
  std::map<uint64_t, uint64_t> resident_;
  bool knows_resident_ = false;
  uint64_t unknown_bytes_ = 0;
  uint64_t system_calls_ = 0;
};

}  // namespace mallogram::leaks
