// The options of a verb, as rows that say what each is called, what its help is and
// where its value goes. The parser fills the fields; the help is made of the rows.
//
//   std::vector<Option> Rows(Wishes* wishes) {
//     std::vector<Option> rows = {
//         {"--top", 0, "N", "show N call sites (default 10)", Store(&wishes->top)},
//         {"--json", 0, "", "one JSON object", Store(&wishes->json)}};
//     Append(TerminalRows(), &rows);  // a group that several verbs share
//     return rows;
//   }
//
// A row with its own kind of value has a lambda in place of Store.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "analyzer/command/cli.h"

namespace mallogram {

// The words behind the verb. A nullptr stands behind the last, as in argv.
using Arguments = absl::Span<char* const>;

// Takes the value ("" if there is none) or says what is wrong with it; `name` is
// the option as it was typed, -o or --output.
using Setter =
    std::function<absl::Status(absl::string_view name, absl::string_view value)>;

struct Option {
  absl::string_view name;  // "--output"
  char letter = 0;         // 'o' for -o; 0: none
  absl::string_view
      value;               // "FILE"; "": takes none; "[=FILE]": only as --name=FILE
  absl::string_view help;  // lines; "": not shown
  Setter set;
};

void Append(std::vector<Option> group, std::vector<Option>* rows);

struct Words {
  std::vector<std::string> operands;
  Arguments program;               // where the options ended, to the last word
  std::vector<std::string> given;  // the options' names, in order, as in the rows
};

// "--name value", "--name=value", "-n value", "-nvalue", and letters in one word;
// "--" ends the options. `begins_program` is asked about each operand: if it says
// so, the options end there, as they do at "--", and the rest is the program.
// Without it there is no program: all operands are just operands.
//
// Values are stored as they are read. Errors: UsageError; HelpAsked (exit.h) at
// --help and -h, which need no row.
absl::StatusOr<Words> ParseOptions(
    Arguments arguments, const std::vector<Option>& rows,
    const std::function<bool(const std::string& operand)>& begins_program =
        nullptr);

// "  -o, --output FILE     write the report to FILE", a paragraph a row.
std::string DescribeOptions(const std::vector<Option>& rows);

// ---- where values go ------------------------------------------------------

Setter Store(bool* on);           // becomes true
Setter Store(std::string* text);  // not empty
Setter Store(std::optional<std::string>* text);
Setter Store(std::vector<std::string>* all);  // one more
Setter Clear(bool* on);                       // becomes false

// A whole number within the bounds.
template <typename T>
Setter Number(T* number, uint64_t low = 0,
              uint64_t high = std::numeric_limits<uint64_t>::max());
absl::StatusOr<uint64_t> ParseNumber(absl::string_view name,
                                     absl::string_view value, uint64_t low,
                                     uint64_t high);

// "64KiB", at least `low`.
Setter Bytes(std::optional<uint64_t>* bytes, uint64_t low = 0);
Setter Bytes(std::optional<double>* bytes);  // above 0

// One of `words`; its place becomes the value. `word_of`: how a word is read first.
template <typename T>
Setter OneOf(absl::Span<const absl::string_view> words, T* value,
             absl::string_view (*word_of)(absl::string_view) = nullptr);
absl::StatusOr<size_t> FindWord(absl::string_view name, absl::string_view value,
                                absl::Span<const absl::string_view> words);

// ---- their bodies ---------------------------------------------------------

template <typename T>
struct Optionless {
  using Type = T;
};
template <typename T>
struct Optionless<std::optional<T>> {
  using Type = T;
};

template <typename T>
Setter Number(T* number, uint64_t low, uint64_t high) {
  using Value = typename Optionless<T>::Type;
  high = std::min<uint64_t>(high, std::numeric_limits<Value>::max());
  return [number, low, high](absl::string_view name, absl::string_view value) {
    const absl::StatusOr<uint64_t> parsed = ParseNumber(name, value, low, high);
    if (parsed.ok()) *number = static_cast<Value>(*parsed);
    return parsed.status();
  };
}

template <typename T>
Setter OneOf(absl::Span<const absl::string_view> words, T* value,
             absl::string_view (*word_of)(absl::string_view)) {
  std::vector<absl::string_view> known(words.begin(), words.end());
  return [known, value, word_of](absl::string_view name, absl::string_view text) {
    const absl::StatusOr<size_t> place =
        FindWord(name, word_of != nullptr ? word_of(text) : text, known);
    if (place.ok()) *value = static_cast<typename Optionless<T>::Type>(*place);
    return place.status();
  };
}

}  // namespace mallogram
