// Time of one fit: `meson test --benchmark fit`. Prints and never judges.
#include <cstdio>
#include <ctime>

#include "analyzer/fit/fit.h"
#include "tools/fit_simulation_sets.h"

int main() {
  for (int sizes : {5, 7, 8, 12, 30}) {
    const auto sets =
        simulation::Sites(7, 300, sizes, sizes > 12 ? 1.2 : 2, 0.01, 1);
    double checksum = 0;
    const clock_t start = clock();  // of the processor: others may be busy too
    for (const simulation::DataSet& set : sets) {
      checksum += mallogram::fit::FitSeries(set.points, 16, {}).weights[0];
    }
    const double took = static_cast<double>(clock() - start) * 1e6 / CLOCKS_PER_SEC;
    printf("%2d sizes: %.0f us a series (%.3g)\n", sizes,
           took / static_cast<double>(sets.size()), checksum);
  }
}
