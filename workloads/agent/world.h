// The world of the agents: a square grid with walls around it, in one of many
// variants ("contexts") that differ in the colours of their cells and in where the
// goal is. An agent knows neither its cell nor its context.
//
// Everything about a context is computed from its number: nothing is stored.

#ifndef WORKLOADS_AGENT_WORLD_H_
#define WORKLOADS_AGENT_WORLD_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "workloads/common/account.h"
#include "workloads/common/random.h"

namespace workloads::agent {

struct Transitions {
  static constexpr const char* kName = "transition_models";
};

enum class Action : uint8_t { kStay, kNorth, kSouth, kWest, kEast };
inline constexpr size_t kActions = 5;
inline constexpr size_t kColours = 8;

class Grid {
 public:
  explicit Grid(size_t side) : side_(side) {}  // REQUIRES: side > 0

  size_t side() const { return side_; }
  size_t cells() const { return side_ * side_; }
  // Where the move leads; a wall leaves it where it is.
  size_t Move(size_t cell, Action action) const;
  size_t Distance(size_t a, size_t b) const;  // in moves

 private:
  size_t side_;
};

uint8_t ColourOf(uint64_t context, size_t cell);
size_t GoalOf(uint64_t context, const Grid& grid);

// P(seen | colour): sensors are right in 65 of 100 cases.
inline double SeenGiven(uint8_t seen, uint8_t colour) {
  return seen == colour ? 0.65 : 0.35 / (kColours - 1);
}

// P(to | from, action) as full matrices, though most of it is zeros: a move
// succeeds with a probability that depends on the ground, otherwise the agent stays
// or slides to a side.
class TransitionModel {
 public:
  TransitionModel(const Grid& grid, uint64_t seed);

  double Probability(Action action, size_t from, size_t to) const {
    return matrices_[(static_cast<size_t>(action) * cells_ + from) * cells_ + to];
  }
  // next[to] = Σ P(to | from, action) now[from]. The terms are added in an order
  // that depends on `to` alone. REQUIRES: two arrays of cells(), not the same.
  void Predict(Action action, const double* now, double* next) const;
  // Where the action leads from `cell`, drawn.
  size_t Draw(Action action, size_t cell, Random& random) const;

  int64_t PayloadBytes() const {
    return static_cast<int64_t>(matrices_.size() * sizeof(double));
  }

 private:
  Grid grid_;
  size_t cells_;
  Array<double, Transitions> matrices_;
};

std::shared_ptr<const TransitionModel> MakeTransitions(const Grid& grid,
                                                       uint64_t seed);

}  // namespace workloads::agent

#endif  // WORKLOADS_AGENT_WORLD_H_
