// One run of the session workload: traffic in, sessions full, everyone leaves.
//
// Phases: baseline, ready (bridge and transport exist), watched (crisis states of
// users without sessions), filled (all messages routed), left (all sessions
// closed), end (bridge and transport gone).

#ifndef WORKLOADS_SESSION_RUN_H_
#define WORKLOADS_SESSION_RUN_H_

#include <cstdint>
#include <string>

#include "workloads/common/json.h"
#include "workloads/common/truth.h"
#include "workloads/session/bridge.h"

namespace workloads::session {

struct Config {
  int64_t seed = 1;
  int64_t sessions = 10;
  int64_t messages = 20;            // user messages a session
  int64_t window = 20;              // turns
  int64_t crisis_states = 0;        // further users, watched only
  std::string transport = "queue";  // or "socket"
};

// Returns what went wrong, empty when nothing did.
std::string Run(const Config& config, BridgeLeaks* leaks, Phases& phases,
                Entities& entities, Json& json);

}  // namespace workloads::session

#endif  // WORKLOADS_SESSION_RUN_H_
