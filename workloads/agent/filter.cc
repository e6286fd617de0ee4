#include "workloads/agent/filter.h"

#include <algorithm>

namespace workloads::agent {

double FilterStep(const TransitionModel& model, size_t contexts, size_t cells,
                  Action action, uint8_t seen, double prune, Belief* belief,
                  Scratch* scratch, double* marginal) {
  double total = 0;
  double* next = scratch->next.data();
  for (size_t context = 0; context < contexts; ++context) {
    const double* now = belief->Row(context, scratch->row.data());
    if (now == nullptr) {
      belief->Store(context, nullptr);
      continue;
    }
    model.Predict(action, now, next);
    double sum = 0;
    for (size_t cell = 0; cell < cells; ++cell) {
      next[cell] *= SeenGiven(seen, ColourOf(context, cell));
      sum += next[cell];
    }
    total += sum;
    belief->Store(context, sum == 0 ? nullptr : next);
  }
  belief->Commit();
  if (total == 0) return 0;
  belief->Scale(1 / total, std::max(prune, kSmallest));
  Marginalise(*belief, contexts, cells, scratch, marginal);
  return total;
}

void Marginalise(const Belief& belief, size_t contexts, size_t cells,
                 Scratch* scratch, double* marginal) {
  std::fill_n(marginal, cells, 0.0);
  for (size_t context = 0; context < contexts; ++context) {
    const double* row = belief.Row(context, scratch->row.data());
    if (row == nullptr) continue;
    for (size_t cell = 0; cell < cells; ++cell) marginal[cell] += row[cell];
  }
}

}  // namespace workloads::agent
