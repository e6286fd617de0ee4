#include "analyzer/sweep/progress.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "analyzer/command/format.h"
#include "analyzer/sweep/sizes.h"

namespace mallogram {
namespace {

double SecondsSince(SweepProgress::Clock::time_point then) {
  return std::chrono::duration<double>(SweepProgress::Clock::now() - then).count();
}

}  // namespace

double EstimateSeconds(const std::vector<RunTime>& done, double n) {
  std::map<double, std::pair<double, int>> sums;  // by size
  for (const RunTime& run : done) {
    auto& [sum, count] = sums[run.n];
    sum += run.seconds;
    ++count;
  }
  if (sums.empty()) return -1;
  std::vector<std::pair<double, double>> means;
  for (const auto& [size, sum] : sums) {
    if (size == n) return sum.first / sum.second;
    means.emplace_back(size, sum.first / sum.second);
  }
  std::sort(means.begin(), means.end(), [n](const auto& a, const auto& b) {
    return std::abs(std::log(a.first / n)) < std::abs(std::log(b.first / n));
  });
  const auto [near, seconds] = means[0];
  if (means.size() == 1) return seconds;
  const auto [far, far_seconds] = means[1];
  const double exponent =
      std::clamp(std::log(std::max(seconds, 1e-4) / std::max(far_seconds, 1e-4)) /
                     std::log(near / far),
                 0.0, 2.0);
  return seconds * std::pow(n / near, exponent);
}

SweepProgress::SweepProgress(const SweepPlan& plan, std::vector<RunKey> open,
                             size_t done)
    : plan_(plan), open_(std::move(open)), done_(done), bar_("") {}

void SweepProgress::Started(const RunKey& key) {
  going_.push_back({key, Clock::now()});
  const auto same = [&key](const RunKey& other) {
    return other.size == key.size && other.rep == key.rep;
  };
  open_.erase(std::remove_if(open_.begin(), open_.end(), same), open_.end());
}

void SweepProgress::Ended(const RunKey& key, double seconds, bool succeeded) {
  const auto same = [&key](const Going& other) {
    return other.key.size == key.size && other.key.rep == key.rep;
  };
  going_.erase(std::remove_if(going_.begin(), going_.end(), same), going_.end());
  ++done_;
  if (succeeded) times_.push_back({SizeValue(key.size), seconds});
}

void SweepProgress::Show() {
  const size_t total = done_ + going_.size() + open_.size();
  double left = 0;
  for (const RunKey& key : open_) {
    left += EstimateSeconds(times_, SizeValue(key.size));
  }
  for (const Going& run : going_) {
    left += std::max(0.0, EstimateSeconds(times_, SizeValue(run.key.size)) -
                              SecondsSince(run.since));
  }
  left /= std::min<double>(plan_.jobs, std::max<double>(1, open_.size()));
  // Together with the bar, this should fit into 80 columns.
  std::string label = "waiting";
  if (!going_.empty()) {
    const RunKey& key = going_[0].key;
    label = absl::StrCat(plan_.parameter, "=", key.size);
    if (plan_.reps > 1) absl::StrAppend(&label, " rep ", key.rep, "/", plan_.reps);
    if (going_.size() > 1) absl::StrAppend(&label, " +", going_.size() - 1);
  }
  absl::StrAppend(&label, ", ", FormatSeconds(std::round(SecondsSince(begin_))));
  // The first run says little about the others.
  if (times_.size() > 1 && left >= 1) {
    absl::StrAppend(&label, ", ", FormatSeconds(std::round(left)), " left");
  }
  bar_.SetLabel(label);
  bar_.Update(done_, total);
}

}  // namespace mallogram
