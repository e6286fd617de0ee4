// A TOML document as a plain tree in which everything knows its line. The only file
// that knows the TOML library.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mallogram::study {

struct TomlNode {
  enum class Kind { kTable, kArray, kString, kInteger, kFloat, kBoolean, kTime };
  Kind kind = Kind::kTable;
  uint32_t line = 0;
  std::string text;   // kString; numbers as people write them
  double number = 0;  // kInteger, kFloat
  bool boolean = false;
  std::vector<TomlNode> items;               // kArray
  std::map<std::string, TomlNode> children;  // kTable
};

// "a table", "a list", "a string", "a number" …
absl::string_view KindText(TomlNode::Kind kind);

// `file` is for errors, "FILE:LINE: what".
absl::StatusOr<TomlNode> ParseToml(absl::string_view text, absl::string_view file);

}  // namespace mallogram::study
