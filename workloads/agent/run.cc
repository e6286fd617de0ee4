#include "workloads/agent/run.h"

#include <memory>

namespace workloads::agent {
namespace {

using Agents = Array<Owned<Agent, AgentObjects>, AgentList>;

bool StepAll(Agents& agents, int64_t steps, Scratch* scratch) {
  for (int64_t step = 0; step < steps; ++step) {
    for (const auto& agent : agents) {
      if (!agent->Step(scratch)) return false;
    }
  }
  return true;
}

void TakeTruth(const Config& config, const Agents& agents, const Phases& phases,
               Entities& entities, Json& json) {
  int64_t kept = 0;
  int64_t records = 0;
  int64_t located = 0;
  uint64_t paths = 0;
  for (const auto& agent : agents) {
    kept += agent->belief().kept();
    records += agent->history().size();
    located += agent->located();
    paths = Random::Mix(paths ^ agent->path_hash());
  }
  const int64_t count = config.agents;
  const int64_t models = config.share_transitions ? 1 : count;
  const int64_t frames = count * config.each.frames;
  const int64_t cells = config.each.side * config.each.side;
  const auto real = static_cast<int64_t>(sizeof(double));
  entities.Take(account_of<Beliefs>, count, kept * real);
  entities.Take(account_of<Histories>, records, 0);
  entities.Take(account_of<ZlibState>, 0, 0);
  entities.Take(account_of<Frames>, frames, frames * cells * real);
  entities.Take(account_of<Transitions>, models,
                models * agents[0]->transitions().PayloadBytes());
  entities.Take(account_of<AgentObjects>, count,
                count * static_cast<int64_t>(sizeof(Agent)));
  entities.Take(account_of<AgentList>, count, 0);
  entities.Take(account_of<Workspace>, 1, 0);

  const auto each = [count](const Account& account) {
    return static_cast<double>(account.balance().live_bytes) /
           static_cast<double>(count);
  };
  json.Integer("agents", count);
  json.Integer("states", config.each.contexts * cells);
  json.Integer("kept_probabilities", kept);
  json.Integer("history_records", records);
  json.Open("per_agent");
  json.Real("beliefs_bytes", each(account_of<Beliefs>));
  json.Real("history_bytes", each(account_of<Histories>));
  json.Real("observations_bytes", each(account_of<Frames>));
  json.Real("transitions_bytes", each(account_of<Transitions>));
  json.Real("object_bytes", each(account_of<AgentObjects>));
  json.Real("total_bytes", static_cast<double>(phases.At("full").live_bytes -
                                               phases.At("baseline").live_bytes) /
                               static_cast<double>(count));
  json.Close();
  json.Integer("steps_located", located);
  json.Integer("paths_hash", static_cast<int64_t>(paths >> 1));
}

}  // namespace

std::string Run(const Config& config, AgentLeaks* leaks, Phases& phases,
                Entities& entities, Json& json) {
  phases.Mark("baseline");
  const Random random(static_cast<uint64_t>(config.seed));
  const Grid grid(static_cast<size_t>(config.each.side));
  // All agents live on the same ground, whether they share what they know of it.
  const auto ground = static_cast<uint64_t>(config.seed) + 5;
  {
    std::shared_ptr<const TransitionModel> shared;
    if (config.share_transitions) shared = MakeTransitions(grid, ground);
    Agents agents;
    agents.reserve(static_cast<size_t>(config.agents));
    for (int64_t i = 0; i < config.agents; ++i) {
      agents.push_back(Make<Agent, AgentObjects>(
          config.each, random, static_cast<uint64_t>(i),
          shared != nullptr ? shared : MakeTransitions(grid, ground), leaks));
    }
    Scratch scratch(grid.cells(), static_cast<size_t>(config.each.horizon));
    phases.Mark("created");

    const char* kImpossible = "an agent saw what its belief holds impossible";
    if (!StepAll(agents, config.steps / 2, &scratch)) return kImpossible;
    phases.Mark("half");
    if (!StepAll(agents, config.steps - config.steps / 2, &scratch)) {
      return kImpossible;
    }
    phases.Mark("full");
    TakeTruth(config, agents, phases, entities, json);
    Agents().swap(agents);
    phases.Mark("gone");
  }
  phases.Mark("end");
  return "";
}

}  // namespace workloads::agent
