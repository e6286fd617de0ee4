// Reads the keys of one table of a study file: every key must be asked for, or it
// is unknown. The first error sticks; later calls return empty values.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "analyzer/study/spec/toml_tree.h"

namespace mallogram::study {

// Where errors go, with "FILE:LINE: " before them.
class StudyErrors {
 public:
  explicit StudyErrors(absl::string_view file) : file_(file) {}
  void Add(uint32_t line, absl::string_view message);
  bool ok() const { return status_.ok(); }
  const absl::Status& status() const { return status_; }

 private:
  const std::string file_;
  absl::Status status_;
};

class Fields {
 public:
  // `what` is the table in messages: "[[table]]". REQUIRES: node is a table, and
  // outlives this, as errors does.
  Fields(const TomlNode& node, absl::string_view what, StudyErrors* errors);

  std::string Text(absl::string_view key);          // "" if it is not there
  std::string RequiredText(absl::string_view key);  // and not empty
  bool Flag(absl::string_view key, bool otherwise);
  std::optional<double> Number(absl::string_view key);
  std::optional<double> Bytes(absl::string_view key);  // a number or "100MB"
  std::vector<std::string> Texts(absl::string_view key);
  // Input sizes, as the user wrote them: numbers above 0, none twice.
  std::vector<std::string> Sizes(absl::string_view key);

  // Each table of the list `key`, or the one table that it is.
  void ForEach(absl::string_view key, const std::function<void(Fields*)>& read);
  bool Has(absl::string_view key) const;

  // REQUIRES: everything known was asked for. An unknown key is an error.
  void Finish();

  // At the line of `key`, or of the table, if it is not there.
  void Error(absl::string_view key, absl::string_view message);

 private:
  const TomlNode* Find(absl::string_view key);
  void WrongKind(absl::string_view key, const TomlNode& node,
                 absl::string_view wanted);

  const TomlNode& node_;
  const std::string what_;
  StudyErrors* const errors_;
  std::vector<std::string> known_;
};

}  // namespace mallogram::study
