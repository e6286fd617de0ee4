#include "analyzer/recording/phase_marks.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace mallogram {
namespace {

constexpr absl::string_view kWord = "phase ";
// A mark is recorded when its line has been written, and its line tells the time
// before. A program that is stopped between the two has its phase twice.
constexpr uint64_t kSameMarkNs = 1'000'000'000;
constexpr size_t kMarkBytes = 24;  // of its name that a recording has

// "12345.678901234": exact where a double would not be.
bool ParseSeconds(absl::string_view text, uint64_t* ns) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '.');
  uint64_t seconds = 0, fraction = 0;
  if (parts.size() > 2 || !absl::SimpleAtoi(parts[0], &seconds)) return false;
  if (seconds > UINT64_MAX / 1'000'000'000 - 1) return false;
  if (parts.size() == 2) {
    std::string digits(parts[1].substr(0, 9));
    if (!std::all_of(parts[1].begin(), parts[1].end(), absl::ascii_isdigit))
      return false;
    digits.resize(9, '0');
    if (!absl::SimpleAtoi(digits, &fraction)) return false;
  }
  *ns = seconds * 1'000'000'000 + fraction;
  return true;
}

}  // namespace

std::vector<PhaseLine> ParsePhaseLines(absl::string_view text) {
  std::vector<PhaseLine> lines;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!absl::StartsWith(line, kWord)) continue;
    line = absl::StripTrailingAsciiWhitespace(line.substr(kWord.size()));
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
    PhaseLine phase;
    if (words.size() != 2 || words[0].empty() ||
        !ParseSeconds(words[1], &phase.monotonic_ns)) {
      continue;
    }
    phase.name = std::string(words[0]);
    lines.push_back(std::move(phase));
  }
  return lines;
}

std::vector<Phase> FindPhases(const Marks& marks,
                              const std::vector<PhaseLine>& lines) {
  std::vector<Phase> phases;
  for (const Mark& mark : marks.marks) {
    phases.push_back({mark.name, {mark.time_ns, mark.events}});
  }
  const size_t recorded = phases.size();
  for (const PhaseLine& line : lines) {
    if (marks.start_monotonic_ns == 0 ||
        line.monotonic_ns < marks.start_monotonic_ns) {
      continue;
    }
    const uint64_t time_ns = line.monotonic_ns - marks.start_monotonic_ns;
    const auto same = std::find_if(
        phases.begin(), phases.begin() + static_cast<std::ptrdiff_t>(recorded),
        [&](const Phase& phase) {
          const uint64_t apart = std::max(time_ns, phase.moment.time_ns) -
                                 std::min(time_ns, phase.moment.time_ns);
          return phase.name == line.name.substr(0, kMarkBytes) &&
                 apart < kSameMarkNs;
        });
    if (same != phases.begin() + static_cast<std::ptrdiff_t>(recorded)) {
      same->name = line.name;  // whole
      continue;
    }
    phases.push_back({line.name, {time_ns}});
  }
  std::stable_sort(phases.begin(), phases.end(),
                   [](const Phase& a, const Phase& b) {
                     return a.moment.time_ns < b.moment.time_ns;
                   });
  return phases;
}

const Phase* FindPhase(const std::vector<Phase>& phases, absl::string_view name) {
  for (auto phase = phases.rbegin(); phase != phases.rend(); ++phase) {
    if (phase->name == name) return &*phase;
  }
  return nullptr;
}

absl::StatusOr<std::vector<PhaseHeap>> HeapAtPhases(Recording& recording,
                                                    absl::string_view stderr_text,
                                                    ProgressFn progress) {
  const absl::StatusOr<Marks> marks = recording.ReadMarks();
  if (!marks.ok()) return marks.status();
  const std::vector<Phase> phases =
      FindPhases(*marks, ParsePhaseLines(stderr_text));
  std::vector<Moment> moments;
  moments.reserve(phases.size());
  for (const Phase& phase : phases) moments.push_back(phase.moment);
  absl::StatusOr<std::vector<LiveHeap>> heaps =
      LiveAt(recording, moments, progress);
  if (!heaps.ok()) return heaps.status();
  std::vector<PhaseHeap> result;
  for (size_t i = 0; i < phases.size(); ++i)
    result.push_back({phases[i].name, std::move((*heaps)[i])});
  return result;
}

}  // namespace mallogram
