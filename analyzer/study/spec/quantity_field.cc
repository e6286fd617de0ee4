#include "analyzer/study/spec/quantity_field.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "analyzer/command/cli.h"
#include "analyzer/study/spec/quantity.h"

namespace mallogram::study {
namespace {

void CheckGroup(Fields* fields, absl::string_view key, const std::string& name,
                const std::vector<std::string>& parts,
                const std::vector<Group>& groups) {
  std::vector<std::string> names;
  for (const Group& group : groups) {
    names.push_back(QuantityName(group.name));
  }
  const std::string group = parts.size() > 1 ? parts[1] : "";
  if (std::find(names.begin(), names.end(), group) == names.end()) {
    const std::vector<absl::string_view> views(names.begin(), names.end());
    fields->Error(key, absl::StrCat(key, ": no [[group]] with name = \"", group,
                                    "\"", DidYouMean(group, views)));
    return;
  }
  const bool metric =
      parts.size() == 3 && (parts[2] == "live" || parts[2] == "allocated" ||
                            parts[2] == "calls" || parts[2] == "peak");
  const bool phase = parts.size() == 4 && parts[2] == "at";
  if (parts.size() > 2 && !metric && !phase) {
    fields->Error(
        key, absl::StrCat(key, ": of a group there are group.NAME, ",
                          ".live, .allocated, .calls and .at.PHASE, not ", name));
  }
}

void CheckName(Fields* fields, absl::string_view key, const std::string& name,
               const std::vector<Group>& groups) {
  static constexpr absl::string_view kNames[] = {
      "n", "peak", "live", "allocated", "calls", "rss", "at", "group", "truth"};
  const std::vector<std::string> parts = absl::StrSplit(name, '.');
  const bool empty_part =
      std::any_of(parts.begin(), parts.end(),
                  [](const std::string& part) { return part.empty(); });
  const bool known =
      std::find(std::begin(kNames), std::end(kNames), parts[0]) != std::end(kNames);
  if (!known || empty_part) {
    fields->Error(key, absl::StrCat(key, ": no quantity \"", name, "\"",
                                    known ? "" : DidYouMean(parts[0], kNames),
                                    "; there are n, peak, live, allocated, calls, "
                                    "rss, at.PHASE, group.NAME, truth.PATH"));
  } else if (parts[0] == "at" && parts.size() != 2) {
    fields->Error(key, absl::StrCat(key, ": write at.PHASE, not ", name));
  } else if (parts[0] == "truth" && parts.size() < 2) {
    fields->Error(key, absl::StrCat(key, ": write truth.KEY.KEY…, not ", name));
  } else if (parts[0] == "group") {
    CheckGroup(fields, key, name, parts, groups);
  } else if (parts[0] != "at" && parts[0] != "truth" && parts.size() != 1) {
    fields->Error(key, absl::StrCat(key, ": ", parts[0], " has no parts; ", name,
                                    " is no quantity"));
  }
}

}  // namespace

Quantity ReadQuantity(Fields* fields, absl::string_view key,
                      absl::string_view otherwise,
                      const std::vector<Group>& groups) {
  Quantity text = fields->Text(key);
  if (text.empty()) {
    if (otherwise.empty()) {
      fields->Error(key, absl::StrCat(key, " = \"QUANTITY\" is needed"));
    }
    return Quantity(otherwise);
  }
  const absl::StatusOr<Expression> expression = Expression::Parse(text);
  if (!expression.ok()) {
    fields->Error(key, absl::StrCat(key, ": ", expression.status().message()));
    return text;
  }
  for (const std::string& name : expression->names()) {
    CheckName(fields, key, name, groups);
  }
  return text;
}

}  // namespace mallogram::study
