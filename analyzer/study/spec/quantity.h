// Quantities of a run: small expressions over names, such as
// "(at.stored - at.baseline) / n" (study.h has the names). Pure.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mallogram::study {

class Expression {
 public:
  // Numbers, names, + - * / and parentheses. Errors name the place in `text`.
  static absl::StatusOr<Expression> Parse(absl::string_view text);

  // Every name in it, once, in order.
  const std::vector<std::string>& names() const { return names_; }

  // Errors: a name that `lookup` does not know; a result that is not finite.
  using Lookup = std::function<absl::StatusOr<double>(const std::string& name)>;
  absl::StatusOr<double> Evaluate(const Lookup& lookup) const;

 private:
  friend class QuantityParser;

  // In reverse Polish order.
  struct Step {
    enum class What {
      kNumber,
      kName,
      kAdd,
      kSubtract,
      kMultiply,
      kDivide,
      kNegate
    };
    What what = What::kNumber;
    double number = 0;
    size_t name = 0;  // in names_
  };

  std::string text_;
  std::vector<Step> steps_;
  std::vector<std::string> names_;
};

// The name as it is written in quantities: '-' becomes '_'.
std::string QuantityName(absl::string_view name);

}  // namespace mallogram::study
