#include "analyzer/study/spec/quantity.h"

#include <algorithm>
#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace mallogram::study {
namespace {

// Parentheses deeper than this are a mistake, not a quantity.
constexpr size_t kDeepest = 100;

bool InName(char c) { return absl::ascii_isalnum(c) || c == '_' || c == '.'; }

}  // namespace

// Recursive descent: sum -> product -> factor.
class QuantityParser {
 public:
  explicit QuantityParser(absl::string_view text) : text_(text) {
    expression_.text_ = std::string(text);
  }

  absl::StatusOr<Expression> Parse() {
    const absl::Status status = Sum();
    if (!status.ok()) return status;
    SkipBlanks();
    if (at_ < text_.size()) return Error("is not expected");
    return std::move(expression_);
  }

 private:
  using What = Expression::Step::What;

  void SkipBlanks() {
    while (at_ < text_.size() && absl::ascii_isspace(text_[at_])) ++at_;
  }
  bool Take(char c) {
    SkipBlanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void Add(What what) { expression_.steps_.push_back({what, 0, 0}); }

  absl::Status Error(absl::string_view what) const {
    if (at_ >= text_.size()) {
      return absl::DataLossError(absl::StrCat("\"", text_, "\" ends too early"));
    }
    return absl::DataLossError(absl::StrCat("\"", text_.substr(at_, 1), "\" ", what,
                                            " at character ", at_ + 1, " of \"",
                                            text_, "\""));
  }

  absl::Status Sum() {
    if (++depth_ > kDeepest) return absl::DataLossError("too many parentheses");
    absl::Status status = Product();
    while (status.ok()) {
      if (Take('+')) {
        status = Product();
        Add(What::kAdd);
      } else if (Take('-')) {
        status = Product();
        Add(What::kSubtract);
      } else {
        break;
      }
    }
    --depth_;
    return status;
  }

  absl::Status Product() {
    absl::Status status = Factor();
    while (status.ok()) {
      if (Take('*')) {
        status = Factor();
        Add(What::kMultiply);
      } else if (Take('/')) {
        status = Factor();
        Add(What::kDivide);
      } else {
        break;
      }
    }
    return status;
  }

  absl::Status Factor() {
    bool negative = false;
    while (Take('-')) negative = !negative;
    const absl::Status status = Atom();
    if (status.ok() && negative) Add(What::kNegate);
    return status;
  }

  absl::Status Atom() {
    if (Take('(')) {
      const absl::Status status = Sum();
      if (!status.ok()) return status;
      return Take(')') ? absl::OkStatus() : Error("is where \")\" should be");
    }
    SkipBlanks();
    if (at_ >= text_.size()) return Error("");
    const char first = text_[at_];
    if (absl::ascii_isdigit(first) || first == '.') return Number();
    if (absl::ascii_isalpha(first) || first == '_') return Name();
    return Error("is not expected");
  }

  absl::Status Number() {
    size_t end = at_;
    while (end < text_.size()) {
      const char c = text_[end];
      const bool sign_of_exponent =
          (c == '+' || c == '-') && absl::ascii_tolower(text_[end - 1]) == 'e';
      if (!absl::ascii_isalnum(c) && c != '.' && !sign_of_exponent) break;
      ++end;
    }
    double number = 0;
    const absl::string_view word = text_.substr(at_, end - at_);
    if (!absl::SimpleAtod(word, &number) || !std::isfinite(number)) {
      return absl::DataLossError(absl::StrCat("\"", word, "\" is not a number, at ",
                                              "character ", at_ + 1, " of \"",
                                              text_, "\""));
    }
    at_ = end;
    expression_.steps_.push_back({What::kNumber, number, 0});
    return absl::OkStatus();
  }

  absl::Status Name() {
    size_t end = at_;
    while (end < text_.size() && InName(text_[end])) ++end;
    const std::string name(text_.substr(at_, end - at_));
    at_ = end;
    std::vector<std::string>& names = expression_.names_;
    const size_t index = static_cast<size_t>(
        std::find(names.begin(), names.end(), name) - names.begin());
    if (index == names.size()) names.push_back(name);
    expression_.steps_.push_back({What::kName, 0, index});
    return absl::OkStatus();
  }

  const absl::string_view text_;
  size_t at_ = 0, depth_ = 0;
  Expression expression_;
};

absl::StatusOr<Expression> Expression::Parse(absl::string_view text) {
  return QuantityParser(text).Parse();
}

absl::StatusOr<double> Expression::Evaluate(const Lookup& lookup) const {
  std::vector<double> stack;
  const auto pop = [&stack] {
    const double value = stack.back();
    stack.pop_back();
    return value;
  };
  for (const Step& step : steps_) {
    if (step.what == Step::What::kNumber) {
      stack.push_back(step.number);
      continue;
    }
    if (step.what == Step::What::kName) {
      absl::StatusOr<double> value = lookup(names_[step.name]);
      if (!value.ok()) return value.status();
      stack.push_back(*value);
      continue;
    }
    const double right = pop();
    if (step.what == Step::What::kNegate) {
      stack.push_back(-right);
      continue;
    }
    const double left = pop();
    stack.push_back(step.what == Step::What::kAdd        ? left + right
                    : step.what == Step::What::kSubtract ? left - right
                    : step.what == Step::What::kMultiply ? left * right
                                                         : left / right);
  }
  if (!std::isfinite(stack.back())) {
    return absl::OutOfRangeError(absl::StrCat("\"", text_, "\" divides by zero"));
  }
  return stack.back();
}

std::string QuantityName(absl::string_view name) {
  return absl::StrReplaceAll(name, {{"-", "_"}});
}

}  // namespace mallogram::study
