// Where names come from: options of every verb that shows call sites.
#pragma once

#include <string>
#include <vector>

#include "analyzer/command/options.h"
#include "analyzer/stacks/debuginfod.h"

namespace mallogram {

// --no-debuginfod, for this process.
inline Option DebuginfodRow() {
  return {"--no-debuginfod", 0, "",
          "ask no server for files, though DEBUGINFOD_URLS is set",
          [](absl::string_view, absl::string_view) {
            Debuginfod::Disable();
            return absl::OkStatus();
          }};
}

// That, and --debug-dir.
inline std::vector<Option> DebugRows(std::string* debug_dir) {
  return {{"--debug-dir", 0, "DIR",
           "look for separate debug files in DIR/.build-id as well\n"
           "(always: /usr/lib/debug)",
           Store(debug_dir)},
          DebuginfodRow()};
}

}  // namespace mallogram
