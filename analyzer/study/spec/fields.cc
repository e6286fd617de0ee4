#include "analyzer/study/spec/fields.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "analyzer/command/cli.h"
#include "analyzer/study/spec/units.h"

namespace mallogram::study {

using Kind = TomlNode::Kind;

void StudyErrors::Add(uint32_t line, absl::string_view message) {
  if (!status_.ok()) return;
  status_ = absl::DataLossError(absl::StrCat(file_, ":", line, ": ", message));
}

Fields::Fields(const TomlNode& node, absl::string_view what, StudyErrors* errors)
    : node_(node), what_(what), errors_(errors) {}

bool Fields::Has(absl::string_view key) const {
  return std::any_of(node_.children.begin(), node_.children.end(),
                     [key](const auto& child) { return child.first == key; });
}

const TomlNode* Fields::Find(absl::string_view key) {
  known_.emplace_back(key);
  for (const auto& [name, child] : node_.children) {
    if (name == key) return &child;
  }
  return nullptr;
}

void Fields::Error(absl::string_view key, absl::string_view message) {
  uint32_t line = node_.line;
  for (const auto& [name, child] : node_.children) {
    if (name == key) line = child.line;
  }
  errors_->Add(line, message);
}

void Fields::WrongKind(absl::string_view key, const TomlNode& node,
                       absl::string_view wanted) {
  errors_->Add(node.line, absl::StrCat(key, " must be ", wanted, ", not ",
                                       KindText(node.kind)));
}

std::string Fields::Text(absl::string_view key) {
  const TomlNode* node = Find(key);
  if (node == nullptr) return "";
  if (node->kind != Kind::kString) WrongKind(key, *node, "a string");
  return node->text;
}

std::string Fields::RequiredText(absl::string_view key) {
  std::string text = Text(key);
  if (text.empty()) Error(key, absl::StrCat(what_, " needs ", key, " = \"…\""));
  return text;
}

bool Fields::Flag(absl::string_view key, bool otherwise) {
  const TomlNode* node = Find(key);
  if (node == nullptr) return otherwise;
  if (node->kind != Kind::kBoolean) WrongKind(key, *node, "true or false");
  return node->boolean;
}

std::optional<double> Fields::Number(absl::string_view key) {
  const TomlNode* node = Find(key);
  if (node == nullptr) return std::nullopt;
  if (node->kind != Kind::kInteger && node->kind != Kind::kFloat) {
    WrongKind(key, *node, "a number");
    return std::nullopt;
  }
  return node->number;
}

std::optional<double> Fields::Bytes(absl::string_view key) {
  const TomlNode* node = Find(key);
  if (node == nullptr) return std::nullopt;
  if (node->kind == Kind::kInteger || node->kind == Kind::kFloat) {
    return node->number;
  }
  if (node->kind != Kind::kString) {
    WrongKind(key, *node, "bytes, as 1500 or \"1.5kB\"");
    return std::nullopt;
  }
  const std::optional<double> bytes = BytesOf(node->text);
  if (!bytes.has_value()) {
    Error(key, absl::StrCat(key, ": \"", node->text,
                            "\" is no number of bytes; write 1500, \"1.5kB\", "
                            "\"100MB\" or \"64MiB\""));
  }
  return bytes;
}

std::vector<std::string> Fields::Texts(absl::string_view key) {
  const TomlNode* node = Find(key);
  std::vector<std::string> texts;
  if (node == nullptr) return texts;
  if (node->kind != Kind::kArray) {
    WrongKind(key, *node, "a list of strings");
    return texts;
  }
  for (const TomlNode& item : node->items) {
    if (item.kind != Kind::kString) {
      errors_->Add(item.line, absl::StrCat(key, " takes strings only, not ",
                                           KindText(item.kind)));
    }
    texts.push_back(item.text);
  }
  return texts;
}

std::vector<std::string> Fields::Sizes(absl::string_view key) {
  const TomlNode* node = Find(key);
  std::vector<std::string> sizes;
  if (node == nullptr) return sizes;
  if (node->kind != Kind::kArray) {
    WrongKind(key, *node, "a list of sizes");
    return sizes;
  }
  for (const TomlNode& item : node->items) {
    double n = 0;
    if (item.text.empty() || !absl::SimpleAtod(item.text, &n) ||
        !std::isfinite(n) || n <= 0) {
      errors_->Add(item.line,
                   absl::StrCat(key, ": ",
                                item.text.empty() ? KindText(item.kind)
                                                  : absl::string_view(item.text),
                                " is no size; sizes are numbers above 0"));
    }
    if (std::find(sizes.begin(), sizes.end(), item.text) != sizes.end()) {
      errors_->Add(item.line,
                   absl::StrCat(key, ": ", item.text, " is there twice"));
    }
    sizes.push_back(item.kind == Kind::kInteger ? item.text
                                                : absl::StrFormat("%.10g", n));
  }
  return sizes;
}

void Fields::ForEach(absl::string_view key,
                     const std::function<void(Fields*)>& read) {
  const TomlNode* node = Find(key);
  if (node == nullptr) return;
  if (node->kind == Kind::kTable) {
    Fields fields(*node, key, errors_);
    read(&fields);
    fields.Finish();
    return;
  }
  if (node->kind != Kind::kArray) return WrongKind(key, *node, "a list of tables");
  for (const TomlNode& item : node->items) {
    if (item.kind != Kind::kTable) {
      errors_->Add(item.line, absl::StrCat(key, " takes tables, { … }, not ",
                                           KindText(item.kind)));
      return;
    }
    Fields fields(item, key, errors_);
    read(&fields);
    fields.Finish();
  }
}

void Fields::Finish() {
  const std::vector<absl::string_view> known(known_.begin(), known_.end());
  for (const auto& [name, child] : node_.children) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    errors_->Add(child.line, absl::StrCat("unknown key \"", name, "\" in ", what_,
                                          DidYouMean(name, known)));
  }
}

}  // namespace mallogram::study
