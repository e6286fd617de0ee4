#include "analyzer/diff/diff_command.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "analyzer/command/cli.h"
#include "analyzer/command/exit.h"
#include "analyzer/command/files.h"
#include "analyzer/command/format.h"
#include "analyzer/command/report_file.h"
#include "analyzer/command/terminal.h"
#include "analyzer/diff/difference.h"
#include "analyzer/diff/render_diff.h"
#include "analyzer/recording/named_moment.h"
#include "analyzer/recording/phase_marks.h"
#include "analyzer/recording/recording.h"
#include "analyzer/recording/trace_reader.h"
#include "analyzer/scaling/runs_builder.h"
#include "analyzer/stacks/debug_options.h"
#include "analyzer/stacks/filters.h"
#include "analyzer/stacks/identity_words.h"

namespace mallogram {

namespace {

struct DiffOptions {
  std::vector<std::string> paths;
  std::optional<std::string> from, to;
  std::string marks, by, debug_dir, output;
  std::optional<SiteIdentity> identity;
  std::optional<uint64_t> top, depth;
  bool json = false, full_names = false;

  bool moments() const { return from.has_value() || to.has_value(); }
  Filters filters;
};

constexpr char kHead[] = R"(Usage: mallogram diff [OPTIONS] OLD NEW
       mallogram diff [OPTIONS] FILE --from MOMENT --to MOMENT

Shows what changed between two recordings, or between two moments of one, call site
by call site: what is new, gone, larger, smaller. OLD and NEW are recordings, or
directories with those of several processes, which are added up.

Call sites of two recordings are matched by their call stacks as they read, so
addresses do not matter; if the program was built anew between the two, line
numbers do not either.

A MOMENT is a time since the recording's start (1.5s, 200ms), `start`, `end`, or a
phase that the program named by a line on standard error, as
  phase stored 12345.678901234
where the number is CLOCK_MONOTONIC. If it was written by write(2), the recording
knows the phase; else give what the program printed with --marks. With --to alone:
all that is alive at that moment.

Options:
)";

constexpr char kTail[] = R"(
Examples:
  mallogram diff before.mgram after.mgram
  mallogram diff --by calls --top 3 v1.mgram v2.mgram
  mallogram diff run.mgram --from 1.5s --to 3s
  mallogram diff run.mgram --from baseline --to closed --marks stderr.txt
)";

std::vector<Option> Rows(DiffOptions* options) {
  std::vector<Option> rows = {
      {"--from", 0, "MOMENT", "compare FILE at this moment (default: start)",
       Store(&options->from)},
      {"--to", 0, "MOMENT", "with this one (default: end)", Store(&options->to)},
      {"--marks", 0, "FILE", "standard error of the program, for phases",
       Store(&options->marks)},
      {"--by", 0, "MEASURE",
       "rank call sites by\n"
       "  peak       bytes held when the heap was largest (default)\n"
       "  live       bytes alive at the end\n"
       "  allocated  bytes allocated in all\n"
       "  calls      allocations\n"
       "of two moments: live (default) or blocks",
       // Which words there are depends on what is compared.
       [options](absl::string_view, absl::string_view value) {
         options->by = std::string(MeasureWord(value));
         return absl::OkStatus();
       }},
      {"--sites", 0, "IDENTITY",
       "what is the same call site: stack (with lines), names (of\n"
       "its functions; default after a rebuild), line, function\n"
       "(the innermost that is not the standard library's)",
       OneOf(kIdentityWords, &options->identity)},
      {"--top", 0, "N", "show N call sites (default 10; JSON: all; 0: all)",
       Number(&options->top)},
      {"--depth", 0, "N", "show N callers of each (default 8; 0: all)",
       Number(&options->depth)},
      {"--full-names", 0, "",
       "functions with all arguments, files with directories",
       Store(&options->full_names)},
      OutputRow(&options->output),
      {"--json", 0, "", "one JSON object, described by diff.schema.json",
       Store(&options->json)}};
  Append(DebugRows(&options->debug_dir), &rows);
  Append(TerminalRows(), &rows);
  return rows;
}

absl::Status CheckPaths(const DiffOptions& options) {
  if (options.paths.empty()) return UsageError("diff needs two recordings");
  if (options.paths.size() > 2) {
    return UsageError(
        absl::StrCat("diff compares two recordings, not ", options.paths.size()));
  }
  if (options.moments() && options.paths.size() == 2)
    return UsageError(
        "--from and --to compare two moments of one recording: give one FILE");
  if (!options.moments() && options.paths.size() == 1) {
    return UsageError(
        "diff needs two recordings, or --from and --to for two moments of one");
  }
  if (!options.moments() && !options.marks.empty())
    return UsageError("--marks is for --from and --to");
  if (options.moments() && options.filters.blocks.active()) {
    return UsageError(
        "--thread, --size and --lifetime are for two recordings: two moments of "
        "one "
        "are compared by all that is alive");
  }
  return absl::OkStatus();
}

absl::StatusOr<DiffOptions> Parse(Arguments arguments) {
  DiffOptions options;
  std::vector<Option> rows = Rows(&options);
  Append(FilterRows(&options.filters, /*with_moments=*/false), &rows);
  absl::StatusOr<Words> words = ParseOptions(arguments, rows);
  if (!words.ok()) return words.status();
  options.paths = std::move(words->operands);
  const absl::Status status = CheckPaths(options);
  if (!status.ok()) return status;
  return options;
}

absl::StatusOr<size_t> MeasureOf(const Difference& difference,
                                 const std::string& word) {
  if (word.empty()) return size_t{0};
  std::vector<absl::string_view> words;
  for (size_t i = 0; i < difference.site_measures; ++i)
    words.push_back(difference.measures[i].name);
  const auto found = std::find(words.begin(), words.end(), word);
  if (found != words.end()) return static_cast<size_t>(found - words.begin());
  return UsageError(
      absl::StrCat("--by takes ", absl::StrJoin(words, ", "),
                   difference.matched_by.empty() ? " of two moments" : "",
                   "; not \"", word, "\"", DidYouMean(word, words)));
}

// ---- two recordings -------------------------------------------------------

// Build-ids of modules by path.
absl::Status AddBuildIds(Recording& recording,
                         std::map<std::string, std::string>* ids) {
  const absl::StatusOr<std::vector<std::string>> payloads =
      recording.Payloads(ChunkType::kModules);
  if (!payloads.ok()) return payloads.status();
  for (const std::string& payload : *payloads) {
    const absl::StatusOr<std::vector<Module>> modules = DecodeModules(payload);
    if (!modules.ok()) continue;
    for (const Module& module : *modules) (*ids)[module.path] = module.build_id;
  }
  return absl::OkStatus();
}

// A module that both have and that is another build; empty: none.
std::string Rebuilt(const std::map<std::string, std::string>& before,
                    const std::map<std::string, std::string>& after) {
  for (const auto& [path, id] : before) {
    const auto other = after.find(path);
    if (other != after.end() && other->second != id) return path;
  }
  return "";
}

constexpr absl::string_view IdentityText(SiteIdentity identity) {
  switch (identity) {
    case SiteIdentity::kStack:
      return "their call stacks";
    case SiteIdentity::kNames:
      return "the names of the functions on their call stacks";
    case SiteIdentity::kLine:
      return "the innermost function and its line";
    case SiteIdentity::kFunction:
      return "the innermost function";
  }
  return "";
}

absl::StatusOr<Difference> CompareRecordings(const DiffOptions& options) {
  std::array<RunFiles, 2> runs;
  std::array<std::map<std::string, std::string>, 2> ids;
  std::array<std::string, 2> programs;
  for (size_t i = 0; i < 2; ++i) {
    absl::StatusOr<std::vector<std::string>> files = FindTraces({options.paths[i]});
    if (!files.ok()) return files.status();
    runs[i] = {static_cast<double>(i + 1), 1, options.paths[i], *std::move(files)};
    for (const std::string& file : runs[i].files) {
      absl::StatusOr<Recording> recording = Recording::Open(file);
      if (!recording.ok()) return recording.status();
      const absl::Status status = AddBuildIds(*recording, &ids[i]);
      if (!status.ok()) return status;
      if (file != runs[i].files[0]) continue;
      const absl::StatusOr<RunInfo> facts = recording->Facts();
      if (facts.ok()) programs[i] = facts->executable;
    }
  }
  std::string rebuilt = Rebuilt(ids[0], ids[1]);
  // Builds beside each other: two paths, two build-ids.
  if (rebuilt.empty() && programs[0] != programs[1] &&
      ids[0][programs[0]] != ids[1][programs[1]]) {
    rebuilt = programs[1];
  }
  const SiteIdentity identity = options.identity.value_or(
      rebuilt.empty() ? SiteIdentity::kStack : SiteIdentity::kNames);
  StackBook book(SameLocation::kByText, options.debug_dir, options.filters.stacks);
  RunsBuilder builder(&book, identity, options.filters);
  ProgressBar bar("reading");
  for (const RunFiles& run : runs) {
    const absl::Status status = builder.Add(
        run, [&bar](uint64_t done, uint64_t total) { bar.Update(done, total); });
    if (!status.ok()) return status;
  }
  Difference difference = CompareRuns(builder.Finish());
  difference.matched_by = absl::StrCat(
      "call sites are matched by ", IdentityText(identity),
      rebuilt.empty() || options.identity.has_value()
          ? ""
          : absl::StrCat(", without lines: ", rebuilt, " was rebuilt"));
  return difference;
}

// ---- two moments ----------------------------------------------------------

std::string MomentTitle(const DiffOptions& options, const NamedMoment& moment,
                        const LiveHeap& heap) {
  std::string title = absl::StrCat(options.paths[0], " at ", moment.name);
  if (moment.moment.time_ns != 0 && !ParseTime(moment.name)) {
    absl::StrAppend(
        &title, ", t = ", FormatSeconds(static_cast<double>(heap.time_ns) / 1e9));
  }
  return title;
}

void WarnOf(const NamedMoment& moment, const LiveHeap& heap,
            Difference* difference) {
  if (!heap.warning.empty()) {
    difference->warnings.push_back(absl::StrCat(
        moment.name, ": ", heap.warning, "; shown is the heap as it was then"));
  } else if (!heap.exact()) {
    difference->warnings.push_back(
        absl::StrCat(moment.name,
                     ": the time leaves open which of the events near it came "
                     "before: ",
                     FormatByteRange(heap.low_bytes, heap.high_bytes)));
  }
}

absl::StatusOr<Difference> CompareMoments(const DiffOptions& options) {
  const std::string& path = options.paths[0];
  std::string text;
  if (!options.marks.empty()) {
    absl::StatusOr<std::string> read = ReadTextFile(options.marks);
    if (!read.ok()) return read.status();
    text = *std::move(read);
  }
  ProgressBar bar("reading");
  const auto progress = [&bar](uint64_t done, uint64_t total) {
    bar.Update(done, total);
  };
  absl::StatusOr<Recording> recording = Recording::Open(path);
  if (!recording.ok()) return recording.status();
  const absl::StatusOr<Trace> trace =
      ReadTrace(*recording, ReadOptions(), progress);
  if (!trace.ok()) return trace.status();
  const absl::StatusOr<Marks> marks = recording->ReadMarks();
  if (!marks.ok()) return marks.status();
  const std::vector<Phase> phases = FindPhases(*marks, ParsePhaseLines(text));
  const absl::StatusOr<NamedMoment> from =
      FindMoment("--from", options.from.value_or("start"), phases, path,
                 !options.marks.empty());
  if (!from.ok()) return from.status();
  const absl::StatusOr<NamedMoment> to = FindMoment(
      "--to", options.to.value_or("end"), phases, path, !options.marks.empty());
  if (!to.ok()) return to.status();
  const absl::StatusOr<std::vector<LiveHeap>> heaps =
      LiveAt(*recording, std::vector<Moment>{from->moment, to->moment}, progress);
  if (!heaps.ok()) return heaps.status();
  const LiveHeap &before = (*heaps)[0], &after = (*heaps)[1];

  StackBook book(SameLocation::kByText, options.debug_dir, options.filters.stacks);
  SiteBook sites(&book, options.identity.value_or(SiteIdentity::kStack));
  book.Begin(*trace);
  std::map<uint32_t, DiffValues> values;
  const std::vector<uint64_t> nothing(kMomentMeasures);
  const auto add = [&](const LiveHeap& heap,
                       std::vector<uint64_t> DiffValues::*side) {
    for (const LiveSite& site : heap.sites) {
      if (!book.Selects(book.NodeOf(site.stack))) continue;
      const uint32_t index = sites.SiteOf(site.stack, site.bytes);
      std::vector<uint64_t>& sum =
          values.try_emplace(index, DiffValues{nothing, nothing}).first->second.*
          side;
      sum[0] += site.bytes;
      sum[1] += site.blocks;
    }
  };
  add(before, &DiffValues::before);
  add(after, &DiffValues::after);
  std::vector<DiffSite> rows;
  for (auto& [site, both] : values) rows.push_back({site, std::move(both)});
  Difference difference = MomentsDifference(sites.TakeSites(), std::move(rows));
  difference.before = MomentTitle(options, *from, before);
  difference.after = MomentTitle(options, *to, after);
  difference.warnings = trace->warnings;
  difference.ranges = {{before.low_bytes, before.high_bytes},
                       {after.low_bytes, after.high_bytes}};
  WarnOf(*from, before, &difference);
  WarnOf(*to, after, &difference);
  if (trace->run.sample_interval != 0)
    difference.warnings.push_back("sampled: bytes and blocks are estimates");
  for (const std::string& note : book.notes()) difference.warnings.push_back(note);
  return difference;
}

}  // namespace

std::string DiffHelp() {
  DiffOptions none;
  return absl::StrCat(kHead, DescribeOptions(Rows(&none)),
                      FilterHelp(/*with_moments=*/false), kTail);
}

absl::StatusOr<int> RunDiff(Arguments arguments) {
  const absl::StatusOr<DiffOptions> options = Parse(arguments);
  if (!options.ok()) return options.status();
  const absl::StatusOr<Difference> difference =
      options->moments() ? CompareMoments(*options) : CompareRecordings(*options);
  if (!difference.ok()) return difference.status();
  const absl::StatusOr<size_t> by = MeasureOf(*difference, options->by);
  if (!by.ok()) return by.status();
  ReportFile out(options->output);
  if (options->json) {
    out.Write(RenderDiffJson(*difference, *by, options->top.value_or(0)));
  } else {
    DiffTextOptions how;
    how.style = out.style();
    how.by = *by;
    how.top = options->top.value_or(how.top);
    how.depth = options->depth.value_or(how.depth);
    how.full_names = options->full_names;
    out.Write(RenderDiffText(*difference, how));
  }
  return ExitAfter(out.Close());
}

}  // namespace mallogram
