#include "analyzer/scaling/run_files.h"

#include <regex.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "analyzer/command/cli.h"
#include "analyzer/command/files.h"
#include "analyzer/recording/recording.h"
#include "analyzer/stacks/names.h"
#include "preload/trace_format.h"

namespace mallogram {
namespace {

namespace fs = std::filesystem;

constexpr char kHowToSay[] = "give the sizes by --n, --n-from-name or --n-table";

bool IsDigit(char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); }
bool IsWord(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)); }

// A single directory is what is in it.
std::vector<std::string> Expand(absl::Span<const std::string> paths) {
  std::error_code error;
  if (paths.size() != 1 || !fs::is_directory(paths[0], error))
    return {paths.begin(), paths.end()};
  std::vector<std::string> runs;
  for (fs::directory_iterator at(paths[0], error), end; !error && at != end;
       at.increment(error)) {
    if (at->is_directory(error) && !ListTraces(at->path()).empty())
      runs.push_back(at->path().string());
  }
  std::sort(runs.begin(), runs.end());
  return runs.empty() ? ListTraces(paths[0]) : runs;
}

std::string NameOf(absl::string_view path) {
  absl::ConsumeSuffix(&path, "/");
  absl::string_view name = Basename(path);
  absl::ConsumeSuffix(&name, kTraceSuffix);
  return std::string(name);
}

struct Number {
  double value = 0;
  std::string text;
  std::string key;    // "n" of "n=10"; empty: none
  bool last = false;  // ".NUMBER" at the end, as record names its files
};

std::vector<Number> NumbersIn(absl::string_view name) {
  std::vector<Number> numbers;
  for (size_t i = 0; i < name.size();) {
    if (!IsDigit(name[i])) {
      ++i;
      continue;
    }
    Number number;
    const size_t start = i;
    if (start > 0 && name[start - 1] == '=') {
      size_t key = start - 1;
      while (key > 0 && IsWord(name[key - 1])) --key;
      number.key = std::string(name.substr(key, start - 1 - key));
    }
    while (i < name.size() && IsDigit(name[i])) ++i;
    // "n=0.5"; elsewhere a dot is more likely to separate two numbers.
    if (!number.key.empty() && i + 1 < name.size() && name[i] == '.' &&
        IsDigit(name[i + 1])) {
      for (++i; i < name.size() && IsDigit(name[i]); ++i) {
      }
    }
    const size_t unit = i;
    while (i < name.size() && IsWord(name[i])) ++i;
    number.text = std::string(name.substr(start, unit - start));
    if (i - unit == 1 && absl::StrContains("kMG", name.substr(unit, 1)))
      number.text.push_back(name[unit]);
    const absl::StatusOr<double> value = ParseSize("", number.text);
    if (!value.ok()) continue;  // 0
    number.value = *value;
    number.last = i == name.size() && start > 0 && name[start - 1] == '.';
    numbers.push_back(number);
  }
  return numbers;
}

// "n=10", or what else a sweep called its parameter ("sessions=10,rep=2").
const Number* NamedSize(const std::vector<Number>& numbers) {
  const Number* first = nullptr;
  for (const Number& number : numbers) {
    if (number.key == "n") return &number;
    if (first == nullptr && !number.key.empty() && number.key != "rep")
      first = &number;
  }
  return first;
}

// Whether the number in the file's name is the id of the process in it.
bool IsProcessId(const std::string& path, double number) {
  absl::StatusOr<Recording> recording = Recording::Open(path);
  if (!recording.ok()) return false;
  const absl::StatusOr<RunInfo> facts = recording->Facts();
  return facts.ok() && static_cast<double>(facts->pid) == number;
}

// The sizes by the names alone.
absl::Status SizesFromNames(std::vector<RunFiles>* runs) {
  std::vector<std::vector<Number>> numbers;
  for (const RunFiles& run : *runs) {
    std::vector<Number> found = NumbersIn(NameOf(run.name));
    if (const Number* named = NamedSize(found); named != nullptr)
      found = std::vector<Number>{*named};
    if (found.size() > 1 && found.back().last) found.pop_back();
    if (found.empty()) {
      return UsageError(absl::StrCat(run.name,
                                     ": no number in the name says how "
                                     "large its input was; ",
                                     kHowToSay));
    }
    if (found.size() == 1 && found[0].last && run.files.size() == 1 &&
        IsProcessId(run.files[0], found[0].value)) {
      return UsageError(absl::StrCat(
          run.name,
          ": the number in the name is the process id, not the size of its "
          "input; ",
          kHowToSay));
    }
    numbers.push_back(std::move(found));
  }
  // Several numbers: the one that differs.
  std::set<size_t> counts, differing;
  for (const auto& found : numbers) counts.insert(found.size());
  if (counts.size() == 1) {
    for (const auto& found : numbers) {
      for (size_t i = 0; i < found.size(); ++i) {
        if (found[i].value != numbers[0][i].value) differing.insert(i);
      }
    }
  }
  for (size_t r = 0; r < runs->size(); ++r) {
    const std::vector<Number>& found = numbers[r];
    if (found.size() > 1 && differing.size() != 1) {
      std::vector<std::string> texts;
      for (const Number& number : found) texts.push_back(number.text);
      return UsageError(
          absl::StrCat((*runs)[r].name, ": which number is the size of its input, ",
                       absl::StrJoin(texts, " or "), "? ", kHowToSay));
    }
    (*runs)[r].n = found[found.size() > 1 ? *differing.begin() : 0].value;
  }
  return absl::OkStatus();
}

absl::Status SizesFromList(const std::string& list, std::vector<RunFiles>* runs) {
  const std::vector<std::string> parts = absl::StrSplit(list, ',');
  if (parts.size() != runs->size()) {
    return UsageError(absl::StrCat("--n has ", parts.size(), " sizes for ",
                                   runs->size(), " runs"));
  }
  for (size_t i = 0; i < parts.size(); ++i) {
    const absl::StatusOr<double> n = ParseSize("--n", parts[i]);
    if (!n.ok()) return n.status();
    (*runs)[i].n = *n;
  }
  return absl::OkStatus();
}

absl::Status SizesFromPattern(const std::string& pattern,
                              std::vector<RunFiles>* runs) {
  regex_t regex;
  const int failed = regcomp(&regex, pattern.c_str(), REG_EXTENDED);
  if (failed != 0) {
    char why[200];
    regerror(failed, &regex, why, sizeof(why));
    return UsageError(absl::StrCat("--n-from-name \"", pattern, "\": ", why));
  }
  absl::Status status;
  if (regex.re_nsub != 1) {
    status = UsageError(absl::StrCat("--n-from-name \"", pattern,
                                     "\" needs one group, as in \"-([0-9]+)\""));
  }
  for (RunFiles& run : *runs) {
    regmatch_t match[2];
    if (!status.ok()) break;
    if (regexec(&regex, run.name.c_str(), 2, match, 0) != 0 || match[1].rm_so < 0) {
      status = UsageError(absl::StrCat(run.name, ": --n-from-name \"", pattern,
                                       "\" does not match"));
      break;
    }
    const std::string text =
        run.name.substr(static_cast<size_t>(match[1].rm_so),
                        static_cast<size_t>(match[1].rm_eo - match[1].rm_so));
    const absl::StatusOr<double> n =
        ParseSize(absl::StrCat(run.name, ": --n-from-name"), text);
    if (n.ok()) run.n = *n;
    status = n.status();
  }
  regfree(&regex);
  return status;
}

struct TableRow {
  std::string file;
  double n = 0;
  std::optional<uint32_t> rep;
};

absl::StatusOr<std::vector<TableRow>> ReadSizeTable(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadTextFile(path);
  if (!text.ok()) return text.status();
  std::vector<TableRow> rows;
  std::map<std::string, size_t> columns;
  size_t number = 0;
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    ++number;
    line = absl::StripTrailingAsciiWhitespace(line);
    if (line.empty() || line[0] == '#') continue;
    const std::vector<std::string> fields = absl::StrSplit(line, '\t');
    if (columns.empty()) {
      for (size_t i = 0; i < fields.size(); ++i) columns[fields[i]] = i;
      if (columns.count("file") == 0 || columns.count("n") == 0) {
        return UsageError(absl::StrCat(path, ":", number,
                                       ": the columns file and n are needed, "
                                       "separated by tabs"));
      }
      continue;
    }
    const auto field = [&](const char* name) {
      const auto at = columns.find(name);
      return at == columns.end() || at->second >= fields.size()
                 ? std::string()
                 : fields[at->second];
    };
    TableRow row;
    row.file = field("file");
    const absl::StatusOr<double> n =
        ParseSize(absl::StrCat(path, ":", number, ": column n"), field("n"));
    if (!n.ok()) return n.status();
    row.n = *n;
    uint32_t rep = 0;
    if (absl::SimpleAtoi(field("rep"), &rep)) row.rep = rep;
    rows.push_back(row);
  }
  if (rows.empty()) return UsageError(absl::StrCat(path, ": no rows"));
  return rows;
}

// Paths as the table has them, or beside it.
std::string FromTable(const std::string& table, const std::string& file) {
  std::error_code error;
  if (fs::exists(file, error)) return file;
  return (fs::path(table).parent_path() / file).string();
}

absl::Status SizesFromTable(const std::string& path,
                            const std::vector<TableRow>& rows,
                            std::vector<RunFiles>* runs) {
  for (RunFiles& run : *runs) {
    std::error_code error;
    const TableRow* found = nullptr;
    for (const TableRow& row : rows) {
      if (fs::equivalent(FromTable(path, row.file), run.name, error)) found = &row;
    }
    if (found == nullptr)
      return UsageError(absl::StrCat(run.name, ": not in ", path));
    run.n = found->n;
    run.rep = found->rep.value_or(0);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<double> ParseSize(absl::string_view option, absl::string_view text) {
  const std::optional<double> size = CountOf(absl::StripAsciiWhitespace(text));
  if (size.has_value()) return *size;
  return UsageError(
      absl::StrCat(option, " takes a size above 0, not \"", text, "\""));
}

absl::StatusOr<std::vector<RunFiles>> FindRuns(absl::Span<const std::string> paths,
                                               const SizeSource& source) {
  std::vector<TableRow> rows;
  std::vector<std::string> found = Expand(paths);
  if (!source.table.empty()) {
    absl::StatusOr<std::vector<TableRow>> table = ReadSizeTable(source.table);
    if (!table.ok()) return table.status();
    rows = *std::move(table);
    if (paths.empty()) {
      for (const TableRow& row : rows)
        found.push_back(FromTable(source.table, row.file));
    }
  }
  if (found.empty() && paths.size() == 1) return NoTraceIn(paths[0]);
  std::vector<RunFiles> runs;
  for (const std::string& path : found) {
    RunFiles& run = runs.emplace_back();
    run.name = path;
    std::error_code error;
    run.files = fs::is_directory(path, error) ? ListTraces(path)
                                              : std::vector<std::string>{path};
    if (run.files.empty()) return NoTraceIn(path);
  }
  const absl::Status status =
      !source.table.empty()     ? SizesFromTable(source.table, rows, &runs)
      : !source.list.empty()    ? SizesFromList(source.list, &runs)
      : !source.pattern.empty() ? SizesFromPattern(source.pattern, &runs)
                                : SizesFromNames(&runs);
  if (!status.ok()) return status;
  std::map<double, uint32_t> reps;
  for (RunFiles& run : runs) {
    const uint32_t next = ++reps[run.n];
    if (source.table.empty() || run.rep == 0) run.rep = next;
  }
  return runs;
}

}  // namespace mallogram
