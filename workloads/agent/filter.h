// The Bayes filter: belief, action, observation → belief. Predict with the
// transition model, weigh with the likelihood of what was seen, normalise.

#ifndef WORKLOADS_AGENT_FILTER_H_
#define WORKLOADS_AGENT_FILTER_H_

#include <cstddef>
#include <cstdint>

#include "workloads/agent/belief.h"
#include "workloads/agent/world.h"

namespace workloads::agent {

struct Workspace {
  static constexpr const char* kName = "workspace";
};

// Rows for temporary results, shared by all agents of a process.
struct Scratch {
  Scratch(size_t cells, size_t horizon)
      : row(cells), next(cells), preference(cells), plan(horizon * cells) {}

  Array<double, Workspace> row;
  Array<double, Workspace> next;
  Array<double, Workspace> preference;
  Array<double, Workspace> plan;  // one predicted row a depth
};

// What is below this is zero, whatever --prune says: denormal numbers are slow, and
// nothing so unlikely comes back.
inline constexpr double kSmallest = 1e-200;

// `marginal` (of cells) becomes the probability of each cell over all contexts.
// Returns the probability of what was seen (the normaliser), 0 when it was
// impossible; the belief is then unusable.
double FilterStep(const TransitionModel& model, size_t contexts, size_t cells,
                  Action action, uint8_t seen, double prune, Belief* belief,
                  Scratch* scratch, double* marginal);

// Adds up the rows of all contexts.
void Marginalise(const Belief& belief, size_t contexts, size_t cells,
                 Scratch* scratch, double* marginal);

}  // namespace workloads::agent

#endif  // WORKLOADS_AGENT_FILTER_H_
