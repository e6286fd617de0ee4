// The verb `symbolize`.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "analyzer/command/options.h"

namespace mallogram {

std::string SymbolizeHelp();
absl::StatusOr<int> RunSymbolize(Arguments arguments);

}  // namespace mallogram
