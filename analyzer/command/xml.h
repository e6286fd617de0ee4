// JUnit's XML: text and attributes.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace mallogram {

// Attribute or text, on one line: no control characters, which XML does not have.
std::string Xml(absl::string_view text);

}  // namespace mallogram
