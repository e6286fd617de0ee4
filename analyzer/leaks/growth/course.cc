#include "analyzer/leaks/growth/course.h"

#include <algorithm>
#include <utility>

namespace mallogram {
namespace {

size_t CohortsOf(uint64_t calls) {
  return static_cast<size_t>(std::min<uint64_t>(calls, Course::kCohorts));
}

}  // namespace

CourseRecorder::CourseRecorder(const std::vector<uint64_t>& calls)
    : sites_(calls.size()) {
  for (size_t i = 0; i < calls.size(); ++i) {
    sites_[i].course.calls = calls[i];
    if (calls[i] != 0) sites_[i].next_end = EndOf(sites_[i], 0);
  }
}

// Allocations at the end of a cohort. (cohort + 1) · calls / cohorts, without
// overflow.
uint64_t CourseRecorder::EndOf(const Site& site, size_t cohort) {
  const uint64_t calls = site.course.calls, cohorts = CohortsOf(calls);
  const uint64_t ends = cohort + 1;
  return calls / cohorts * ends + calls % cohorts * ends / cohorts;
}

void CourseRecorder::Close(Site& site, uint64_t time_ns) {
  Course& course = site.course;
  Course::Cohort cohort;
  cohort.time_ns = time_ns;
  cohort.allocations = allocations_;
  cohort.frees = frees_;
  cohort.blocks = course.blocks;
  cohort.bytes = course.bytes;
  cohort.least_blocks = site.least_blocks;
  cohort.least_bytes = site.least_bytes;
  cohort.most_bytes = site.most_bytes;
  cohort.born = site.born;
  cohort.born_bytes = site.born_bytes;
  course.cohorts.push_back(cohort);
  for (const Living& living : site.living) course.alive.push_back(living.blocks);
  site.least_blocks = course.blocks;
  site.least_bytes = site.most_bytes = course.bytes;
  site.born = site.born_bytes = 0;
  site.next_end = EndOf(site, course.cohorts.size());
}

uint8_t CourseRecorder::Allocate(uint32_t index, uint64_t bytes, uint64_t time_ns) {
  Site& site = sites_[index];
  Course& course = site.course;
  ++allocations_;
  // More than were announced (of a file that is still being written) belong to
  // the last cohort.
  const size_t cohort =
      std::min<size_t>(course.cohorts.size(), CohortsOf(course.calls) - 1);
  if (site.living.size() == cohort) {
    site.living.emplace_back();
    if (cohort == 0) {
      course.first_ns = time_ns;
      course.first_allocations = allocations_;
    }
  }
  ++site.living[cohort].blocks;
  site.living[cohort].bytes += bytes;
  ++course.blocks;
  course.bytes += bytes;
  site.most_bytes = std::max(site.most_bytes, course.bytes);
  ++site.born;
  site.born_bytes += bytes;
  if (++site.done == site.next_end) Close(site, time_ns);
  return static_cast<uint8_t>(cohort);
}

void CourseRecorder::Free(uint32_t index, uint8_t cohort, uint64_t bytes) {
  Site& site = sites_[index];
  ++frees_;
  --site.living[cohort].blocks;
  site.living[cohort].bytes -= bytes;
  --site.course.blocks;
  site.course.bytes -= bytes;
  site.least_blocks = std::min(site.least_blocks, site.course.blocks);
  site.least_bytes = std::min(site.least_bytes, site.course.bytes);
}

std::vector<Course> CourseRecorder::Finish(uint64_t time_ns) {
  std::vector<Course> courses;
  courses.reserve(sites_.size());
  for (Site& site : sites_) {
    Course& course = site.course;
    // Fewer came than were announced: the file is cut.
    if (site.born != 0 && course.cohorts.size() < CohortsOf(course.calls)) {
      Close(site, time_ns);
    }
    course.calls = site.done;
    course.end_ns = time_ns;
    course.end_allocations = allocations_;
    course.end_frees = frees_;
    for (size_t j = 0; j < course.cohorts.size(); ++j) {
      course.cohorts[j].left = site.living[j].blocks;
      course.cohorts[j].left_bytes = site.living[j].bytes;
    }
    courses.push_back(std::move(course));
  }
  return courses;
}

}  // namespace mallogram
