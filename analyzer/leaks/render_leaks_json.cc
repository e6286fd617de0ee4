// The leaks as JSON, see leaks.schema.json. A field is never absent because its
// value is unknown: it is null then. Records are written one by one: with all that
// is reachable they can be many.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "analyzer/command/format.h"
#include "analyzer/command/json_text.h"
#include "analyzer/leaks/render_leaks.h"
#include "analyzer/leaks/why.h"
#include "analyzer/report/process_json.h"
#include "analyzer/stacks/stack_cursor.h"

namespace mallogram {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSchemaVersion = 2;

Json TextOrNull(const std::string& text) {
  return text.empty() ? Json() : Json(text);
}

Json NameOrNull(absl::string_view name) { return TextOrNull(std::string(name)); }

Json AmountJson(const Amount& amount) {
  return {{"blocks", amount.blocks},
          {"bytes", amount.bytes},
          {"records", amount.records}};
}

Json SummaryJson(const std::array<Amount, kLeakKinds>& sums,
                 const Amount& suppressed, size_t mismatches) {
  Json json = Json::object();
  for (size_t i = 0; i < kLeakKinds; ++i)
    json[std::string(KindName(static_cast<LeakKind>(i)))] = AmountJson(sums[i]);
  json["suppressed"] = AmountJson(suppressed);
  json["mismatches"] = mismatches;
  return json;
}

Json CheckJson(const CheckView& view, int64_t pid) {
  const LeakCheck& check = view.check;
  return {
      {"number", view.number},
      {"pid", pid},
      {"cause", std::string(CauseName(check.cause))},
      {"signal", check.cause == CheckCause::kSignal ? Json(check.detail) : Json()},
      {"time_s", Seconds(check.time_ns)},
      {"events", check.events},
      {"classified", check.classified},
      {"reason", TextOrNull(check.reason)},
      {"pause_s", Seconds(check.pause_ns)},
      {"scan_s", Seconds(check.scan_ns)},
      {"scanned_bytes", check.scanned_bytes},
      {"root_bytes", check.root_bytes},
      {"blocks", check.blocks},
      {"bytes", check.bytes},
      {"warnings", check.warnings}};
}

Json ProcessJson(const LeakProcess& process, size_t mismatches) {
  return {{"file", TextOrNull(process.file)},
          {"program", process.program},
          {"command", process.argv},
          {"cwd", process.cwd},
          {"host", process.host},
          {"pid", process.pid},
          {"ppid", process.ppid},
          {"duration_s", Seconds(process.duration_ns)},
          {"end", EndJson(process)},
          {"allocations", process.allocations},
          {"frees", process.frees},
          {"bytes_allocated", process.bytes_allocated},
          {"sample_interval_bytes", process.sample_interval},
          {"classified", process.classified},
          {"reason", TextOrNull(process.reason)},
          {"check", process.check == 0 ? Json() : Json(process.check)},
          {"since", process.since == 0 ? Json() : Json(process.since)},
          {"summary", SummaryJson(process.sums, process.suppressed, mismatches)}};
}

class Records {
 public:
  Records(const LeakDocument& document, const StackBook& book)
      : document_(document), book_(book) {}

  // Numbers of frames, which get them as they are met. The table is the last field.
  Json StackJson(uint32_t node) {
    Json json = Json::array();
    for (; node >= kFirstStackId; node = book_.node(node).parent) {
      for (const PlacedFrame& frame : book_.Shown(node)) {
        const auto [entry, is_new] =
            numbers_.try_emplace(std::pair(frame.frame, frame.inlined),
                                 static_cast<uint32_t>(met_.size()));
        if (is_new) met_.push_back(frame);
        json.push_back(entry->second);
      }
    }
    return json;
  }

  const std::vector<PlacedFrame>& met() const { return met_; }
  Json FrameJson(const PlacedFrame& placed) const {
    const CodeFrame& frame = book_.frame(placed.frame);
    return {{"function", TextOrNull(frame.function)},
            {"file", TextOrNull(frame.file)},
            {"line", frame.line == 0 ? Json() : Json(frame.line)},
            {"module", TextOrNull(frame.module)},
            {"offset", frame.offset},
            {"inlined", placed.inlined},
            {"plumbing", IsFolded(frame, Fold::kPlumbingAndLibrary)}};
  }

  Json Whole(const LeakRecord& record) {
    const LeakReason& reason = record.reason;
    const bool changed = record.change != Change::kNone;
    Json way = Json::array();
    for (const HopView& hop : reason.way) {
      way.push_back({{"allocated_at", TextOrNull(PlaceOf(book_, hop.node))},
                     {"size", hop.size},
                     {"offset", hop.offset},
                     {"repeats", hop.repeats}});
    }
    return {
        {"kind", std::string(KindName(record.kind))},
        {"process", record.process},
        {"blocks", record.blocks},
        {"bytes", record.bytes},
        {"indirect_blocks", record.indirect_blocks},
        {"indirect_bytes", record.indirect_bytes},
        {"suppressed", record.suppressed()
                           ? Json(document_.suppressions[record.suppression].name)
                           : Json()},
        {"oldest_age_s",
         record.has_ages ? Json(Seconds(record.oldest_age_ns)) : Json()},
        {"youngest_age_s",
         record.has_ages ? Json(Seconds(record.youngest_age_ns)) : Json()},
        {"thread", TextOrNull(record.thread)},
        {"container", TextOrNull(record.container)},
        {"why", WhyText(document_, book_, record, " → ")},
        {"pointer", std::string(IdiomName(reason.idiom))},
        {"interior_offset", reason.interior_offset},
        {"root", RootJson(reason.root)},
        {"way", std::move(way)},
        {"way_cut", reason.way_cut},
        {"head", TextOrNull(PlaceOf(book_, reason.head))},
        {"growth", GrowthJson(record)},
        {"change", changed ? Json(std::string(ChangeName(record.change))) : Json()},
        {"before_blocks", changed ? Json(record.before_blocks) : Json()},
        {"before_bytes", changed ? Json(record.before_bytes) : Json()},
        {"stack_end",
         std::string(StackEnd(
             StackOf(book_, record.node, Fold::kPlumbingAndLibrary).root))},
        {"stack", StackJson(record.node)}};
  }

  Json MismatchJson(const MismatchView& mismatch) {
    const Mismatch& first = mismatch.mismatch;
    return {{"kind", std::string(MismatchName(first.type))},
            {"text", MismatchText(first)},
            {"process", mismatch.process},
            {"count", first.count},
            {"allocated_by", NameOrNull(AllocatedBy(first.allocated_by))},
            {"freed_by", NameOrNull(FreedBy(first.freed_by))},
            {"first_freed_by", NameOrNull(FreedBy(first.first_freed_by))},
            {"address", first.address},
            {"offset", first.offset},
            {"size", first.size},
            {"freed_size", first.told_size ? Json(first.freed_size) : Json()},
            {"alignment", first.alignment},
            {"freed_alignment", first.freed_alignment},
            {"time_s", Seconds(first.time_ns)},
            {"thread", TextOrNull(mismatch.thread)},
            {"suppressed",
             mismatch.suppression == kNoSuppression
                 ? Json()
                 : Json(document_.suppressions[mismatch.suppression].name)},
            {"allocated", StackJson(mismatch.allocated)},
            {"freed", StackJson(mismatch.freed)},
            {"first_freed", StackJson(mismatch.first_freed)}};
  }

  Json PoolJson(const PoolView& pool) {
    Json sites = Json::array();
    for (const PoolSiteView& site : pool.sites) {
      sites.push_back({{"kind", "unclassified"},
                       {"blocks", site.blocks},
                       {"bytes", site.bytes},
                       {"allocations", site.calls},
                       {"bytes_allocated", site.bytes_allocated},
                       {"stack", StackJson(site.node)}});
    }
    return {{"name", pool.name},
            {"process", pool.process},
            {"destroyed", pool.destroyed},
            {"blocks", pool.blocks},
            {"bytes", pool.bytes},
            {"peak_bytes", pool.peak_bytes},
            {"unknown_frees", pool.unknown_frees},
            {"sites", std::move(sites)}};
  }

 private:
  Json RootJson(const RootView& root) const {
    if (root.kind == RootKind::kNone) return nullptr;
    return {{"kind", std::string(RootKindName(root.kind))},
            {"name", TextOrNull(root.name)},
            {"section", TextOrNull(root.section)},
            {"offset", root.offset},
            {"module", root.module == kNoModuleIndex
                           ? Json()
                           : Json(book_.modules()[root.module].path)},
            {"address", root.address},
            {"tid", root.tid == 0 ? Json() : Json(root.tid)},
            {"thread", TextOrNull(root.thread)}};
  }

  static Json GrowthJson(const LeakRecord& record) {
    if (!record.growth.has_value()) return nullptr;
    Json figures = Json::object();
    for (const auto& [name, value] : record.growth->figures) figures[name] = value;
    return {{"label", record.growth->label},
            {"text", TextOrNull(record.growth->text)},
            {"figures", std::move(figures)}};
  }

  const LeakDocument& document_;
  const StackBook& book_;
  std::vector<PlacedFrame> met_;
  absl::flat_hash_map<std::pair<uint32_t, bool>, uint32_t> numbers_;
};

size_t CountMismatches(const LeakDocument& document, size_t process, bool all) {
  size_t count = 0;
  for (const MismatchView& mismatch : document.mismatches) {
    if ((all || mismatch.process == process) &&
        mismatch.suppression == kNoSuppression) {
      ++count;
    }
  }
  return count;
}

}  // namespace

void RenderLeaksJson(const LeakDocument& document, const StackBook& book,
                     KindSet kinds, size_t top,
                     absl::FunctionRef<void(absl::string_view)> sink) {
  Records records(document, book);
  const auto write_array = [&sink](absl::string_view name, auto&& items,
                                   auto&& json_of) {
    sink(absl::StrCat(",\n\"", name, "\":["));
    const char* separator = "\n";
    for (const auto& item : items) {
      sink(separator);
      sink(Dump(json_of(item)));
      separator = ",\n";
    }
    sink("]");
  };

  Amount suppressed;
  Json processes = Json::array(), checks = Json::array();
  for (size_t i = 0; i < document.processes.size(); ++i) {
    const LeakProcess& process = document.processes[i];
    suppressed.blocks += process.suppressed.blocks;
    suppressed.bytes += process.suppressed.bytes;
    suppressed.records += process.suppressed.records;
    processes.push_back(ProcessJson(process, CountMismatches(document, i, false)));
    for (const CheckView& view : process.checks)
      checks.push_back(CheckJson(view, process.pid));
  }
  sink(absl::StrCat("{\"schema_version\":", kSchemaVersion));
  sink(",\n\"summary\":");
  sink(Dump(SummaryJson(TotalsOf(document), suppressed,
                        CountMismatches(document, 0, true))));
  sink(",\n\"process\":");
  sink(Dump(processes.empty() ? Json() : processes[0]));
  write_array("processes", processes, [](const Json& json) { return json; });
  write_array("checks", checks, [](const Json& json) { return json; });

  std::vector<const LeakRecord*> shown;
  for (const LeakRecord& record : document.records) {
    if (Has(kinds, record.kind)) shown.push_back(&record);
  }
  if (top != 0 && shown.size() > top) shown.resize(top);
  write_array("records", shown,
              [&](const LeakRecord* record) { return records.Whole(*record); });
  write_array("mismatches", document.mismatches, [&](const MismatchView& mismatch) {
    return records.MismatchJson(mismatch);
  });
  write_array("pools", document.pools,
              [&](const PoolView& pool) { return records.PoolJson(pool); });
  std::vector<const SuppressionUse*> used;
  for (const SuppressionUse& use : document.suppressions) {
    if (use.amount.records != 0 || !use.built_in) used.push_back(&use);
  }
  write_array("suppressions", used, [](const SuppressionUse* use) -> Json {
    return {{"name", use->name},          {"source", use->source},
            {"built_in", use->built_in},  {"blocks", use->amount.blocks},
            {"bytes", use->amount.bytes}, {"records", use->amount.records}};
  });
  write_array("frames", records.met(),
              [&](const PlacedFrame& placed) { return records.FrameJson(placed); });
  sink(",\n\"warnings\":");
  sink(Dump(Json(document.warnings)));
  sink("}\n");
}

}  // namespace mallogram
