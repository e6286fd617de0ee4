// Findings of `mallogram check` as text and as JUnit's XML.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "analyzer/check/judge.h"
#include "analyzer/command/terminal.h"

namespace mallogram {

// A line a limit, its culprits below it.
std::string RenderFindings(const std::vector<Finding>& findings,
                           const Style& style);
// A case a limit.
std::string RenderFindingsJunit(const std::vector<Finding>& findings,
                                absl::string_view program);

}  // namespace mallogram
