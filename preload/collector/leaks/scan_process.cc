#include "preload/collector/leaks/scan_process.h"

namespace mallogram {

absl::StatusOr<LeakCheck> ScanProcess(const ScanRequest& request) {
  LeakCheck check;
  check.reason = "leak checks are not there yet";
  check.blocks = request.model->live_blocks();
  check.bytes = request.model->live_bytes();
  return check;
}

}  // namespace mallogram
