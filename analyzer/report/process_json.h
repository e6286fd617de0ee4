// What the reports' JSON has in common.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/string_view.h"
#include "analyzer/recording/process_facts.h"

namespace mallogram {

// Paths and names are bytes; JSON is UTF-8. What is not becomes U+FFFD.
std::string Dump(const nlohmann::ordered_json& json);

// {"reason", "status", "signal", "detail"}: null where there is none.
nlohmann::ordered_json EndJson(const ProcessFacts& process);

// How a call stack ends: "complete", "max_depth", "stopped", "unknown".
absl::string_view StackEnd(uint32_t root);

}  // namespace mallogram
