#include "analyzer/command/cli.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "analyzer/command/suggest.h"

namespace mallogram {

absl::StatusOr<ParsedArguments> ParseArguments(absl::Span<char* const> arguments,
                                               absl::Span<const OptionSpec> specs,
                                               bool until_operand) {
  ParsedArguments parsed;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const absl::string_view argument = arguments[i];
    if (argument == "--") {
      for (++i; i < arguments.size(); ++i)
        parsed.operands.emplace_back(arguments[i]);
      break;
    }
    if (argument.size() < 2 || argument[0] != '-') {
      if (until_operand) {
        parsed.operands.assign(arguments.begin() + static_cast<ptrdiff_t>(i),
                               arguments.end());
        break;
      }
      parsed.operands.emplace_back(argument);
      continue;
    }
    const size_t equals = argument.find('=');
    const absl::string_view name = argument.substr(0, equals);
    const auto spec = std::find_if(
        specs.begin(), specs.end(),
        [name](const OptionSpec& option) { return option.name == name; });
    if (spec == specs.end()) {
      std::vector<absl::string_view> names;
      for (const OptionSpec& option : specs) names.push_back(option.name);
      return UsageError(
          absl::StrCat("unknown option ", name, DidYouMean(name, names)));
    }
    ParsedArguments::Option option{spec->name, ""};
    if (spec->takes_value) {
      if (equals != absl::string_view::npos) {
        option.value = std::string(argument.substr(equals + 1));
      } else if (i + 1 < arguments.size()) {
        option.value = arguments[++i];
      } else {
        return UsageError(absl::StrCat("option ", name, " needs a value"));
      }
    } else if (equals != absl::string_view::npos && spec->value_optional) {
      option.value = std::string(argument.substr(equals + 1));
    } else if (equals != absl::string_view::npos) {
      return UsageError(absl::StrCat("option ", name, " takes no value"));
    }
    parsed.options.push_back(std::move(option));
  }
  return parsed;
}

absl::StatusOr<uint64_t> ParseNumber(absl::string_view option,
                                     absl::string_view value) {
  uint64_t number = 0;
  if (!absl::SimpleAtoi(value, &number)) {
    return UsageError(
        absl::StrCat("option ", option, " needs a number, not \"", value, "\""));
  }
  return number;
}

absl::StatusOr<double> ParsePositive(absl::string_view option,
                                     absl::string_view value) {
  double number = 0;
  if (absl::SimpleAtod(value, &number) && std::isfinite(number) && number > 0)
    return number;
  return UsageError(
      absl::StrCat(option, " takes a number above 0, not \"", value, "\""));
}

std::optional<double> BytesOf(absl::string_view text) {
  // "kB" is a thousand, "KiB" and the bare letter, as allocators' options have it,
  // are 1024.
  constexpr struct {
    absl::string_view names[3];
    double factor;
  } kUnits[] = {{{"kib", "ki", "k"}, 0x1p10}, {{"mib", "mi", "m"}, 0x1p20},
                {{"gib", "gi", "g"}, 0x1p30}, {{"tib", "ti", "t"}, 0x1p40},
                {{"kb", "kb", "kb"}, 1e3},    {{"mb", "mb", "mb"}, 1e6},
                {{"gb", "gb", "gb"}, 1e9},    {{"tb", "tb", "tb"}, 1e12},
                {{"b", "b", "b"}, 1},         {{"", "", ""}, 1}};
  const size_t last = text.find_last_of("0123456789.");
  if (last == absl::string_view::npos) return std::nullopt;
  const std::string unit =
      absl::AsciiStrToLower(absl::StripAsciiWhitespace(text.substr(last + 1)));
  double number = 0;
  if (!absl::SimpleAtod(text.substr(0, last + 1), &number) ||
      !std::isfinite(number))
    return std::nullopt;
  for (const auto& [names, factor] : kUnits) {
    for (const absl::string_view name : names) {
      if (unit == name) return number * factor;
    }
  }
  return std::nullopt;
}

absl::StatusOr<double> ParseBytes(absl::string_view option,
                                  absl::string_view value) {
  const std::optional<double> bytes = BytesOf(value);
  if (bytes.has_value() && *bytes > 0) return *bytes;
  return UsageError(absl::StrCat(
      option, " takes bytes above 0, as in 100MB or 64MiB, not \"", value, "\""));
}

absl::string_view MeasureWord(absl::string_view word) {
  if (word == "leaked") return "live";
  if (word == "bytes") return "allocated";
  return word;
}

absl::Status PrintOut(absl::string_view text) {
  if (fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
      fflush(stdout) == 0) {
    return absl::OkStatus();
  }
  return absl::UnavailableError(
      absl::StrCat("cannot write to standard output: ", strerror(errno)));
}

std::string DidYouMean(absl::string_view word,
                       absl::Span<const absl::string_view> candidates) {
  const std::string best =
      Nearest(word, std::vector<std::string>(candidates.begin(), candidates.end()));
  return best.empty() ? "" : absl::StrCat(" (did you mean ", best, "?)");
}

}  // namespace mallogram
