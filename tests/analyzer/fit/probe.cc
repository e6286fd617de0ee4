// Numbers for the oracle: distributions and fits on fixed inputs, one a line, as
// "name arguments… value". oracle_test.py computes them with scipy and statsmodels.
#include <cmath>
#include <cstdio>
#include <vector>

#include "analyzer/fit/distributions.h"
#include "analyzer/fit/exponent.h"
#include "analyzer/fit/family.h"
#include "analyzer/fit/laws.h"
#include "analyzer/fit/regression.h"
#include "analyzer/fit/sample.h"

using namespace mallogram::fit;  // a probe, not a room

int main() {
  for (double df : {1.0, 2.0, 3.5, 6.0, 30.0, 400.0}) {
    for (double t : {-40.0, -3.0, -0.5, 0.0, 1.2, 8.0}) {
      printf("t_cdf %.17g %.17g %.17g\n", t, df, StudentTCdf(t, df));
    }
    for (double p : {1e-6, 0.025, 0.3, 0.5, 0.975, 0.999}) {
      printf("t_ppf %.17g %.17g %.17g\n", p, df, StudentTQuantile(p, df));
    }
    for (double df2 : {1.0, 2.0, 5.0, 40.0}) {
      for (double f : {0.01, 0.7, 4.0, 60.0, 5000.0}) {
        printf("f_sf %.17g %.17g %.17g %.17g\n", f, df, df2,
               FisherFUpper(f, df, df2));
      }
      printf("f_ppf %.17g %.17g %.17g %.17g\n", 0.95, df, df2,
             FisherFQuantile(0.95, df, df2));
    }
  }
  for (double p : {1e-9, 0.025, 0.5, 0.9}) {
    printf("norm_ppf %.17g %.17g\n", p, NormalQuantile(p));
  }
  // Every point from one generator that both sides write down: n = 10·2.7^i
  // rounded, y = 5000 + 3·n^1.3·(1 + 0.03·sin(7i + k)).
  for (int k = 0; k < 12; ++k) {
    std::vector<double> n, y, weights;
    std::vector<Measurement> points;
    for (int i = 0; i < 5 + k % 4; ++i) {
      n.push_back(std::round(10 * std::pow(2.7, i)));
      y.push_back((k < 6 ? 5000 : 0) +
                  3 * std::pow(n.back(), 1.3) * (1 + 0.03 * std::sin(7 * i + k)));
      weights.push_back(1 / (y.back() * y.back()));
      points.push_back({n.back(), y.back()});
    }
    const LineFit plain = FitLine(n, y), weighted = FitLine(n, y, weights);
    const LineFit power = FitLogLog(n, y);
    const auto print = [k](const char* name, const LineFit& fit) {
      printf("%s %d %.17g %.17g %.17g %.17g %.17g %.17g %.17g\n", name, k,
             fit.intercept.value, fit.slope.value, fit.slope.low, fit.slope.high,
             fit.r_squared, fit.p_value, fit.rss);
    };
    print("ols", plain);
    print("wls", weighted);
    print("loglog", power);
    const Interval next = plain.PredictionAt(2 * n.back(), 1);
    printf("ols_pi %d %.17g %.17g\n", k, next.low, next.high);
    printf("aicc %d %.17g\n", k, PlainAicc(power.rss, n.size(), 2));
    // Nonlinear: a + b·n^c and a + b·n in log residuals.
    const Sample sample = Prepare(points, 1e-9).positive;
    const PairFit line = FitOffsetPower(sample, 1);
    printf("log_line %d %.17g %.17g %.17g\n", k, line.a, line.b, line.rss);
    for (const Law& law : FitFamily(sample).laws) {
      if (law.form != Form::kPower) continue;
      printf("%s %d %.17g %.17g\n", law.with_constant ? "log_offset" : "log_power",
             k, law.c, law.rss);
    }
  }
}
