// Made programs: a script of allocations, and its replay through the recorder of
// courses that the analyzer uses.
#include "tests/analyzer/leaks/growth/kinds.h"

namespace mallogram::growth_test {

uint32_t Script::Allocate(uint32_t site, uint32_t bytes) {
  steps_.push_back({blocks_, bytes, now_ns_, site, false});
  return blocks_++;
}

void Script::Free(uint32_t block) {
  steps_.push_back({block, 0, now_ns_, 0, true});
}

void Script::Work() {
  for (int i = 0; i < 2; ++i) {
    Free(Allocate(kWork, 64));
    Wait(4000 + random() % 2048);
  }
  if (random() % 4096 == 0) Wait(3'000'000);  // another process had the processor
}

std::vector<Course> Script::Replay() const {
  std::vector<uint64_t> calls;
  for (const Step& step : steps_) {
    if (step.frees) continue;
    if (step.site >= calls.size()) calls.resize(step.site + 1);
    ++calls[step.site];
  }
  struct Block {
    uint32_t site = 0, bytes = 0;
    uint8_t cohort = 0;
  };
  std::vector<Block> blocks(blocks_);
  CourseRecorder recorder(calls);
  for (const Step& step : steps_) {
    Block& block = blocks[step.block];
    if (step.frees) {
      recorder.Free(block.site, block.cohort, block.bytes);
    } else {
      block = {step.site, step.bytes,
               recorder.Allocate(step.site, step.bytes, step.time_ns)};
    }
  }
  return recorder.Finish(now_ns_);
}

}  // namespace mallogram::growth_test
