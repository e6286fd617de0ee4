// How often the labels of growth are right, where the truth is known.
//
// Usage: growth_simulation [--runs N] [--seed S]
//
// Prints a row a kind: of N seeded runs (200) so many got each label. Then how many
// of 2,000 sites of one program, of which 5 % leak, are found, and how many alarms
// are false. Exit status 1: a bounded kind was called growing, or a growing one was
// found in less than 95 %. Deterministic for a seed; the time is printed and never
// judged.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <utility>

#include "analyzer/leaks/growth/label.h"
#include "tests/analyzer/leaks/growth/kinds.h"

namespace mallogram::growth_test {
namespace {

constexpr double kFound = 0.95, kFalseDiscoveries = 0.05;
constexpr size_t kLabels = 5;

struct Row {
  std::array<int, kLabels> labels = {};
  std::map<std::string, int> objections;
};

Row RunKind(void (*run)(Script&), int runs, uint64_t seed) {
  Row row;
  for (int i = 0; i < runs; ++i) {
    Script script(seed + static_cast<uint64_t>(i));
    run(script);
    const std::vector<SiteGrowth> sites = LabelGrowth(script.Replay());
    ++row.labels[static_cast<size_t>(sites[kTarget].label)];
    if (sites[kTarget].objection != Objection::kNone) {
      ++row.objections[std::string(ObjectionText(sites[kTarget].objection))];
    }
  }
  return row;
}

bool Print(const char* name, bool grows, const Row& row, int runs,
           bool judged = true) {
  const int growing = row.labels[static_cast<size_t>(GrowthKind::kGrowing)];
  const bool ok = grows ? growing >= kFound * runs : growing == 0;
  printf("%-28s", name);
  for (const GrowthKind label :
       {GrowthKind::kGrowing, GrowthKind::kOneTime, GrowthKind::kPlateau,
        GrowthKind::kChurning, GrowthKind::kUndetermined}) {
    printf(" %8d", row.labels[static_cast<size_t>(label)]);
  }
  printf("  %s", !judged ? "   " : ok ? "ok " : "BAD");
  std::vector<std::pair<int, std::string>> objections;
  for (const auto& [text, count] : row.objections)
    objections.emplace_back(count, text);
  std::sort(objections.rbegin(), objections.rend());
  for (const auto& [count, text] : objections)
    printf(" %d %s;", count, text.c_str());
  printf("\n");
  return ok;
}

// Sites of one program: 95 % of the bounded kinds, 5 % that leak.
bool ManySites(int sites, uint64_t seed) {
  std::vector<Course> courses;
  std::vector<bool> grows;
  std::vector<Kind> bounded, growing;
  for (const Kind& kind : AllKinds()) {
    (kind.grows ? growing : bounded).push_back(kind);
  }
  for (int i = 0; i < sites; ++i) {
    const bool leaks = i % 20 == 0;
    const std::vector<Kind>& kinds = leaks ? growing : bounded;
    Script script(seed + static_cast<uint64_t>(i));
    kinds[static_cast<size_t>(i / (leaks ? 20 : 1)) % kinds.size()].run(script);
    courses.push_back(std::move(script.Replay()[kTarget]));
    grows.push_back(leaks);
  }
  const std::vector<SiteGrowth> labels = LabelGrowth(courses);
  int alarms = 0, wrong = 0, leaks = 0, found = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    const bool alarm = labels[i].label == GrowthKind::kGrowing;
    alarms += alarm;
    wrong += alarm && !grows[i];
    leaks += grows[i];
    found += alarm && grows[i];
  }
  const bool ok = wrong <= kFalseDiscoveries * alarms && found >= kFound * leaks;
  printf("%d sites, %d growing: %d found, %d false of %d alarms  %s\n", sites,
         leaks, found, wrong, alarms, ok ? "ok" : "BAD");
  return ok;
}

int Main(int argc, char** argv) {
  int runs = 200;
  uint64_t seed = 1;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--runs") == 0) runs = atoi(argv[i + 1]);
    if (strcmp(argv[i], "--seed") == 0) seed = strtoull(argv[i + 1], nullptr, 10);
  }
  const auto start = std::chrono::steady_clock::now();
  bool ok = true;
  printf("%-28s %8s %8s %8s %8s %8s\n", "of so many seeded runs", "growing",
         "one-time", "plateau", "churning", "undeter.");
  for (const Kind& kind : AllKinds()) {
    ok &= Print(kind.name, kind.grows, RunKind(kind.run, runs, seed), runs);
  }
  ok &= ManySites(runs * 10, seed + 1'000'000);
  // How many iterations a leak of one block in 1,000 needs: told, not judged.
  const auto leak = [](auto iterations) {
    return [](Script& script) { SlowLeak(script, decltype(iterations)::value); };
  };
  Print("  the leak, 10,000 rounds", true,
        RunKind(leak(std::integral_constant<int, 10'000>()), runs, seed), runs,
        false);
  Print("  the leak, 20,000 rounds", true,
        RunKind(leak(std::integral_constant<int, 20'000>()), runs, seed), runs,
        false);
  const std::chrono::duration<double> seconds =
      std::chrono::steady_clock::now() - start;
  printf("%s, %.1f s\n", ok ? "as promised" : "NOT as promised", seconds.count());
  return ok ? 0 : 1;
}

}  // namespace
}  // namespace mallogram::growth_test

int main(int argc, char** argv) { return mallogram::growth_test::Main(argc, argv); }
