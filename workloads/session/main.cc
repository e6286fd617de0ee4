// session: a multi-user chat bridge with bounded histories and crisis tracking.
//
// Re-creates the system of the seed report 000, "Memory Profiling Results:
// Per-Session Overhead", and serves all of its tables:
//   Session Scaling          --sessions 1, 5, 10, 20, 50, 100
//   History Window Scaling   --sessions 1 --messages 200 --window 10, 20, 50, 100,
//   200
//                            (configured and actual counts: a window counts turns,
//                            each a message and its reply)
//   CrisisState Overhead     --sessions 0 --crisis-states 10000
//   JSON Results             per_session_bytes, per_message_bytes,
//   crisis_state_bytes,
//                            sessions_per_gb in the truth
//   Scalability Estimate     --sessions 1000, 10000

#include "workloads/common/app.h"
#include "workloads/session/run.h"

int main(int argc, char** argv) {
  using namespace workloads;
  session::Config config;
  Flags flags;
  flags.Count("sessions", &config.sessions, 0, 10'000'000, "Users with a session");
  flags.Count("messages", &config.messages, 1, 10'000'000,
              "Messages that each of them sends; each is answered");
  flags.Count("window", &config.window, 1, 10'000'000,
              "Turns that a history keeps: a turn is a message and its reply");
  flags.Count("crisis-states", &config.crisis_states, 0, 100'000'000,
              "Further users who are only watched by the crisis tracker");
  flags.Choice("transport", &config.transport, {"queue", "socket"},
               "How messages reach the bridge");
  session::BridgeLeaks leaks;
  LeakPlan plan(
      {&leaks.evicted_message, &leaks.dropped_session, &leaks.routing_log});
  return AppMain({"session", "A multi-user chat bridge with bounded histories.",
                  &flags, &plan, &config.seed,
                  [&](Phases& phases, Entities& entities, Json& json) {
                    return session::Run(config, &leaks, phases, entities, json);
                  }},
                 argc, argv);
}
