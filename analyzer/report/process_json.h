// What the reports' JSON has in common.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>

#include "absl/strings/string_view.h"
#include "analyzer/recording/process_facts.h"

namespace mallogram {

// {"reason", "status", "signal", "detail"}: null where there is none.
nlohmann::ordered_json EndJson(const ProcessFacts& process);

// How a call stack ends: "complete", "max_depth", "stopped", "unknown".
absl::string_view StackEnd(uint32_t root);

}  // namespace mallogram
