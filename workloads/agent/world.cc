#include "workloads/agent/world.h"

#include <algorithm>

namespace workloads::agent {
namespace {

constexpr std::array<Action, kActions> kAllActions = {
    Action::kStay, Action::kNorth, Action::kSouth, Action::kWest, Action::kEast};

size_t Apart(size_t a, size_t b) { return a > b ? a - b : b - a; }

}  // namespace

size_t Grid::Move(size_t cell, Action action) const {
  const size_t row = cell / side_;
  const size_t column = cell % side_;
  switch (action) {
    case Action::kStay:
      return cell;
    case Action::kNorth:
      return row > 0 ? cell - side_ : cell;
    case Action::kSouth:
      return row + 1 < side_ ? cell + side_ : cell;
    case Action::kWest:
      return column > 0 ? cell - 1 : cell;
    case Action::kEast:
      return column + 1 < side_ ? cell + 1 : cell;
  }
  return cell;
}

size_t Grid::Distance(size_t a, size_t b) const {
  return Apart(a / side_, b / side_) + Apart(a % side_, b % side_);
}

uint8_t ColourOf(uint64_t context, size_t cell) {
  return static_cast<uint8_t>(Random::Mix((context << 24) + cell) % kColours);
}

size_t GoalOf(uint64_t context, const Grid& grid) {
  return Random(context).Below(grid.cells());
}

TransitionModel::TransitionModel(const Grid& grid, uint64_t seed)
    : grid_(grid),
      cells_(grid.cells()),
      matrices_(kActions * grid.cells() * grid.cells()) {
  Random random(seed);
  for (size_t from = 0; from < cells_; ++from) {
    const double grip = 0.7 + 0.25 * random.Real();
    for (const Action action : kAllActions) {
      double* to =
          &matrices_[(static_cast<size_t>(action) * cells_ + from) * cells_];
      to[grid.Move(from, action)] += grip;
      for (const Action slide : kAllActions) {
        to[grid.Move(from, slide)] += (1 - grip) / kActions;
      }
    }
  }
}

void TransitionModel::Predict(Action action, const double* now,
                              double* next) const {
  const double* matrix = &matrices_[static_cast<size_t>(action) * cells_ * cells_];
  const size_t side = grid_.side();
  for (size_t to = 0; to < cells_; ++to) {
    // All that can lead here are the cell itself and those around it.
    const size_t column = to % side;
    double sum = matrix[to * cells_ + to] * now[to];
    if (to >= side) sum += matrix[(to - side) * cells_ + to] * now[to - side];
    if (to + side < cells_)
      sum += matrix[(to + side) * cells_ + to] * now[to + side];
    if (column > 0) sum += matrix[(to - 1) * cells_ + to] * now[to - 1];
    if (column + 1 < side) sum += matrix[(to + 1) * cells_ + to] * now[to + 1];
    next[to] = sum;
  }
}

size_t TransitionModel::Draw(Action action, size_t cell, Random& random) const {
  double left = random.Real();
  for (const Action slide : kAllActions) {
    const size_t to = grid_.Move(cell, slide);
    // Walls make several moves lead to one cell; its probability is used up once.
    const auto same = [&](Action other) { return grid_.Move(cell, other) == to; };
    const auto first = std::find_if(kAllActions.begin(), kAllActions.end(), same);
    if (*first != slide) continue;
    left -= Probability(action, cell, to);
    if (left < 0) return to;
  }
  return cell;
}

std::shared_ptr<const TransitionModel> MakeTransitions(const Grid& grid,
                                                       uint64_t seed) {
  return std::allocate_shared<const TransitionModel>(
      EntityAllocator<TransitionModel, Transitions>(), grid, seed);
}

}  // namespace workloads::agent
