#include "workloads/common/app.h"

#include <cstdio>
#include <limits>
#include <vector>

namespace workloads {
namespace {

int Fail(const App& app, const std::string& error, int status) {
  std::fprintf(stderr, "%s: %s\n", app.name, error.c_str());
  return status;
}

}  // namespace

int AppMain(const App& app, int argc, const char* const* argv) {
  bool phase_marks = false;
  std::vector<std::string> leaks;
  app.flags->Count("seed", app.seed, 0, std::numeric_limits<int64_t>::max(),
                   "Seed of all randomness; same flags, same run");
  app.flags->Repeated("leak", &leaks, "SITE:RATE: leak at this share of occasions");
  app.flags->Switch("phase-marks", &phase_marks,
                    "Print 'phase NAME SECONDS' on standard error");
  const std::string help = std::string("Usage: ") + app.name + " [FLAGS]\n" +
                           app.summary + "\n\n" + app.flags->Describe() + "\n" +
                           app.leaks->Describe();

  std::string error = app.flags->Parse(argc, argv);
  if (!error.empty()) return Fail(app, error, 2);
  if (app.flags->help_wanted()) {
    std::fputs(help.c_str(), stdout);
    return 0;
  }
  for (const std::string& leak : leaks) {
    error = app.leaks->Apply(leak);
    if (!error.empty()) return Fail(app, error, 2);
  }

  Phases phases(phase_marks);
  Entities entities;
  Json json;
  json.String("workload", app.name);
  app.flags->Write(json);
  error = app.run(phases, entities, json);
  if (!error.empty()) return Fail(app, error, 1);
  json.Integer("peak_bytes", total_balance.peak_bytes);
  json.Integer("end_bytes", total_balance.live_bytes);
  entities.Write(json);
  phases.Write(json);
  app.leaks->Write(json);

  // From here on nothing of the workload is live but what was leaked.
  const std::string truth = json.Finish();
  if (std::fputs(truth.c_str(), stdout) < 0 || std::fflush(stdout) != 0) {
    return Fail(app, "cannot write the truth to standard output", 1);
  }
  return 0;
}

}  // namespace workloads
