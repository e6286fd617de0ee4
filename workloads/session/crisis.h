// Crisis tracking: one small state machine per user, fed with what the user writes.
//
// Every message is scanned for phrases of a lexicon; their weights add to a score
// that decays with time. The score moves the state up at once and down only after a
// cool-down, so that one calm sentence does not end an alarm.

#ifndef WORKLOADS_SESSION_CRISIS_H_
#define WORKLOADS_SESSION_CRISIS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "workloads/common/account.h"
#include "workloads/session/message.h"

namespace workloads::session {

struct CrisisTableNodes {
  static constexpr const char* kName = "crisis_states";
};

enum class CrisisLevel : uint8_t { kCalm, kWatch, kElevated, kAcute };
enum class Trigger : uint8_t { kSleep, kAnxiety, kIsolation, kHopelessness, kHarm };
inline constexpr size_t kTriggers = 5;

inline constexpr double kHalfLifeSeconds = 1800;
inline constexpr double kCoolDownSeconds = 600;
inline constexpr std::array<double, 3> kLevelScores = {1.0, 2.5, 5.0};

class CrisisState {
 public:
  // REQUIRES: times do not fall.
  void Observe(double time, std::string_view content);

  CrisisLevel level() const { return level_; }
  double ScoreAt(double time) const;
  double peak_score() const { return peak_score_; }
  uint32_t messages() const { return messages_; }
  uint32_t count(Trigger trigger) const {
    return counts_[static_cast<size_t>(trigger)];
  }

 private:
  struct Event {
    double time = 0;
    float weight = 0;
    Trigger trigger = Trigger::kSleep;
  };

  double score_ = 0;
  double scored_at_ = 0;
  double peak_score_ = 0;
  double level_since_ = 0;
  uint32_t messages_ = 0;
  std::array<uint32_t, kTriggers> counts_ = {};
  std::array<Event, 6> recent_ = {};  // a ring, what an operator is shown
  uint8_t next_recent_ = 0;
  CrisisLevel level_ = CrisisLevel::kCalm;
};

// The states of all users ever seen; they survive the sessions.
class CrisisTable {
 public:
  CrisisState& Of(UserId user) { return states_[user]; }
  const CrisisState* Find(UserId user) const;
  size_t size() const { return states_.size(); }
  void Clear();

 private:
  HashMap<UserId, CrisisState, CrisisTableNodes> states_;
};

// What users in need write; the traffic generator uses it too.
struct LexiconEntry {
  std::string_view phrase;
  Trigger trigger;
  float weight;
};
inline constexpr std::array<LexiconEntry, 8> kLexicon = {{
    {"cannot sleep", Trigger::kSleep, 0.5f},
    {"panic", Trigger::kAnxiety, 1.0f},
    {"so anxious", Trigger::kAnxiety, 0.8f},
    {"all alone", Trigger::kIsolation, 0.8f},
    {"nobody cares", Trigger::kIsolation, 1.2f},
    {"hopeless", Trigger::kHopelessness, 1.6f},
    {"no way out", Trigger::kHopelessness, 2.0f},
    {"hurt myself", Trigger::kHarm, 5.0f},
}};

}  // namespace workloads::session

#endif  // WORKLOADS_SESSION_CRISIS_H_
