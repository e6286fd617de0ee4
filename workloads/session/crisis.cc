#include "workloads/session/crisis.h"

#include <algorithm>
#include <cmath>

namespace workloads::session {

double CrisisState::ScoreAt(double time) const {
  return score_ * std::exp2(-(time - scored_at_) / kHalfLifeSeconds);
}

void CrisisState::Observe(double time, std::string_view content) {
  score_ = ScoreAt(time);
  scored_at_ = time;
  ++messages_;
  for (const LexiconEntry& entry : kLexicon) {
    if (content.find(entry.phrase) == std::string_view::npos) continue;
    score_ += entry.weight;
    ++counts_[static_cast<size_t>(entry.trigger)];
    recent_[next_recent_] = {time, entry.weight, entry.trigger};
    next_recent_ = static_cast<uint8_t>((next_recent_ + 1) % recent_.size());
  }
  peak_score_ = std::max(peak_score_, score_);

  const auto reached = static_cast<CrisisLevel>(
      std::count_if(kLevelScores.begin(), kLevelScores.end(),
                    [this](double score) { return score_ >= score; }));
  if (reached > level_) {
    level_ = reached;
    level_since_ = time;
  } else if (reached < level_ && time - level_since_ >= kCoolDownSeconds) {
    // One step at a time, each with its own cool-down.
    level_ = static_cast<CrisisLevel>(static_cast<uint8_t>(level_) - 1);
    level_since_ = time;
  }
}

const CrisisState* CrisisTable::Find(UserId user) const {
  const auto found = states_.find(user);
  return found == states_.end() ? nullptr : &found->second;
}

void CrisisTable::Clear() {
  // clear() alone would keep the buckets.
  decltype(states_)().swap(states_);
}

}  // namespace workloads::session
