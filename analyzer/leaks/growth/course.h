// The course of a call site over a run, as plain data: what it held at up to
// kCohorts moments, and how many of each part of its blocks were still alive at
// each of them.
//
// The site's own allocations are the clock: a cohort is so many allocations in a
// row, 1/kCohorts of them all (each one, of a site that has fewer). A clock that
// stands still while the site does shows every site equally well, the busy and the
// slow; the ends of the cohorts know the other clocks, the time and the process's
// allocations.
//
// CourseRecorder makes courses of all sites in one pass: O(1) an event, and
// about 5 KB a site that is busy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mallogram {

struct Course {
  static constexpr uint32_t kCohorts = 32;

  // A cohort, and the site right after the last allocation of it.
  struct Cohort {
    uint64_t time_ns = 0;            // of that allocation
    uint64_t allocations = 0;        // of the process until then, this one included
    uint64_t frees = 0;              // of the process until then
    uint64_t blocks = 0, bytes = 0;  // alive
    uint64_t least_blocks = 0, least_bytes = 0;  // since the cohort before
    uint64_t most_bytes = 0;                     // the same
    uint64_t born = 0, born_bytes = 0;           // allocated: the cohort's size
    uint64_t left = 0, left_bytes = 0;  // of the cohort, alive at the run's end
  };

  uint64_t calls = 0;                            // of the site
  uint64_t first_ns = 0, first_allocations = 0;  // when its first call came
  std::vector<Cohort> cohorts;
  // alive[At(k, j)]: blocks of cohort j that lived at the end of cohort k >= j.
  std::vector<uint32_t> alive;
  uint64_t blocks = 0, bytes = 0;  // alive at the run's end
  uint64_t end_ns = 0, end_allocations = 0, end_frees = 0;  // of the whole run

  static constexpr size_t At(size_t k, size_t j) { return k * (k + 1) / 2 + j; }
};

// Single-threaded.
class CourseRecorder {
 public:
  // How often each site will allocate.
  explicit CourseRecorder(const std::vector<uint64_t>& calls);

  // An allocation. Returns its cohort, which the caller keeps with the block. Bytes
  // may be more than the block's, for the blocks that it stands for in a sampled
  // recording.
  uint8_t Allocate(uint32_t site, uint64_t bytes, uint64_t time_ns);
  // Both as they were when it was allocated.
  void Free(uint32_t site, uint8_t cohort, uint64_t bytes);

  // Once.
  std::vector<Course> Finish(uint64_t time_ns);

 private:
  struct Living {
    uint32_t blocks = 0;
    uint64_t bytes = 0;
  };
  struct Site {
    Course course;
    std::vector<Living> living;  // by cohort
    uint64_t done = 0;           // allocations so far
    uint64_t next_end = 0;       // the open cohort ends with this many
    uint64_t least_blocks = 0, least_bytes = 0, most_bytes = 0;
    uint64_t born = 0, born_bytes = 0;
  };
  static uint64_t EndOf(const Site& site, size_t cohort);
  void Close(Site& site, uint64_t time_ns);

  std::vector<Site> sites_;
  uint64_t allocations_ = 0, frees_ = 0;
};

}  // namespace mallogram
