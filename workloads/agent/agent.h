// One agent: it believes, plans, acts and remembers.
//
// Planning weighs every sequence of `horizon` actions (a policy) by what it expects
// to find on the way: the goal's glow, as seen in the frames it remembers. The
// posterior over policies goes into the history; the action is the one that most of
// it begins with.

#ifndef WORKLOADS_AGENT_AGENT_H_
#define WORKLOADS_AGENT_AGENT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "workloads/agent/belief.h"
#include "workloads/agent/filter.h"
#include "workloads/agent/history.h"
#include "workloads/agent/world.h"
#include "workloads/common/account.h"
#include "workloads/common/leaks.h"
#include "workloads/common/random.h"

namespace workloads::agent {

struct AgentObjects {
  static constexpr const char* kName = "agent_objects";
};
struct AgentList {
  static constexpr const char* kName = "agent_list";
};
struct Frames {
  static constexpr const char* kName = "observation_frames";
};

struct AgentConfig {
  int64_t side = 8;
  int64_t contexts = 16;
  int64_t horizon = 2;
  int64_t frames = 16;
  int64_t ring = 64;
  double sparsity = 0.9;
  double prune = 0;
  std::string belief = "dense";
  std::string history = "unbounded";
};

struct AgentLeaks {
  LeakSite belief_snapshot{"belief-snapshot", LeakKind::kLost,
                           "a copy of the marginal belief of a step"};
  LeakSite observation{"observation", LeakKind::kGrowing,
                       "a copy of the frame of a step, kept for replay"};
  LeakSite plan{"plan", LeakKind::kChain,
                "the predicted rows of a plan, one block a depth, linked"};
};

// What an agent has sensed: a frame is a row of readings, one a cell. The buffer is
// one block from the start, and the oldest frame gives way.
class FrameBuffer {
 public:
  FrameBuffer(size_t frames, size_t cells)
      : frames_(frames), cells_(cells), readings_(frames * cells) {}

  // The row to write the next frame into; its old content is to be overwritten.
  double* Next();
  // Sum over the frames, each older one counting 0.9 of the one after it.
  void Fade(double* sum) const;

 private:
  size_t frames_;
  size_t cells_;
  size_t taken_ = 0;
  Array<double, Frames> readings_;
};

class Agent {
 public:
  // REQUIRES: the pointers outlive this; `number` differs between agents.
  Agent(const AgentConfig& config, const Random& random, uint64_t number,
        std::shared_ptr<const TransitionModel> transitions, AgentLeaks* leaks);

  // One turn: plan, act, sense, update, remember. False: what was seen is
  // impossible under the belief (never with the worlds of world.h).
  bool Step(Scratch* scratch);

  const Belief& belief() const { return *belief_; }
  const History& history() const { return *history_; }
  const TransitionModel& transitions() const { return *transitions_; }
  // Hash of all actions and cells so far: equal beliefs, equal paths.
  uint64_t path_hash() const { return path_hash_; }
  // Steps after which the most probable cell was the true one.
  int64_t located() const { return located_; }

 private:
  Action Plan(Scratch* scratch);
  void PlanFrom(const double* now, double worth, size_t depth, Scratch* scratch);
  uint8_t Sense(double* frame);

  AgentConfig config_;
  Grid grid_;
  Random random_;
  std::shared_ptr<const TransitionModel> transitions_;
  AgentLeaks* leaks_;
  std::unique_ptr<Belief> belief_;
  std::unique_ptr<History> history_;
  FrameBuffer frames_;
  Array<double, Beliefs> marginal_;
  Record record_;  // of this step; its list keeps its size
  size_t planned_ = 0;
  uint64_t context_;
  size_t cell_;
  uint32_t step_ = 0;
  uint64_t path_hash_ = 0;
  int64_t located_ = 0;
};

}  // namespace workloads::agent

#endif  // WORKLOADS_AGENT_AGENT_H_
