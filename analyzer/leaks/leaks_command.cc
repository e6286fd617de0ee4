#include "analyzer/leaks/leaks_command.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "analyzer/command/cli.h"
#include "analyzer/command/exit.h"
#include "analyzer/command/files.h"
#include "analyzer/command/report_file.h"
#include "analyzer/command/terminal.h"
#include "analyzer/launcher/record_check.h"
#include "analyzer/leaks/builder.h"
#include "analyzer/leaks/filter.h"
#include "analyzer/leaks/growth_of.h"
#include "analyzer/leaks/lsan_defaults.h"
#include "analyzer/leaks/options.h"
#include "analyzer/leaks/render_leaks.h"
#include "analyzer/leaks/run_program.h"
#include "analyzer/leaks/suppressions.h"
#include "analyzer/recording/recording.h"
#include "analyzer/recording/trace_reader.h"
#include "analyzer/stacks/symbolizer.h"
#include "preload/collector/check_request.h"

namespace mallogram {
namespace {

constexpr KindSet kDefaultKinds =
    SetOf(LeakKind::kDefinite) | SetOf(LeakKind::kPossible) |
    SetOf(LeakKind::kGrowth) | SetOf(LeakKind::kUnclassified);
constexpr size_t kDefaultTop = 20, kDefaultDepth = 12;

bool IsTrace(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) return absl::EndsWith(path, kTraceSuffix);
  if (S_ISDIR(status.st_mode)) return true;
  if (!S_ISREG(status.st_mode)) return false;
  if (absl::EndsWith(path, kTraceSuffix) && access(path.c_str(), X_OK) != 0)
    return true;
  char magic[sizeof kFileMagic] = {};
  std::ifstream(path, std::ios::binary).read(magic, sizeof magic);
  return memcmp(magic, kFileMagic, sizeof magic) == 0;
}

Operand LookAt(const std::string& word) {
  if (IsTrace(word)) return Operand::kTrace;
  const absl::Status status = FindProgram(word).status();
  // One that cannot be recorded is a program all the same: record says why not.
  return absl::IsNotFound(status) || absl::IsPermissionDenied(status)
             ? Operand::kNeither
             : Operand::kProgram;
}

// The traces of the command line, as one document.
class Reading {
 public:
  explicit Reading(const LeakOptions& options)
      : options_(options),
        book_(SameLocation::kByText, options.debug_dir, options.filters.stacks),
        builder_(&book_) {}

  // Files that cannot be used are named on standard error.
  absl::Status Add(const std::string& file, bool temporary) {
    bar_.SetLabel("reading");
    const auto progress = [this](uint64_t done, uint64_t total) {
      bar_.Update(done, total);
    };
    absl::StatusOr<Recording> recording = Recording::Open(file);
    if (!recording.ok()) return recording.status();
    ReadOptions read;
    read.blocks = options_.filters.blocks;
    absl::StatusOr<Trace> trace = ReadTrace(*recording, read, progress);
    if (!trace.ok()) return trace.status();
    if (temporary) trace->path = "";
    book_.Begin(*trace);
    FindLsanDefaults(*trace, &book_.symbolizer(), &warnings_,
                     [this](absl::string_view text, absl::string_view source) {
                       AddDefaults(text, source);
                     });
    const GrowthOf growth =
        MakeGrowthOf(*recording, *trace, options_.check, progress);
    bar_.SetLabel("naming call stacks");
    if (!read.blocks.active())
      return builder_.Add(*trace, {options_.check, options_.since}, growth);
    const absl::StatusOr<BlocksByStack> only =
        SelectedAt(*recording, read.blocks, *trace, CheckMoment(*trace), progress);
    if (!only.ok()) return only.status();
    return builder_.Add(*trace, {options_.check, options_.since}, growth, &*only);
  }

  SuppressionSet* suppressions() { return &suppressions_; }
  const StackBook& book() const { return book_; }

  LeakDocument Finish() {
    LeakDocument document = builder_.Finish();
    document.warnings.insert(document.warnings.begin(), warnings_.begin(),
                             warnings_.end());
    return document;
  }

 private:
  // When the check was whose blocks are shown.
  Moment CheckMoment(const Trace& trace) const {
    const size_t number =
        options_.check != 0 ? options_.check : trace.leak_checks.size();
    if (number == 0 || number > trace.leak_checks.size())
      return {0, Moment::kByTime - 1};
    const LeakCheck& check = trace.leak_checks[number - 1];
    return {check.time_ns, check.events};
  }

  // Several processes of one program bring the same.
  void AddDefaults(absl::string_view text, absl::string_view source) {
    if (std::find(defaults_.begin(), defaults_.end(), source) != defaults_.end())
      return;
    defaults_.emplace_back(source);
    const absl::Status status = suppressions_.Add(text, source, /*built_in=*/false);
    if (!status.ok()) warnings_.emplace_back(status.message());
  }

  const LeakOptions& options_;
  StackBook book_;
  LeakBuilder builder_;
  SuppressionSet suppressions_;
  std::vector<std::string> warnings_, defaults_;
  ProgressBar bar_{"reading"};
};

// ---- what is written where ------------------------------------------------

std::string JsonText(const LeakDocument& document, const StackBook& book,
                     const LeakOptions& options) {
  std::string text;
  RenderLeaksJson(document, book, options.kinds != 0 ? options.kinds : kAllKinds,
                  options.top.value_or(0), [&text](absl::string_view piece) {
                    text.append(piece.data(), piece.size());
                  });
  return text;
}

absl::Status WriteMain(const LeakDocument& document, const StackBook& book,
                       const LeakOptions& options) {
  const KindSet kinds = options.kinds != 0 ? options.kinds : kDefaultKinds;
  // A program has standard output for itself, unless JSON is asked for.
  const bool to_stderr = !options.program.empty() && !options.json &&
                         !options.gen_suppressions && options.output.empty();
  ReportFile out(options.output);
  std::string text;
  if (options.json) {
    text = JsonText(document, book, options);
  } else if (options.gen_suppressions) {
    text = RenderSuppressions(document, book, kinds);
  } else {
    LeakTextOptions how;
    how.style = to_stderr ? DetectStyle(STDERR_FILENO) : out.style();
    how.kinds = kinds;
    how.kinds_asked = options.kinds != 0;
    how.top = options.top.value_or(kDefaultTop);
    how.depth = options.depth.value_or(kDefaultDepth);
    how.full_names = options.full_names;
    text = RenderLeaks(document, book, how);
  }
  if (!to_stderr) {
    out.Write(text);
    return out.Close();
  }
  fwrite(text.data(), 1, text.size(), stderr);
  return absl::OkStatus();
}

absl::Status WriteAll(const LeakDocument& document, const StackBook& book,
                      const LeakOptions& options) {
  const KindSet kinds = options.kinds != 0 ? options.kinds : kDefaultKinds;
  absl::Status status;
  if (!options.json_file.empty())
    status = WriteTextFile(options.json_file, JsonText(document, book, options));
  if (status.ok() && !options.junit_file.empty()) {
    status =
        WriteTextFile(options.junit_file,
                      RenderJunit(document, book,
                                  options.fail_on != 0 ? options.fail_on : kinds));
  }
  if (status.ok() && !options.sarif_file.empty()) {
    status = WriteTextFile(options.sarif_file,
                           RenderSarif(document, book, kinds, MALLOGRAM_VERSION));
  }
  const absl::Status report = WriteMain(document, book, options);
  return status.ok() ? report : status;
}

// ---- the exit status ------------------------------------------------------

bool Counts(const LeakRecord& record, KindSet fail_on) {
  return Has(fail_on, record.kind) && !record.suppressed() &&
         (record.change == Change::kNone || record.change == Change::kNew ||
          record.change == Change::kGrown);
}

absl::StatusOr<int> Judge(const LeakDocument& document,
                          const LeakOptions& options) {
  for (const LeakRecord& record : document.records) {
    if (Counts(record, options.fail_on)) return kFound;
  }
  for (const MismatchView& mismatch : document.mismatches) {
    if (options.fail_on_mismatch && mismatch.suppression == kNoSuppression)
      return kFound;
  }
  if ((options.fail_on & ~SetOf(LeakKind::kUnclassified)) == 0) return 0;
  constexpr auto kUnclassified = static_cast<size_t>(LeakKind::kUnclassified);
  for (const LeakProcess& process : document.processes) {
    if (process.sums[kUnclassified].blocks == 0 && !process.ends_early()) continue;
    return WithExit(absl::FailedPreconditionError(absl::StrCat(
                        "--fail-on cannot be judged: ", ProcessName(process),
                        " is not classified: ", process.reason)),
                    kNotJudged);
  }
  return 0;
}

// ---- which files ----------------------------------------------------------

// The process that started first comes first.
void SortByStart(std::vector<std::string>* files) {
  if (files->size() < 2) return;
  std::vector<std::pair<uint64_t, std::string>> starts;
  for (std::string& file : *files) {
    uint64_t start = UINT64_MAX;  // what cannot be read
    absl::StatusOr<Recording> recording = Recording::Open(file);
    if (recording.ok()) {
      const absl::StatusOr<RunInfo> run = recording->Facts();
      if (run.ok()) start = run->start_unix_ns;
    }
    starts.emplace_back(start, std::move(file));
  }
  std::stable_sort(starts.begin(), starts.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (size_t i = 0; i < starts.size(); ++i)
    (*files)[i] = std::move(starts[i].second);
}

// What a recording into `path`, begun at `begin`, has left: the file or all of the
// directory, and beside a file those of further processes (collector/naming.h).
absl::StatusOr<std::vector<std::string>> FindRecorded(
    const std::string& path, std::filesystem::file_time_type begin) {
  namespace fs = std::filesystem;
  absl::StatusOr<std::vector<std::string>> files = FindTraces({path});
  std::error_code error;
  if (!files.ok() || fs::is_directory(path, error)) return files;
  const fs::path parent = fs::path(path).parent_path();
  const std::string stem = absl::StrCat(fs::path(path).stem().string(), ".");
  for (fs::directory_iterator at(parent.empty() ? "." : parent, error), end;
       !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    std::error_code gone;
    if (absl::StartsWith(name, stem) && absl::EndsWith(name, kTraceSuffix) &&
        name != fs::path(path).filename() && at->last_write_time(gone) >= begin) {
      files->push_back((parent / name).string());
    }
  }
  return files;
}

// ---- the verb -------------------------------------------------------------

absl::StatusOr<int> ReportFiles(const LeakOptions& options,
                                std::vector<std::string> files,
                                TemporaryDirectory* temporary) {
  SortByStart(&files);
  Reading reading(options);
  absl::Status status = LoadSuppressions(
      options.suppressions, options.builtin_suppressions, reading.suppressions());
  if (!status.ok()) return InputError(status);
  size_t used = 0;
  for (const std::string& file : files) {
    status = reading.Add(file, !temporary->path().empty());
    if (status.ok()) {
      ++used;
    } else {
      Say(status.message());
    }
  }
  temporary->Remove();  // before anything can end us
  if (used == 0) return kUsage;
  LeakDocument document = reading.Finish();
  // Beyond this point call stacks are fixed.
  const StackBook& book = reading.book();
  ApplySuppressions(*reading.suppressions(), book, &document);
  ApplyFilter(book, options.filters.Text(), &document);
  status = WriteAll(document, book, options);
  if (!status.ok()) return status;
  const absl::StatusOr<int> judged = Judge(document, options);
  if (judged.ok() && *judged == 0 && used != files.size()) return kUsage;
  return judged;
}

absl::StatusOr<int> ReportProgram(const LeakOptions& options) {
  TemporaryDirectory temporary;
  if (options.recording.empty()) {
    const absl::Status status = temporary.Make();
    if (!status.ok()) return status;
  }
  // The suppressions are read twice: a mistake in them should not cost a long run.
  SuppressionSet set;
  const absl::Status status =
      LoadSuppressions(options.suppressions, options.builtin_suppressions, &set);
  if (!status.ok()) return InputError(status);
  const std::string output = options.recording.empty()
                                 ? absl::StrCat(temporary.path(), "/")
                                 : options.recording;
  // A file system's clock may be a tick behind.
  const auto begin =
      std::filesystem::file_time_type::clock::now() - std::chrono::milliseconds(20);
  const absl::StatusOr<int> program =
      RecordProgram(options.program, output, options.leak_check);
  if (!program.ok()) return program.status();
  const absl::StatusOr<std::vector<std::string>> files =
      FindRecorded(options.recording.empty() ? temporary.path() : output, begin);
  // record has said why there is none.
  if (!files.ok() || access(files->front().c_str(), F_OK) != 0)
    return *program != 0 ? *program : kFailure;
  const absl::StatusOr<int> judged = ReportFiles(options, *files, &temporary);
  return judged.ok() && *judged == 0 ? *program : judged;
}

absl::StatusOr<int> ReportProcess(LeakOptions options) {
  const absl::StatusOr<CheckAnswer> answer =
      RequestLeakCheck(static_cast<pid_t>(options.pid));
  if (!answer.ok()) return absl::FailedPreconditionError(answer.status().message());
  if (!answer->error.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("process ", options.pid, " was not checked: ", answer->error));
  }
  if (options.check == 0) options.check = answer->index + 1;
  TemporaryDirectory none;
  return ReportFiles(options, {answer->path}, &none);
}

}  // namespace

absl::StatusOr<int> RunLeaks(Arguments arguments) {
  const absl::StatusOr<LeakOptions> options = ParseLeakOptions(arguments, LookAt);
  if (!options.ok()) return options.status();
  if (options->print_suppressions)
    return ExitAfter(WriteReport(options->output, kBuiltInSuppressions));
  if (!options->program.empty()) return ReportProgram(*options);
  if (options->pid != 0) return ReportProcess(*options);
  const absl::StatusOr<std::vector<std::string>> files = FindTraces(options->files);
  if (!files.ok()) return InputError(files.status());
  TemporaryDirectory none;
  return ReportFiles(*options, *files, &none);
}

}  // namespace mallogram
