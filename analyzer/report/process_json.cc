#include "analyzer/report/process_json.h"

#include "preload/stack_roots.h"

namespace mallogram {

using Json = nlohmann::ordered_json;

Json EndJson(const ProcessFacts& process) {
  const auto detail_of = [&process](EndReason reason) {
    return !process.still_recording && process.end == reason &&
                   process.end_detail >= 0
               ? Json(process.end_detail)
               : Json();
  };
  return {{"reason", std::string(EndWord(process))},
          {"status", detail_of(EndReason::kExited)},
          {"signal", detail_of(EndReason::kSignalled)},
          {"detail", process.detail_text}};
}

absl::string_view StackEnd(uint32_t root) {
  switch (root) {
    case kRootComplete:
      return "complete";
    case kRootCut:
      return "max_depth";
    case kRootStopped:
      return "stopped";
    default:
      return "unknown";
  }
}

}  // namespace mallogram
