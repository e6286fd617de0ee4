#include "analyzer/fit/table.h"

#include <cmath>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace mallogram::fit {
namespace {

constexpr size_t kShownCharacters = 40;

struct Columns {
  std::optional<size_t> id, n, bytes, quantum, role;
  size_t count = 0;
};

absl::Status LineError(size_t line, absl::string_view message) {
  return absl::DataLossError(absl::StrCat("line ", line, ": ", message));
}

absl::StatusOr<Columns> ParseHeader(size_t line, absl::string_view text) {
  Columns columns;
  std::vector<std::string> names;
  for (absl::string_view cell : absl::StrSplit(text, '\t')) {
    const std::string name(absl::StripAsciiWhitespace(cell));
    std::optional<size_t>* column = name == "id"        ? &columns.id
                                    : name == "n"       ? &columns.n
                                    : name == "bytes"   ? &columns.bytes
                                    : name == "quantum" ? &columns.quantum
                                    : name == "role"    ? &columns.role
                                                        : nullptr;
    if (column != nullptr && column->has_value()) {
      return LineError(line, absl::StrCat("two columns are named \"", name, "\""));
    }
    if (column != nullptr) *column = names.size();
    names.push_back(name);
  }
  columns.count = names.size();
  std::vector<std::string> missing;
  if (!columns.id.has_value()) missing.push_back("id");
  if (!columns.n.has_value()) missing.push_back("n");
  if (!columns.bytes.has_value()) missing.push_back("bytes");
  if (missing.empty()) return columns;
  const bool commas = columns.count == 1 && names[0].find(',') != std::string::npos;
  return LineError(
      line, absl::StrCat(
                "no column ", absl::StrJoin(missing, ", "), " in the header",
                commas ? "; columns are separated by tabs, not commas"
                       : "; the first line names the columns, separated by tabs"));
}

absl::StatusOr<double> ParseValue(size_t line, absl::string_view column,
                                  absl::string_view cell, bool zero_allowed) {
  double value = 0;
  cell = absl::StripAsciiWhitespace(cell);
  const bool number = absl::SimpleAtod(cell, &value) && std::isfinite(value);
  if (number && (value > 0 || (value == 0 && zero_allowed))) return value;
  return LineError(
      line, absl::StrCat(column, " is \"", cell.substr(0, kShownCharacters), "\"; ",
                         zero_allowed ? "a number, 0 or more," : "a number above 0",
                         " is needed"));
}

}  // namespace

absl::StatusOr<std::vector<TableSeries>> ParseTable(absl::string_view text) {
  std::optional<Columns> columns;
  std::vector<TableSeries> all;
  absl::flat_hash_map<std::string, size_t> index;
  size_t line = 0;
  for (absl::string_view row : absl::StrSplit(text, '\n')) {
    ++line;
    row = absl::StripSuffix(row, "\r");
    if (absl::StripAsciiWhitespace(row).empty() || row[0] == '#') continue;
    if (!columns.has_value()) {
      absl::StatusOr<Columns> header = ParseHeader(line, row);
      if (!header.ok()) return header.status();
      columns = *header;
      continue;
    }
    const std::vector<absl::string_view> cells = absl::StrSplit(row, '\t');
    if (cells.size() != columns->count) {
      return LineError(line, absl::StrCat(cells.size(), " columns; the header has ",
                                          columns->count));
    }
    const std::string id(absl::StripAsciiWhitespace(cells[*columns->id]));
    if (id.empty()) return LineError(line, "id is empty");
    absl::StatusOr<double> n = ParseValue(line, "n", cells[*columns->n], false);
    if (!n.ok()) return n.status();
    absl::StatusOr<double> bytes =
        ParseValue(line, "bytes", cells[*columns->bytes], true);
    if (!bytes.ok()) return bytes.status();
    const auto [place, is_new] = index.try_emplace(id, all.size());
    if (is_new) all.push_back({id, 0, {}, {}});
    TableSeries& series = all[place->second];
    if (columns->quantum.has_value() &&
        !absl::StripAsciiWhitespace(cells[*columns->quantum]).empty()) {
      absl::StatusOr<double> quantum =
          ParseValue(line, "quantum", cells[*columns->quantum], true);
      if (!quantum.ok()) return quantum.status();
      series.quantum = std::max(series.quantum, *quantum);
    }
    const bool truth =
        columns->role.has_value() &&
        absl::StripAsciiWhitespace(cells[*columns->role]) == "predict";
    (truth ? series.truth : series.fitted).push_back({*n, *bytes});
  }
  if (!columns.has_value()) {
    return absl::DataLossError(
        "the file is empty; a header with id, n, bytes is needed");
  }
  if (all.empty()) return absl::DataLossError("a header, but no measurements");
  for (const TableSeries& series : all) {
    if (!series.fitted.empty()) continue;
    return absl::DataLossError(absl::StrCat("series \"",
                                            series.id.substr(0, kShownCharacters),
                                            "\" has only rows with role predict"));
  }
  return all;
}

}  // namespace mallogram::fit
