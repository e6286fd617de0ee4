// What is in a file: text and JSON.
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "analyzer/command/format.h"
#include "analyzer/command/text_writer.h"
#include "analyzer/recording/phase_marks.h"
#include "analyzer/recording/process_facts.h"
#include "analyzer/report/render.h"

namespace mallogram {
namespace {

using Json = nlohmann::ordered_json;

absl::string_view ChunkName(ChunkType type) {
  switch (type) {
    case ChunkType::kRun:
      return "run";
    case ChunkType::kModules:
      return "modules";
    case ChunkType::kStacks:
      return "stacks";
    case ChunkType::kThreads:
      return "threads";
    case ChunkType::kEvents:
      return "events";
    case ChunkType::kSamples:
      return "samples";
    case ChunkType::kSummary:
      return "summary";
    case ChunkType::kIndex:
      return "index";
    case ChunkType::kMarks:
      return "marks";
    case ChunkType::kLeaks:
      return "leaks";
    case ChunkType::kMismatches:
      return "mismatches";
    case ChunkType::kPools:
      return "pools";
    case ChunkType::kModuleFiles:
      return "module files";
    case ChunkType::kNames:
      return "names";
  }
  return "unknown";
}

absl::string_view IndexText(IndexState state) {
  switch (state) {
    case IndexState::kIntact:
      return "intact";
    case IndexState::kRebuilt:
      return "damaged; the summary was found without it";
    case IndexState::kFolded:
      return "missing; totals are computed from the events";
  }
  return "";
}

absl::string_view IndexName(IndexState state) {
  switch (state) {
    case IndexState::kIntact:
      return "intact";
    case IndexState::kRebuilt:
      return "rebuilt";
    case IndexState::kFolded:
      return "missing";
  }
  return "";
}

absl::string_view CauseName(CheckCause cause) {
  constexpr absl::string_view kNames[kCheckCauses] = {"exit", "signal", "command",
                                                      "client"};
  const auto index = static_cast<size_t>(cause);
  return index < kCheckCauses ? kNames[index] : "unknown";
}

constexpr absl::string_view kClassNames[kLeakClasses] = {
    "definite", "indirect", "possible", "reachable", "ignored"};

struct ClassSums {
  uint64_t blocks[kLeakClasses] = {}, bytes[kLeakClasses] = {};
};
ClassSums SumsOf(const LeakCheck& check) {
  ClassSums sums;
  for (const LeakGroup& group : check.groups) {
    sums.blocks[static_cast<size_t>(group.kind)] += group.blocks;
    sums.bytes[static_cast<size_t>(group.kind)] += group.bytes;
  }
  return sums;
}

void WriteChecks(const Trace& trace, TextWriter* out) {
  if (trace.leak_checks.empty()) return;
  out->Heading("Leak checks",
               absl::StrCat(" (", FormatCount(trace.leak_checks.size()), ")"));
  size_t number = 0;
  for (const LeakCheck& check : trace.leak_checks) {
    std::string found;
    const ClassSums sums = SumsOf(check);
    for (size_t i = 0; i < kLeakClasses; ++i) {
      if (sums.blocks[i] == 0) continue;
      absl::StrAppend(&found, found.empty() ? "" : ", ",
                      FormatCount(sums.blocks[i]), " ", kClassNames[i]);
    }
    if (!check.classified) found = absl::StrCat("not classified: ", check.reason);
    out->Line("  ", PadLeft(absl::StrCat(++number), 9), "  ",
              PadRight(CauseName(check.cause), 8), "  at ",
              FormatSeconds(Seconds(check.time_ns)), "  ",
              out->Safe(found.empty() ? "nothing alive" : found));
  }
}

Json ChecksJson(const Trace& trace) {
  Json checks = Json::array();
  for (const LeakCheck& check : trace.leak_checks) {
    Json json = {
        {"cause", CauseName(check.cause)},     {"time_s", Seconds(check.time_ns)},
        {"classified", check.classified},      {"reason", check.reason},
        {"pause_s", Seconds(check.pause_ns)},  {"scan_s", Seconds(check.scan_ns)},
        {"scanned_bytes", check.scanned_bytes}};
    const ClassSums sums = SumsOf(check);
    for (size_t i = 0; i < kLeakClasses; ++i) {
      json[std::string(kClassNames[i])] = {{"blocks", sums.blocks[i]},
                                           {"bytes", sums.bytes[i]}};
    }
    checks.push_back(std::move(json));
  }
  return checks;
}

}  // namespace

std::string RenderInfo(const Trace& trace, const Style& style) {
  TextWriter out(style, false);
  const RunInfo& run = trace.run;
  const auto row = [&out](absl::string_view label, absl::string_view value) {
    if (!value.empty()) out.Line("  ", PadRight(label, 14), out.Safe(value));
  };
  out.Line(out.Bold(out.Safe(trace.path)), "   ", FormatBytes(trace.file_bytes));
  for (const std::string& warning : trace.warnings) {
    out.Line(out.Yellow(absl::StrCat("! ", out.Safe(warning))));
  }
  out.Line();
  row("Command", JoinCommand(run.argv));
  row("Executable", run.executable);
  row("Directory", run.cwd);
  row("Process", absl::StrCat(run.pid, ", child of ", run.ppid,
                              run.parent_trace.empty()
                                  ? ""
                                  : absl::StrCat(" (", run.parent_trace, ")")));
  row("Started", FormatTime(run.start_unix_ns));
  row("Ran", FormatSeconds(Seconds(trace.summary.totals.duration_ns)));
  row("End", EndText(FactsOf(trace)));
  row("Host", run.host);
  row("System", run.os);
  row("CPU", run.cpu);
  row("Recorded by", absl::StrCat("mallogram ", run.mallogram_version));
  row("Stacks", run.max_depth == 0
                    ? "whole"
                    : absl::StrCat("at most ", Plural(run.max_depth, "frame")));
  row("Sampling",
      run.sample_interval == 0
          ? "none: every block is recorded"
          : absl::StrCat("one block in ", FormatBytes(run.sample_interval),
                         " allocated; figures are estimates"));
  row("Full ring", run.on_full);
  row("Allocator", run.allocator);
  row("Clock", run.tsc_hz == 0
                   ? "CLOCK_MONOTONIC"
                   : absl::StrFormat("time stamp counter, %.3f GHz",
                                     static_cast<double>(run.tsc_hz) / 1e9));
  row("Footer", IndexText(trace.index));

  out.Heading("Chunks");
  out.Line(out.Dim(absl::StrCat("  ", PadRight("type", 10), PadLeft("count", 8),
                                PadLeft("in the file", 14), PadLeft("unpacked", 14),
                                PadLeft("ratio", 9))));
  for (const ChunkStats& chunk : trace.chunks) {
    out.Line("  ", PadRight(ChunkName(chunk.type), 10),
             PadLeft(FormatCount(chunk.count), 8),
             PadLeft(FormatBytes(chunk.stored_bytes), 14),
             PadLeft(FormatBytes(chunk.raw_bytes), 14),
             PadLeft(chunk.stored_bytes == 0
                         ? ""
                         : absl::StrFormat(
                               "%.1f", static_cast<double>(chunk.raw_bytes) /
                                           static_cast<double>(chunk.stored_bytes)),
                     9));
  }

  WriteChecks(trace, &out);

  if (!trace.marks.empty()) {
    out.Heading("Marks", absl::StrCat(" (", FormatCount(trace.marks.size()), ")"));
    for (const Mark& mark : trace.marks) {
      out.Line(
          "  ", PadRight(out.Safe(mark.name), 24), "  ",
          PadLeft(mark.scale == 0 ? "" : absl::StrCat(mark.scale), 12), "  ",
          out.Dim(absl::StrCat("at ", FormatSeconds(Seconds(mark.time_ns)),
                               ", after ", FormatCount(mark.events), " events")));
    }
  }
  out.Heading("Threads",
              absl::StrCat(" (", FormatCount(trace.threads.size()), ")"));
  for (const Thread& thread : trace.threads) {
    out.Line(
        "  ", PadLeft(absl::StrCat(thread.tid), 9), "  ",
        PadRight(out.Safe(thread.name), 16), "  ",
        out.Dim(absl::StrCat("from ", FormatSeconds(Seconds(thread.start_ns)))));
  }

  out.Heading("Modules",
              absl::StrCat(" (", FormatCount(trace.modules.size()), ")"));
  for (const Module& module : trace.modules) {
    out.Line(absl::StrFormat("  %012x-%012x  ", module.start, module.end),
             out.Safe(module.path));
    std::string rest =
        module.build_id.empty()
            ? "no build-id"
            : absl::StrCat("build-id ", BuildIdText(module.build_id));
    if (module.load_ns != 0) {
      absl::StrAppend(&rest, ", seen from ",
                      FormatSeconds(Seconds(module.load_ns)));
    }
    if (module.unload_ns != 0) {
      absl::StrAppend(&rest, ", unloaded after ",
                      FormatSeconds(Seconds(module.unload_ns)));
    }
    out.Line(std::string(29, ' '), out.Dim(rest));
  }
  return out.Take();
}

std::string RenderInfoJson(const Trace& trace) {
  const RunInfo& run = trace.run;
  Json json = {
      {"schema_version", 1},
      {"file", trace.path},
      {"file_bytes", trace.file_bytes},
      {"mallogram_version", run.mallogram_version},
      {"command", run.argv},
      {"executable", run.executable},
      {"cwd", run.cwd},
      {"pid", run.pid},
      {"ppid", run.ppid},
      {"parent_trace", run.parent_trace},
      {"host", run.host},
      {"os", run.os},
      {"cpu", run.cpu},
      {"start_unix_s", Seconds(run.start_unix_ns)},
      {"duration_s", Seconds(trace.summary.totals.duration_ns)},
      {"end", EndText(FactsOf(trace))},
      {"tsc_hz", run.tsc_hz},
      {"max_depth", run.max_depth},
      {"sample_interval_bytes",
       run.sample_interval == 0 ? Json() : Json(run.sample_interval)},
      {"on_full", run.on_full},
      {"allocator", run.allocator},
      {"footer", IndexName(trace.index)},
      {"warnings", trace.warnings},
  };
  Json& chunks = json["chunks"] = Json::array();
  for (const ChunkStats& chunk : trace.chunks) {
    chunks.push_back({{"type", ChunkName(chunk.type)},
                      {"count", chunk.count},
                      {"stored_bytes", chunk.stored_bytes},
                      {"raw_bytes", chunk.raw_bytes}});
  }
  json["leak_checks"] = ChecksJson(trace);
  Json& marks = json["marks"] = Json::array();
  for (const Mark& mark : trace.marks) {
    marks.push_back({{"name", mark.name},
                     {"scale", mark.scale == 0 ? Json() : Json(mark.scale)},
                     {"time_s", Seconds(mark.time_ns)},
                     {"events", mark.events}});
  }
  Json& threads = json["threads"] = Json::array();
  for (const Thread& thread : trace.threads) {
    threads.push_back({{"index", thread.index},
                       {"tid", thread.tid},
                       {"name", thread.name},
                       {"start_s", Seconds(thread.start_ns)}});
  }
  Json& modules = json["modules"] = Json::array();
  for (const Module& module : trace.modules) {
    modules.push_back(
        {{"id", module.id},
         {"path", module.path},
         {"build_id", BuildIdText(module.build_id)},
         {"start", module.start},
         {"end", module.end},
         {"bias", module.bias},
         {"load_s", Seconds(module.load_ns)},
         {"unload_s",
          module.unload_ns == 0 ? Json() : Json(Seconds(module.unload_ns))}});
  }
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace mallogram
