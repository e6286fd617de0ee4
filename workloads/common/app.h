// The part of main() that is the same for every workload: common flags, leak
// plants, phase marks, help, error lines and the printing of the truth.
//
// Exit status: 0 fine; 1 the work failed (one line on standard error); 2 a bad
// flag.

#ifndef WORKLOADS_COMMON_APP_H_
#define WORKLOADS_COMMON_APP_H_

#include <cstdint>
#include <functional>
#include <string>

#include "workloads/common/flags.h"
#include "workloads/common/json.h"
#include "workloads/common/leaks.h"
#include "workloads/common/truth.h"

namespace workloads {

struct App {
  const char* name;
  const char* summary;
  Flags* flags;
  LeakPlan* leaks;
  int64_t* seed;
  // Does the work and writes its own fields; returns what went wrong or nothing.
  // REQUIRES of it: marks "baseline" first.
  std::function<std::string(Phases&, Entities&, Json&)> run;
};

int AppMain(const App& app, int argc, const char* const* argv);

}  // namespace workloads

#endif  // WORKLOADS_COMMON_APP_H_
