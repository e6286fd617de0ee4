#include "analyzer/sweep/manifest.h"

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "analyzer/command/json_text.h"
#include "analyzer/sweep/sizes.h"

namespace mallogram {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;

// As people read it.
std::string Pretty(const Json& json) { return Dump(json, 2) + "\n"; }

Json PlanJson(const SweepPlan& plan) {
  return {{"command", plan.command},
          {"parameter", plan.parameter},
          {"sizes", plan.sizes},
          {"constants", plan.constants},
          {"input", plan.input},
          {"reps", plan.reps},
          {"warm_up", plan.warm_up},
          {"jobs", plan.jobs},
          {"allow_failure", plan.allow_failure},
          {"record_options", plan.record_options},
          {"working_directory", plan.working_directory}};
}

// Throws Json::exception.
SweepPlan PlanFrom(const Json& json) {
  SweepPlan plan;
  json.at("command").get_to(plan.command);
  json.at("parameter").get_to(plan.parameter);
  json.at("sizes").get_to(plan.sizes);
  json.at("constants").get_to(plan.constants);
  json.at("input").get_to(plan.input);
  json.at("reps").get_to(plan.reps);
  json.at("warm_up").get_to(plan.warm_up);
  json.at("jobs").get_to(plan.jobs);
  json.at("allow_failure").get_to(plan.allow_failure);
  json.at("record_options").get_to(plan.record_options);
  json.at("working_directory").get_to(plan.working_directory);
  return plan;
}

Json RunJson(const SweepRun& run) {
  return {{"size", run.size},
          {"n", run.n},
          {"rep", run.rep},
          {"exit_status", run.exit_status},
          {"seconds", run.seconds}};
}

// Our plans have sizes above 0 and a command: a file that has not is no manifest,
// and what reads it later may rely on that.
absl::StatusOr<Sweep> ParseManifest(const std::string& text) {
  Sweep sweep;
  try {
    const Json json = Json::parse(text);
    const int version = json.at("version").get<int>();
    if (version != kVersion) {
      return absl::UnimplementedError(absl::StrCat(
          "its version is ", version, "; this mallogram reads version ", kVersion));
    }
    sweep.plan = PlanFrom(json.at("plan"));
    json.at("started").get_to(sweep.started);
    json.at("machine").get_to(sweep.machine);
  } catch (const Json::exception& error) {
    return absl::DataLossError("it is damaged");
  }
  sweep.plan.directory = "here";  // it is not stored: sweeps can be moved
  absl::StatusOr<SweepPlan> plan = CheckPlan(sweep.plan);
  if (!plan.ok()) return absl::DataLossError(plan.status().message());
  sweep.plan = *std::move(plan);
  return sweep;
}

}  // namespace

absl::Status WriteManifest(const Sweep& sweep) {
  Json runs = Json::array();
  for (const SweepRun& run : sweep.runs) {
    Json json = RunJson(run);
    json["directory"] = RunName(sweep.plan, {run.size, run.rep});
    runs.push_back(std::move(json));
  }
  return WriteAtomically(absl::StrCat(sweep.plan.directory, "/", kManifestFile),
                         Pretty({{"version", kVersion},
                                 {"started", sweep.started},
                                 {"machine", sweep.machine},
                                 {"plan", PlanJson(sweep.plan)},
                                 {"runs", runs}}));
}

absl::StatusOr<Sweep> ReadManifest(const std::string& directory) {
  const std::string path = absl::StrCat(directory, "/", kManifestFile);
  InputFile file;
  if (!LookAt(path, &file)) {
    return absl::NotFoundError(absl::StrCat(
        directory, " holds no sweep: there is no ", kManifestFile, " in it"));
  }
  const absl::StatusOr<std::string> text = ReadTextFile(path);
  if (!text.ok()) return text.status();
  absl::StatusOr<Sweep> sweep = ParseManifest(*text);
  if (!sweep.ok()) {
    return absl::DataLossError(
        absl::StrCat("cannot read ", path, ": ", sweep.status().message()));
  }
  sweep->plan.directory = directory;
  return sweep;
}

absl::Status WriteRun(const SweepPlan& plan, const StoredRun& stored) {
  const RunKey key{stored.run.size, stored.run.rep};
  Json inputs = Json::array();
  for (const InputFile& file : stored.inputs) {
    inputs.push_back({{"path", file.path},
                      {"bytes", file.bytes},
                      {"modified_ns", file.modified_ns}});
  }
  Json json = RunJson(stored.run);
  json["command"] = RunCommand(plan, key);
  json["inputs"] = std::move(inputs);
  return WriteAtomically(absl::StrCat(RunDirectory(plan, key), "/", kRunFile),
                         Pretty(json));
}

absl::StatusOr<StoredRun> ReadRun(const SweepPlan& plan, const RunKey& key) {
  StoredRun stored;
  SweepRun& run = stored.run;
  run.directory = RunDirectory(plan, key);
  const absl::StatusOr<std::string> text =
      ReadTextFile(absl::StrCat(run.directory, "/", kRunFile));
  if (!text.ok()) return absl::NotFoundError(text.status().message());
  try {
    const Json json = Json::parse(*text);
    json.at("exit_status").get_to(run.exit_status);
    json.at("seconds").get_to(run.seconds);
    for (const Json& input : json.at("inputs")) {
      InputFile file;
      input.at("path").get_to(file.path);
      input.at("bytes").get_to(file.bytes);
      input.at("modified_ns").get_to(file.modified_ns);
      stored.inputs.push_back(std::move(file));
    }
  } catch (const Json::exception& error) {
    return absl::NotFoundError("damaged");
  }
  run.size = key.size;
  run.n = SizeValue(key.size);
  run.rep = key.rep;
  run.resumed = true;
  run.files = FindRecordings(run.directory);
  if (run.files.empty()) return absl::NotFoundError("its recording is gone");
  return stored;
}

SweepPlan AsStored(const SweepPlan& plan) {
  SweepPlan stored = PlanFrom(Json::parse(Dump(PlanJson(plan))));
  stored.directory = plan.directory;
  return stored;
}

}  // namespace mallogram
