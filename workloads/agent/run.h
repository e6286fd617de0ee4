// One run of the agents: created, half of the steps, all of the steps, gone.
//
// Phases: baseline, created, half, full, gone (agents destroyed), end. Between
// "half" and "full" a run with a ring history does not grow: that is the soak.

#ifndef WORKLOADS_AGENT_RUN_H_
#define WORKLOADS_AGENT_RUN_H_

#include <cstdint>
#include <string>

#include "workloads/agent/agent.h"
#include "workloads/common/json.h"
#include "workloads/common/truth.h"

namespace workloads::agent {

struct Config {
  int64_t seed = 1;
  int64_t agents = 10;
  int64_t steps = 50;
  bool share_transitions = false;
  AgentConfig each;
};

// Returns what went wrong, empty when nothing did.
std::string Run(const Config& config, AgentLeaks* leaks, Phases& phases,
                Entities& entities, Json& json);

}  // namespace workloads::agent

#endif  // WORKLOADS_AGENT_RUN_H_
