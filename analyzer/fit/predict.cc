#include "analyzer/fit/predict.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "analyzer/fit/distributions.h"

namespace mallogram::fit {
namespace {

constexpr double kTail = 0.025;
// Laws lighter than this say nothing in the tails either.
constexpr double kIgnoredWeight = 1e-3;
constexpr double kFurthest = 10;  // times the largest size
constexpr double kWidest = 3, kWidestWithSteps = 4, kFurthestApart = 2,
                 kRivalWeight = 0.05;
constexpr int kStepPlaces = 5;
// Laws hold less well the further one goes: another residual SD for every decade
// beyond the data.
constexpr double kDriftPerDecade = 1;

struct Density {
  double weight, mean, scale, freedom;
};

double MixtureCdf(const std::vector<Density>& densities, double x) {
  double sum = 0;
  for (const Density& density : densities) {
    sum += density.weight *
           StudentTCdf((x - density.mean) / density.scale, density.freedom);
  }
  return sum;
}

double MixtureQuantile(const std::vector<Density>& densities, double p, double low,
                       double high) {
  for (int step = 0; step < 60 && high - low > 1e-7; ++step) {
    const double middle = (low + high) / 2;
    (MixtureCdf(densities, middle) < p ? low : high) = middle;
  }
  return (low + high) / 2;
}

}  // namespace

Predictor::Predictor(const Sample& sample, const Family& family, const Law& law)
    : sample_(sample), law_(law) {
  for (const Law& candidate : family.laws) {
    if (candidate.weight < kIgnoredWeight) continue;
    LawCovariance covariance(sample, candidate);
    const double t = StudentTQuantile(1 - kTail, covariance.freedom());
    components_.push_back({candidate, candidate.weight, covariance, -t, t});
  }
}

Prediction Predictor::At(double n) const {
  std::vector<Density> densities;
  double low = 1e300, high = -1e300, sum = 0;
  const double drift =
      kDriftPerDecade * std::max(0.0, std::log10(n / sample_.MaxN()));
  for (const Component& component : components_) {
    const auto [bottom, top] = Envelope(component.law, n);
    if (!(bottom > 0)) continue;
    const int places = top > bottom ? kStepPlaces : 1;
    for (int place = 0; place < places; ++place) {
      const double share = places == 1 ? 0 : place / (places - 1.0);
      const double mean =
          std::log(bottom) + share * (std::log(top) - std::log(bottom));
      const double scale = std::hypot(component.covariance.ErrorOfPrediction(n),
                                      drift * component.covariance.sigma());
      densities.push_back(
          {component.weight / places, mean, scale, component.covariance.freedom()});
      low = std::min(low, mean + scale * component.t_low);
      high = std::max(high, mean + scale * component.t_high);
      sum += component.weight / places;
    }
  }
  Prediction prediction;
  prediction.n = n;
  if (densities.empty()) return prediction;
  for (Density& density : densities) density.weight /= sum;
  prediction.low = std::exp(MixtureQuantile(densities, kTail, low, high));
  prediction.high = std::exp(MixtureQuantile(densities, 1 - kTail, low, high));
  prediction.value = std::clamp(Value(law_, n), prediction.low, prediction.high);
  return prediction;
}

std::optional<std::string> Predictor::Refuse(const Prediction& prediction) const {
  const double reach = prediction.n / sample_.MaxN();
  if (reach > kFurthest * (1 + 1e-9)) {
    return absl::StrFormat(
        "n = %.10g is %.3g times the largest size measured; "
        "no figure beyond %g times",
        prediction.n, reach, kFurthest);
  }
  const double range = sample_.MaxN() / sample_.MinN();
  if (reach > range * (1 + 1e-9)) {
    return absl::StrFormat(
        "n = %.10g is further beyond the data (%.3g times) than the "
        "data reach (%.3g times)",
        prediction.n, reach, range);
  }
  // A step alone is a factor 2.
  const double widest = law_.form == Form::kSteps ? kWidestWithSteps : kWidest;
  if (!(prediction.low > 0) || prediction.high > widest * prediction.low) {
    return absl::StrFormat(
        "the 95 %% interval at n = %.10g is wider than a factor %g; "
        "measure n = %.10g",
        prediction.n, widest, SeparatingSize());
  }
  double least = 1e300, most = 0;
  for (const Component& component : components_) {
    if (component.weight <= kRivalWeight) continue;
    least = std::min(least, Value(component.law, prediction.n));
    most = std::max(most, Value(component.law, prediction.n));
  }
  if (most > kFurthestApart * least) {
    return absl::StrFormat(
        "laws that the data allow differ by more than a factor %g at "
        "n = %.10g; measure n = %.10g",
        kFurthestApart, prediction.n, SeparatingSize());
  }
  return std::nullopt;
}

Predictor::Budget Predictor::LargestWithin(double bytes) const {
  const double limit =
      sample_.MaxN() * std::min(kFurthest, sample_.MaxN() / sample_.MinN());
  const auto fits = [&](double n) {
    const Prediction prediction = At(n);
    return prediction.high > 0 && prediction.high <= bytes &&
           (n <= sample_.MaxN() || !Refuse(prediction).has_value());
  };
  Budget budget;
  double low = std::max(1.0, sample_.MinN()), high = limit;
  if (!fits(low)) return budget;
  if (fits(high)) return {std::floor(high), true};
  for (int step = 0; step < 60 && high - low > 0.5; ++step) {
    const double middle = std::sqrt(low * high);
    (fits(middle) ? low : high) = middle;
  }
  budget.n = std::floor(low);
  // What stopped it may have been the refusal, not the budget.
  budget.reached_limit = At(low * 1.001).high <= bytes;
  return budget;
}

double Predictor::SeparatingSize() const {
  const Law& first = components_.front().law;
  const Law* rival = nullptr;
  for (const Component& component : components_) {
    if (component.law.growth != first.growth) {
      rival = &component.law;
      break;
    }
  }
  const double noise = components_.front().covariance.sigma();
  const double top = sample_.MaxN() * kFurthest;
  if (rival == nullptr) return top;
  double best = top, widest = 0;
  for (double n = sample_.MinN(); n <= top * 1.0001; n *= 1.25) {
    const double f = Value(first, n), g = Value(*rival, n);
    if (!(f > 0 && g > 0)) continue;
    const double apart = std::fabs(std::log(f / g));
    if (n > sample_.MaxN() && apart > std::max(0.1, 4 * noise))
      return std::round(n);
    if (apart > widest) {
      widest = apart;
      best = n;
    }
  }
  return std::round(best);
}

}  // namespace mallogram::fit
