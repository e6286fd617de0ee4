#include "analyzer/cli.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "analyzer/suggest.h"

namespace mallogram {

absl::StatusOr<ParsedArguments> ParseArguments(absl::Span<char* const> arguments,
                                               absl::Span<const OptionSpec> specs) {
  ParsedArguments parsed;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const absl::string_view argument = arguments[i];
    if (argument == "--") {
      for (++i; i < arguments.size(); ++i)
        parsed.operands.emplace_back(arguments[i]);
      break;
    }
    if (argument.size() < 2 || argument[0] != '-') {
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

std::string DidYouMean(absl::string_view word,
                       absl::Span<const absl::string_view> candidates) {
  const std::string best =
      Nearest(word, std::vector<std::string>(candidates.begin(), candidates.end()));
  return best.empty() ? "" : absl::StrCat(" (did you mean ", best, "?)");
}

}  // namespace mallogram
