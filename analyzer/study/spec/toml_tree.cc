#include "analyzer/study/spec/toml_tree.h"

#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace mallogram::study {
namespace {

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

TomlNode Convert(const toml::node& node) {
  TomlNode out;
  out.line = node.source().begin.line;
  if (const toml::table* table = node.as_table()) {
    out.kind = TomlNode::Kind::kTable;
    for (const auto& [key, value] : *table) {
      TomlNode& child = out.children[std::string(key.str())] = Convert(value);
      // A table's own place is its header; of a key that is wrong people want the
      // key's line.
      child.line = key.source().begin.line;
    }
  } else if (const toml::array* array = node.as_array()) {
    out.kind = TomlNode::Kind::kArray;
    for (const toml::node& item : *array) out.items.push_back(Convert(item));
  } else if (const auto* text = node.as_string()) {
    out.kind = TomlNode::Kind::kString;
    out.text = text->get();
  } else if (const auto* integer = node.as_integer()) {
    out.kind = TomlNode::Kind::kInteger;
    out.number = static_cast<double>(integer->get());
    out.text = absl::StrCat(integer->get());
  } else if (const auto* number = node.as_floating_point()) {
    out.kind = TomlNode::Kind::kFloat;
    out.number = number->get();
    out.text = absl::StrFormat("%.10g", out.number);
  } else if (const auto* boolean = node.as_boolean()) {
    out.kind = TomlNode::Kind::kBoolean;
    out.boolean = boolean->get();
  } else {
    out.kind = TomlNode::Kind::kTime;
  }
  return out;
}

}  // namespace

absl::string_view KindText(TomlNode::Kind kind) {
  switch (kind) {
    case TomlNode::Kind::kTable:
      return "a table";
    case TomlNode::Kind::kArray:
      return "a list";
    case TomlNode::Kind::kString:
      return "a string";
    case TomlNode::Kind::kInteger:
    case TomlNode::Kind::kFloat:
      return "a number";
    case TomlNode::Kind::kBoolean:
      return "true or false";
    case TomlNode::Kind::kTime:
      break;
  }
  return "a date or time";
}

absl::StatusOr<TomlNode> ParseToml(absl::string_view text, absl::string_view file) {
  const toml::parse_result result =
      toml::parse(std::string_view(text.data(), text.size()));
  if (!result) {
    const toml::parse_error& error = result.error();
    return absl::DataLossError(absl::StrCat(file, ":", error.source().begin.line,
                                            ": ", View(error.description())));
  }
  return Convert(result.table());
}

}  // namespace mallogram::study
