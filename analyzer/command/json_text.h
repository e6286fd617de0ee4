// JSON as text.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace mallogram {

// Paths and names are bytes; JSON is UTF-8. What is not becomes U+FFFD. `indent`:
// -1 for one line.
std::string Dump(const nlohmann::ordered_json& json, int indent = -1);

}  // namespace mallogram
