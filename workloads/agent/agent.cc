#include "workloads/agent/agent.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <utility>

namespace workloads::agent {
namespace {

size_t PoliciesOf(size_t horizon) {
  size_t policies = 1;
  for (size_t i = 0; i < horizon; ++i) policies *= kActions;
  return policies;
}

Prior PriorOf(const AgentConfig& config) {
  const auto side = static_cast<size_t>(config.side);
  return {static_cast<size_t>(config.contexts), side * side, config.sparsity};
}

std::string_view BytesOf(const double* row, size_t cells) {
  return {reinterpret_cast<const char*>(row), cells * sizeof(double)};
}

}  // namespace

double* FrameBuffer::Next() {
  double* row = &readings_[taken_ % frames_ * cells_];
  ++taken_;
  return row;
}

void FrameBuffer::Fade(double* sum) const {
  std::fill_n(sum, cells_, 0.0);
  double weight = 1;
  const size_t kept = std::min(taken_, frames_);
  for (size_t age = 0; age < kept; ++age, weight *= 0.9) {
    const double* frame = &readings_[(taken_ - 1 - age) % frames_ * cells_];
    for (size_t cell = 0; cell < cells_; ++cell) sum[cell] += weight * frame[cell];
  }
}

Agent::Agent(const AgentConfig& config, const Random& random, uint64_t number,
             std::shared_ptr<const TransitionModel> transitions, AgentLeaks* leaks)
    : config_(config),
      grid_(static_cast<size_t>(config.side)),
      random_(random.Split(number)),
      transitions_(std::move(transitions)),
      leaks_(leaks),
      belief_(MakeBelief(config.belief, PriorOf(config))),
      history_(MakeHistory(config.history, static_cast<size_t>(config.ring))),
      frames_(static_cast<size_t>(config.frames), grid_.cells()),
      // The prior is the same for all cells.
      marginal_(grid_.cells(), 1.0 / static_cast<double>(grid_.cells())) {
  record_.policies.resize(PoliciesOf(static_cast<size_t>(config.horizon)));
  // The truth is one of the contexts that the agent holds possible.
  const Prior prior = PriorOf(config);
  do {
    context_ = random_.Below(prior.contexts);
  } while (!prior.Possible(context_));
  cell_ = random_.Below(grid_.cells());
}

void Agent::PlanFrom(const double* now, double worth, size_t depth,
                     Scratch* scratch) {
  if (depth == static_cast<size_t>(config_.horizon)) {
    record_.policies[planned_++] = static_cast<float>(worth);
    return;
  }
  double* next = &scratch->plan[depth * grid_.cells()];
  for (size_t action = 0; action < kActions; ++action) {
    transitions_->Predict(static_cast<Action>(action), now, next);
    double gain = action == 0 ? 0 : -0.002;  // moving has a price
    for (size_t cell = 0; cell < grid_.cells(); ++cell) {
      gain += next[cell] * scratch->preference[cell];
    }
    PlanFrom(next, worth + gain, depth + 1, scratch);
  }
}

Action Agent::Plan(Scratch* scratch) {
  frames_.Fade(scratch->preference.data());
  planned_ = 0;
  PlanFrom(marginal_.data(), 0, 0, scratch);
  if (leaks_->plan.Due()) {
    std::array<std::string_view, 8> rows;
    const auto depths = static_cast<size_t>(config_.horizon);
    for (size_t i = 0; i < depths; ++i) {
      rows[i] = BytesOf(&scratch->plan[i * grid_.cells()], grid_.cells());
    }
    leaks_->plan.LeakChain(rows.data(), depths);
  }

  // Softmax; rounded to 1/1024, finer differences decide nothing.
  Array<float, Histories>& weights = record_.policies;
  const float best = *std::max_element(weights.begin(), weights.end());
  double total = 0;
  for (float& weight : weights) {
    weight = std::exp(8 * (weight - best));
    total += weight;
  }
  std::array<double, kActions> by_first = {};
  for (size_t i = 0; i < weights.size(); ++i) {
    weights[i] = std::round(weights[i] / static_cast<float>(total) * 1024) / 1024;
    by_first[i * kActions / weights.size()] += weights[i];
  }
  return static_cast<Action>(std::max_element(by_first.begin(), by_first.end()) -
                             by_first.begin());
}

uint8_t Agent::Sense(double* frame) {
  constexpr size_t kReach = 2;
  const size_t goal = GoalOf(context_, grid_);
  for (size_t cell = 0; cell < grid_.cells(); ++cell) {
    const bool near = grid_.Distance(cell, cell_) <= kReach;
    frame[cell] =
        near ? 1.0 / static_cast<double>(1 + grid_.Distance(cell, goal)) : 0;
  }
  const uint8_t colour = ColourOf(context_, cell_);
  if (random_.Chance(0.65)) return colour;
  return static_cast<uint8_t>((colour + 1 + random_.Below(kColours - 1)) %
                              kColours);
}

bool Agent::Step(Scratch* scratch) {
  const Action action = Plan(scratch);
  cell_ = transitions_->Draw(action, cell_, random_);
  double* frame = frames_.Next();
  const uint8_t seen = Sense(frame);
  if (leaks_->observation.Due()) {
    leaks_->observation.Leak(BytesOf(frame, grid_.cells()));
  }

  if (FilterStep(*transitions_, static_cast<size_t>(config_.contexts),
                 grid_.cells(), action, seen, config_.prune, belief_.get(), scratch,
                 marginal_.data()) == 0) {
    return false;
  }
  if (leaks_->belief_snapshot.Due()) {
    leaks_->belief_snapshot.Leak(BytesOf(marginal_.data(), grid_.cells()));
  }

  record_.step = step_++;
  record_.action = static_cast<uint8_t>(action);
  record_.seen = seen;
  history_->Append(record_);
  path_hash_ = Random::Mix(path_hash_ ^ (cell_ * kActions + record_.action));
  const auto guess = static_cast<size_t>(
      std::max_element(marginal_.begin(), marginal_.end()) - marginal_.begin());
  located_ += guess == cell_ ? 1 : 0;
  return true;
}

}  // namespace workloads::agent
