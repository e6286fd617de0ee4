// Moments of a recording as people write them: "1.5s", "start", "end", or a phase
// that the program named (phase_marks.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "analyzer/recording/live_at.h"
#include "analyzer/recording/phase_marks.h"

namespace mallogram {

struct NamedMoment {
  std::string name;  // as given
  Moment moment;
};

// "1.5s", "200ms", "1.5": nanoseconds. Nothing: not a time.
std::optional<uint64_t> ParseTime(absl::string_view text);

// `option` and `path` are named in the error, which is a usage error.
// `marks_given`: the phases are also those of a text that the user gave.
absl::StatusOr<NamedMoment> FindMoment(absl::string_view option,
                                       absl::string_view word,
                                       const std::vector<Phase>& phases,
                                       absl::string_view path, bool marks_given);

}  // namespace mallogram
