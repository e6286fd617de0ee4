#include "workloads/common/flags.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace workloads {
namespace {

template <typename T>
bool ParseNumber(std::string_view text, T* value) {
  const std::from_chars_result parsed =
      std::from_chars(text.data(), text.data() + text.size(), *value);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

std::string Number(double value) {
  char digits[40];
  const std::to_chars_result end =
      std::to_chars(digits, digits + sizeof digits, value);
  return std::string(digits, end.ptr);
}

std::string Join(const std::vector<std::string>& words) {
  std::string joined;
  for (const std::string& word : words) {
    joined += joined.empty() ? "" : ", ";
    joined += word;
  }
  return joined;
}

}  // namespace

void Flags::Count(const char* name, int64_t* value, int64_t low, int64_t high,
                  const char* help) {
  flags_.push_back({name, Whole{value, low, high}, help});
}

void Flags::Real(const char* name, double* value, double low, double high,
                 const char* help) {
  flags_.push_back({name, Fraction{value, low, high}, help});
}

void Flags::Choice(const char* name, std::string* value,
                   std::vector<std::string> choices, const char* help) {
  flags_.push_back({name, OneOf{value, std::move(choices)}, help});
}

void Flags::Switch(const char* name, bool* value, const char* help) {
  flags_.push_back({name, value, help});
}

void Flags::Path(const char* name, std::string* value, const char* help) {
  flags_.push_back({name, value, help});
}

void Flags::Repeated(const char* name, std::vector<std::string>* values,
                     const char* help) {
  flags_.push_back({name, values, help});
}

const Flags::Flag* Flags::Find(std::string_view name) const {
  for (const Flag& flag : flags_) {
    if (flag.name == name) return &flag;
  }
  return nullptr;
}

std::string Flags::Set(const Flag& flag, std::string_view value) {
  const std::string said = "--" + flag.name + " '" + std::string(value) + "'";
  if (const auto* whole = std::get_if<Whole>(&flag.target)) {
    int64_t number = 0;
    if (!ParseNumber(value, &number) || number < whole->low ||
        number > whole->high) {
      return said + ": give a whole number from " + std::to_string(whole->low) +
             " to " + std::to_string(whole->high);
    }
    *whole->value = number;
  } else if (const auto* fraction = std::get_if<Fraction>(&flag.target)) {
    double number = 0;
    // The negated comparison refuses NaN too.
    if (!ParseNumber(value, &number) ||
        !(number >= fraction->low && number <= fraction->high)) {
      return said + ": give a number from " + Number(fraction->low) + " to " +
             Number(fraction->high);
    }
    *fraction->value = number;
  } else if (const auto* one_of = std::get_if<OneOf>(&flag.target)) {
    const std::vector<std::string>& choices = one_of->choices;
    if (std::find(choices.begin(), choices.end(), value) == choices.end()) {
      return said + ": give one of " + Join(choices);
    }
    *one_of->value = value;
  } else if (const auto* on = std::get_if<bool*>(&flag.target)) {
    if (value != "on" && value != "off") return said + ": give on or off";
    **on = value == "on";
  } else if (const auto* text = std::get_if<std::string*>(&flag.target)) {
    if (value.empty()) return said + ": give a path";
    **text = value;
  } else {
    std::get<std::vector<std::string>*>(flag.target)->emplace_back(value);
  }
  return "";
}

std::string Flags::Parse(int argc, const char* const* argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--help") {
      help_wanted_ = true;
      return "";
    }
    if (argument.substr(0, 2) != "--") {
      return "'" + std::string(argument) + "' is no flag; --help lists them";
    }
    const size_t equals = argument.find('=');
    const std::string_view name =
        argument.substr(2, equals == std::string_view::npos ? equals : equals - 2);
    const Flag* flag = Find(name);
    const bool bare = equals == std::string_view::npos;
    if (flag == nullptr && bare && name.substr(0, 3) == "no-") {
      flag = Find(name.substr(3));
      if (flag != nullptr && std::holds_alternative<bool*>(flag->target)) {
        *std::get<bool*>(flag->target) = false;
        continue;
      }
      flag = nullptr;
    }
    if (flag == nullptr) {
      return "unknown flag --" + std::string(name) + "; --help lists them";
    }
    if (bare && std::holds_alternative<bool*>(flag->target)) {
      *std::get<bool*>(flag->target) = true;
      continue;
    }
    if (bare && i + 1 == argc) return "--" + flag->name + " needs a value after it";
    const std::string error = Set(
        *flag, bare ? std::string_view(argv[++i]) : argument.substr(equals + 1));
    if (!error.empty()) return error;
  }
  return "";
}

std::string Flags::Describe() const {
  std::string text;
  for (const Flag& flag : flags_) {
    text += "  --" + flag.name;
    std::string initially;
    if (const auto* whole = std::get_if<Whole>(&flag.target)) {
      text += " N";
      initially = std::to_string(*whole->value);
    } else if (const auto* fraction = std::get_if<Fraction>(&flag.target)) {
      text += " F";
      initially = Number(*fraction->value);
    } else if (const auto* one_of = std::get_if<OneOf>(&flag.target)) {
      text += " ";
      for (const std::string& choice : one_of->choices) {
        text += (&choice == &one_of->choices.front() ? "" : "|") + choice;
      }
      initially = *one_of->value;
    } else if (const auto* on = std::get_if<bool*>(&flag.target)) {
      initially = **on ? "on" : "off";
    } else if (std::holds_alternative<std::string*>(flag.target)) {
      text += " PATH";
    } else {
      text += " VALUE…";
    }
    text += "\n      " + flag.help;
    if (!initially.empty()) text += " (default " + initially + ")";
    text += "\n";
  }
  return text;
}

void Flags::Write(Json& json) const {
  json.Open("parameters");
  for (const Flag& flag : flags_) {
    if (const auto* whole = std::get_if<Whole>(&flag.target)) {
      json.Integer(flag.name, *whole->value);
    } else if (const auto* fraction = std::get_if<Fraction>(&flag.target)) {
      json.Real(flag.name, *fraction->value);
    } else if (const auto* one_of = std::get_if<OneOf>(&flag.target)) {
      json.String(flag.name, *one_of->value);
    } else if (const auto* on = std::get_if<bool*>(&flag.target)) {
      json.Boolean(flag.name, **on);
    }
  }
  json.Close();
}

}  // namespace workloads
