// Student's t, Fisher's F, gamma and the normal distribution, from Boost.Math. The
// only file that includes it for distributions. Degrees of freedom are > 0.
#pragma once

namespace mallogram::fit {

double StudentTCdf(double t, double df);
// REQUIRES: 0 < p < 1 (in all quantiles).
double StudentTQuantile(double p, double df);

double FisherFUpper(double f, double df1, double df2);  // P(F > f)
double FisherFQuantile(double p, double df1, double df2);

// REQUIRES: shape > 0, scale > 0.
double GammaQuantile(double p, double shape, double scale);

double NormalCdf(double z);
double NormalQuantile(double p);

}  // namespace mallogram::fit
