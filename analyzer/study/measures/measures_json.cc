// A run's measures as JSON and back.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "analyzer/study/measures/measures.h"

namespace mallogram::study {
namespace {

// ordered: totals first, the long list of call sites last.
using Json = nlohmann::ordered_json;

constexpr int kFormat = 1;

Json MetricsJson(const uint64_t* values, size_t count) {
  Json json = Json::object();
  for (size_t i = 0; i < count; ++i) {
    json[std::string(MetricName(static_cast<Metric>(i)))] = values[i];
  }
  return json;
}

void ReadMetrics(const Json& json, uint64_t* values, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    values[i] =
        json.value(std::string(MetricName(static_cast<Metric>(i))), uint64_t{0});
  }
}

// Frames are told once, call sites refer to them.
class FrameList {
 public:
  size_t IndexOf(const StackFrame& frame) {
    const std::string key =
        absl::StrCat(frame.function, "\n", frame.file, "\n", frame.line);
    const auto [at, added] = index_.try_emplace(key, list_.size());
    if (added) {
      Json json = {{"function", frame.function}};
      if (!frame.file.empty()) json["file"] = frame.file;
      if (frame.line != 0) json["line"] = frame.line;
      if (frame.plumbing) json["plumbing"] = true;
      list_.push_back(json);
    }
    return at->second;
  }
  Json Take() { return std::move(list_); }

 private:
  Json list_ = Json::array();
  absl::flat_hash_map<std::string, size_t> index_;
};

Json GroupJson(const Group& group, const GroupMeasure& measure,
               const RunMeasures& run) {
  Json json = {{"name", group.name}, {"match", group.match}};
  json.update(MetricsJson(measure.values.data(), kSiteMetrics));
  Json phases = Json::object();
  for (size_t i = 0; i < run.phases.size(); ++i) {
    phases[run.phases[i].name] = measure.phases[i];
  }
  json["at"] = phases;
  return json;
}

void ReadFrames(const Json& json, std::vector<StackFrame>* frames) {
  for (const Json& one : json) {
    StackFrame frame;
    frame.function = one.value("function", "");
    frame.file = one.value("file", "");
    frame.line = one.value("line", uint32_t{0});
    frame.plumbing = one.value("plumbing", false);
    frames->push_back(frame);
  }
}

CallSite ReadSite(const Json& json, const std::vector<StackFrame>& frames) {
  CallSite site;
  site.id = json.at("id").get<std::string>();
  site.function = json.value("function", "");
  site.file = json.value("file", "");
  site.line = json.value("line", uint32_t{0});
  for (const Json& index : json.at("stack")) {
    site.stack.push_back(frames.at(index.get<size_t>()));
  }
  return site;
}

void ReadRun(const Json& json, const StudySpec& spec, RunMeasures* run) {
  run->size = json.at("size").get<std::string>();
  run->n = json.at("n").get<double>();
  run->rep = json.at("rep").get<uint32_t>();
  run->seconds = json.value("seconds", 0.0);
  ReadMetrics(json.at("program"), run->program.data(), kProgramMetrics);
  for (const Json& one : json.at("phases")) {
    PhaseMeasure phase;
    phase.name = one.at("name").get<std::string>();
    phase.seconds = one.value("seconds", 0.0);
    phase.bytes = one.at("bytes").get<uint64_t>();
    phase.low = one.value("low", phase.bytes);
    phase.high = one.value("high", phase.bytes);
    run->phases.push_back(phase);
  }
  for (const auto& [key, value] : json.at("truth").items()) {
    run->truth[key] = value.get<double>();
  }
  size_t i = 0;
  for (const Json& one : json.at("groups")) {
    GroupMeasure group;
    ReadMetrics(one, group.values.data(), kSiteMetrics);
    for (const PhaseMeasure& phase : run->phases) {
      group.phases.push_back(one.at("at").value(phase.name, uint64_t{0}));
    }
    run->groups.push_back(group);
    if (i >= spec.groups.size() || one.value("name", "") != spec.groups[i].name ||
        one.value("match", "") != spec.groups[i].match) {
      throw std::out_of_range("groups");
    }
    ++i;
  }
  if (i != spec.groups.size()) throw std::out_of_range("groups");
}

}  // namespace

std::string RenderMeasures(const StudySpec& spec, const VariantMeasures& variant,
                           size_t index) {
  const RunMeasures& run = variant.runs[index];
  const Run& sites = variant.sites.runs[index];
  Json json = {{"format", kFormat},
               {"size", run.size},
               {"n", run.n},
               {"rep", run.rep},
               {"seconds", run.seconds}};
  json["program"] = MetricsJson(run.program.data(), kProgramMetrics);
  json["sampled"] = sites.sampled;
  json["phases"] = Json::array();
  for (const PhaseMeasure& phase : run.phases) {
    Json one = {
        {"name", phase.name}, {"seconds", phase.seconds}, {"bytes", phase.bytes}};
    if (phase.low != phase.high) {
      one["low"] = phase.low;
      one["high"] = phase.high;
    }
    json["phases"].push_back(one);
  }
  json["groups"] = Json::array();
  for (size_t i = 0; i < spec.groups.size(); ++i) {
    json["groups"].push_back(GroupJson(spec.groups[i], run.groups[i], run));
  }
  json["truth"] = Json::object();
  for (const auto& [name, value] : run.truth) json["truth"][name] = value;
  json["warnings"] = variant.sites.warnings;

  FrameList frames;
  Json list = Json::array();
  for (const SiteValues& values : sites.sites) {
    const CallSite& site = variant.sites.sites[values.site];
    Json one = {{"id", site.id}, {"function", site.function}};
    if (!site.file.empty()) one["file"] = site.file;
    if (site.line != 0) one["line"] = site.line;
    one.update(MetricsJson(values.values.data(), kSiteMetrics));
    one["stack"] = Json::array();
    for (const StackFrame& frame : site.stack) {
      one["stack"].push_back(frames.IndexOf(frame));
    }
    list.push_back(one);
  }
  json["frames"] = frames.Take();
  json["sites"] = std::move(list);
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

absl::Status MeasuresReader::Add(absl::string_view text,
                                 absl::string_view directory) {
  // The library reports what is missing by exceptions alone.
  try {
    const Json json = Json::parse(text.begin(), text.end());
    if (json.at("format") != kFormat) {
      return absl::DataLossError("written by another version");
    }
    RunMeasures measures;
    measures.directory = std::string(directory);
    ReadRun(json, spec_, &measures);
    std::vector<StackFrame> frames;
    ReadFrames(json.at("frames"), &frames);
    Run run;
    run.n = measures.n;
    run.rep = measures.rep;
    run.file = measures.directory;
    run.values = measures.program;
    run.sampled = json.value("sampled", false);
    for (const Json& one : json.at("sites")) {
      CallSite site = ReadSite(one, frames);
      Runs& sites = variant_.sites;
      const auto [at, added] = site_by_id_.try_emplace(
          site.id, static_cast<uint32_t>(sites.sites.size()));
      if (added) sites.sites.push_back(std::move(site));
      SiteValues values;
      values.site = at->second;
      ReadMetrics(one, values.values.data(), kSiteMetrics);
      run.sites.push_back(values);
    }
    std::sort(
        run.sites.begin(), run.sites.end(),
        [](const SiteValues& a, const SiteValues& b) { return a.site < b.site; });
    std::vector<std::string>& warnings = variant_.sites.warnings;
    for (const Json& warning : json.at("warnings")) {
      const std::string sentence = warning.get<std::string>();
      if (std::find(warnings.begin(), warnings.end(), sentence) == warnings.end()) {
        warnings.push_back(sentence);
      }
    }
    variant_.sites.runs.push_back(std::move(run));
    variant_.runs.push_back(std::move(measures));
  } catch (const std::exception& error) {
    return absl::DataLossError(
        absl::StrCat("no measures of a run: ", error.what()));
  }
  return absl::OkStatus();
}

}  // namespace mallogram::study
