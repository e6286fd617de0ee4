// Minimum of a function of one variable: a grid, then Brent's method around the
// best point of it. For the parameters that no 2x2 solve reaches.
#pragma once

#include <boost/math/tools/minima.hpp>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace mallogram::fit {

inline constexpr int kBrentBits = 16;  // of the parameter
inline constexpr std::uintmax_t kBrentSteps = 20;

// (place, value). REQUIRES: grid ascending, not empty.
template <typename Function>
std::pair<double, double> Minimize(const std::vector<double>& grid,
                                   Function function) {
  size_t best = 0;
  double value = function(grid[0]);
  for (size_t i = 1; i < grid.size(); ++i) {
    const double next = function(grid[i]);
    if (next < value) {
      value = next;
      best = i;
    }
  }
  const double low = grid[best == 0 ? 0 : best - 1];
  const double high = grid[best + 1 < grid.size() ? best + 1 : best];
  std::pair<double, double> result(grid[best], value);
  if (low < high) {
    std::uintmax_t steps = kBrentSteps;
    const std::pair<double, double> refined = boost::math::tools::brent_find_minima(
        function, low, high, kBrentBits, steps);
    if (refined.second < result.second) result = refined;
  }
  return result;
}

}  // namespace mallogram::fit
