#include "analyzer/fit/covariance.h"

#include <algorithm>
#include <cmath>

namespace mallogram::fit {
namespace {

using Matrix = std::vector<std::vector<double>>;

double Freedom(const Sample& sample, const Law& law) {
  return std::max(1.0, static_cast<double>(sample.size()) - law.parameters);
}

// Gauss and Jordan; at most 4x4. False: a direction that the data do not see.
bool Invert(Matrix m, Matrix* inverse) {
  const size_t k = m.size();
  inverse->assign(k, std::vector<double>(k, 0.0));
  for (size_t i = 0; i < k; ++i) (*inverse)[i][i] = 1;
  Matrix& r = *inverse;
  for (size_t i = 0; i < k; ++i) {
    size_t pivot = i;
    for (size_t j = i + 1; j < k; ++j) {
      if (std::fabs(m[j][i]) > std::fabs(m[pivot][i])) pivot = j;
    }
    if (!(std::fabs(m[pivot][i]) > 1e-12)) return false;
    std::swap(m[i], m[pivot]);
    std::swap(r[i], r[pivot]);
    const double scale = 1 / m[i][i];
    for (size_t c = 0; c < k; ++c) {
      m[i][c] *= scale;
      r[i][c] *= scale;
    }
    for (size_t j = 0; j < k; ++j) {
      if (j == i) continue;
      const double factor = m[j][i];
      for (size_t c = 0; c < k; ++c) {
        m[j][c] -= factor * m[i][c];
        r[j][c] -= factor * r[i][c];
      }
    }
  }
  return true;
}

}  // namespace

double ResidualSd(const Sample& sample, const Law& law) {
  return std::sqrt(law.rss / Freedom(sample, law));
}

LawCovariance::LawCovariance(const Sample& sample, const Law& law)
    : sample_(sample), law_(law), freedom_(Freedom(sample, law)) {
  sigma_ = std::max(ResidualSd(sample, law), sample.s0);
  members_ = SmoothParameters(law);
  for (;; members_.pop_back()) {
    scales_.clear();
    for (double Law::*member : members_) {
      const double value = std::fabs(law.*member);
      scales_.push_back(value > 1e-9        ? value
                        : member == &Law::a ? sample.min_y
                                            : 1.0);
    }
    const size_t k = members_.size();
    Matrix normal(k, std::vector<double>(k, 0.0));
    for (size_t i = 0; i < sample.size(); ++i) {
      const std::vector<double> gradient = Gradient(sample.n[i]);
      for (size_t r = 0; r < k; ++r) {
        for (size_t c = 0; c < k; ++c) {
          normal[r][c] += sample.weight[i] * gradient[r] * gradient[c];
        }
      }
    }
    // A parameter that nothing depends on here (a knee on a size) is left out.
    if (Invert(normal, &inverse_) || k == 1) break;
  }
}

std::vector<double> LawCovariance::Gradient(double n) const {
  constexpr double kStep = 1e-5;
  std::vector<double> gradient(members_.size());
  for (size_t k = 0; k < members_.size(); ++k) {
    Law high = law_, low = law_;
    high.*members_[k] += kStep * scales_[k];
    low.*members_[k] -= kStep * scales_[k];
    const double f_high = Value(high, n), f_low = Value(low, n);
    if (f_high > 0 && f_low > 0) {
      gradient[k] = (std::log(f_high) - std::log(f_low)) / (2 * kStep);
    }
  }
  return gradient;
}

double LawCovariance::Quadratic(const std::vector<double>& gradient) const {
  double sum = 0;
  for (size_t r = 0; r < gradient.size(); ++r) {
    for (size_t c = 0; c < gradient.size(); ++c) {
      sum += gradient[r] * inverse_[r][c] * gradient[c];
    }
  }
  return std::max(0.0, sum);
}

double LawCovariance::ErrorOfPrediction(double n) const {
  return sigma_ * std::sqrt(1 + Quadratic(Gradient(n)));
}

double LawCovariance::Leverage(size_t i) const {
  const double leverage = sample_.weight[i] * Quadratic(Gradient(sample_.n[i]));
  return std::clamp(leverage, 0.0, 1.0);
}

std::vector<LawCovariance::Parameter> LawCovariance::parameters() const {
  std::vector<Parameter> parameters;
  for (size_t k = 0; k < members_.size(); ++k) {
    parameters.push_back({members_[k], law_.*members_[k],
                          sigma_ * scales_[k] * std::sqrt(inverse_[k][k])});
  }
  return parameters;
}

}  // namespace mallogram::fit
