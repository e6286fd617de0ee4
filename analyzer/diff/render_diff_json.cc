// A Difference for programs: every value before and after, without rounding.
#include <nlohmann/json.hpp>

#include "analyzer/diff/render_diff.h"

namespace mallogram {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSchemaVersion = 1;

Json ValuesJson(const Difference& difference, const DiffValues& values) {
  Json json = Json::object();
  for (size_t i = 0; i < values.before.size(); ++i) {
    json[difference.measures[i].name] = {{"before", values.before[i]},
                                         {"after", values.after[i]},
                                         {"change", values.Change(i)}};
  }
  return json;
}

}  // namespace

std::string RenderDiffJson(const Difference& difference, size_t by, size_t top) {
  Json json;
  json["schema_version"] = kSchemaVersion;
  json["before"] = difference.before;
  json["after"] = difference.after;
  json["by"] = difference.measures[by].name;
  json["totals"] = ValuesJson(difference, difference.totals);
  if (difference.ranges.size() == 2) {
    const auto range = [](const Difference::Range& r) {
      return Json{r.low, r.high};
    };
    json["range"] = {{"before", range(difference.ranges[0])},
                     {"after", range(difference.ranges[1])}};
  }
  const DiffCounts counts = CountChanges(difference, by);
  json["call_sites"] = {{"new", counts.appeared},
                        {"gone", counts.vanished},
                        {"larger", counts.grew},
                        {"smaller", counts.shrank},
                        {"as_before", counts.same}};
  json["sites"] = Json::array();
  for (const size_t i : RankChanges(difference, by)) {
    if (top != 0 && json["sites"].size() == top) break;
    const DiffSite& row = difference.values[i];
    const CallSite& site = difference.sites[row.site];
    Json entry = {{"site", site.id},
                  {"function", site.function},
                  {"file", site.file.empty() ? Json() : Json(site.file)},
                  {"line", site.line == 0 ? Json() : Json(site.line)}};
    entry.update(ValuesJson(difference, row.values));
    entry["stack"] = Json::array();
    for (const StackFrame& frame : site.stack) {
      entry["stack"].push_back(
          {{"function", frame.function},
           {"file", frame.file.empty() ? Json() : Json(frame.file)},
           {"line", frame.line == 0 ? Json() : Json(frame.line)},
           {"plumbing", frame.plumbing}});
    }
    json["sites"].push_back(std::move(entry));
  }
  json["warnings"] = difference.warnings;
  // Names of files and functions are whatever the system says.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace mallogram
