// agent: agents that filter what they see into beliefs, plan and act, on a grid.
//
// Re-creates the system of the seed report 003, "Task 20.2: Memory Profiling and
// Optimization Report", and serves its tables:
//   Original Footprint (34.5 MB: beliefs, history, observations, matrices)
//       --agents 1 --grid 13 --contexts 22189 --sparsity 0 --frames 1109 --horizon
//       5
//       --steps 160 --belief dense --history unbounded: per_agent in the truth
//   Optimization Techniques, one flag each
//       --belief sparse|lazy, --history ring|zlib, --share-transitions
//   Dense Random Data (worst case)   the footprint's flags with --belief sparse
//   Realistic Sparse Data            --sparsity 0.9 … 0.999
//   Scalability Validation           --agents 50 and more
//   Extended runs without leaks      --history ring --steps 10000: half against
//   full

#include "workloads/agent/run.h"
#include "workloads/common/app.h"

int main(int argc, char** argv) {
  using namespace workloads;
  agent::Config config;
  Flags flags;
  flags.Count("agents", &config.agents, 1, 1'000'000, "Agents");
  flags.Count("steps", &config.steps, 0, 1'000'000'000, "Turns of each agent");
  flags.Count("grid", &config.each.side, 2, 40, "Cells along a side of the world");
  flags.Count("contexts", &config.each.contexts, 1, 100'000'000,
              "Variants of the world that a belief tells apart");
  flags.Count("horizon", &config.each.horizon, 1, 6,
              "Actions that a plan looks ahead; 5^horizon policies are weighed");
  flags.Choice("belief", &config.each.belief, {"dense", "sparse", "lazy"},
               "How beliefs are kept");
  flags.Real("sparsity", &config.each.sparsity, 0, 1,
             "Share of the states that are impossible from the start");
  flags.Real("prune", &config.each.prune, 0, 0.1,
             "Probabilities below this are dropped");
  flags.Choice("history", &config.each.history, {"unbounded", "ring", "zlib"},
               "How histories are kept");
  flags.Count("ring", &config.each.ring, 1, 100'000'000,
              "Records of a ring history");
  flags.Count("frames", &config.each.frames, 1, 100'000'000,
              "Observations that an agent remembers");
  flags.Switch("share-transitions", &config.share_transitions,
               "One transition model for all agents");
  agent::AgentLeaks leaks;
  LeakPlan plan({&leaks.belief_snapshot, &leaks.observation, &leaks.plan});
  return AppMain({"agent", "Agents that filter, plan and act on a grid.", &flags,
                  &plan, &config.seed,
                  [&](Phases& phases, Entities& entities, Json& json) {
                    return agent::Run(config, &leaks, phases, entities, json);
                  }},
                 argc, argv);
}
