#include "analyzer/fit/distributions.h"

#include <boost/math/distributions/fisher_f.hpp>
#include <boost/math/distributions/gamma.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>

namespace mallogram::fit {
namespace {

// Not long double inside: twice as fast, and 1e-14 is enough. NaN in, NaN out: one
// odd series must not end the report of all others.
using Policy = boost::math::policies::policy<
    boost::math::policies::promote_double<false>,
    boost::math::policies::domain_error<boost::math::policies::ignore_error>,
    boost::math::policies::overflow_error<boost::math::policies::ignore_error>>;
using StudentT = boost::math::students_t_distribution<double, Policy>;
using Gamma = boost::math::gamma_distribution<double, Policy>;
using FisherF = boost::math::fisher_f_distribution<double, Policy>;
using Normal = boost::math::normal_distribution<double, Policy>;

}  // namespace

double StudentTCdf(double t, double df) {
  if (std::isinf(t)) return t > 0 ? 1 : 0;
  return boost::math::cdf(StudentT(df), t);
}

double StudentTQuantile(double p, double df) {
  return boost::math::quantile(StudentT(df), p);
}

double FisherFUpper(double f, double df1, double df2) {
  if (!(f > 0)) return 1;
  if (std::isinf(f)) return 0;
  return boost::math::cdf(boost::math::complement(FisherF(df1, df2), f));
}

double FisherFQuantile(double p, double df1, double df2) {
  return boost::math::quantile(FisherF(df1, df2), p);
}

double GammaQuantile(double p, double shape, double scale) {
  return boost::math::quantile(Gamma(shape, scale), p);
}

double NormalCdf(double z) { return boost::math::cdf(Normal(), z); }

double NormalQuantile(double p) { return boost::math::quantile(Normal(), p); }

}  // namespace mallogram::fit
