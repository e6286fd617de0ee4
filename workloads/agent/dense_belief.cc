#include "workloads/agent/dense_belief.h"

#include <algorithm>

namespace workloads::agent {

DenseBelief::DenseBelief(const Prior& prior)
    : cells_(prior.cells), values_(prior.contexts * prior.cells) {
  for (size_t context = 0; context < prior.contexts; ++context) {
    if (!prior.Possible(context)) continue;
    std::fill_n(&values_[context * cells_], cells_, prior.Probability());
  }
}

const double* DenseBelief::Row(size_t context, double* /*scratch*/) const {
  const double* row = &values_[context * cells_];
  const bool zero = std::all_of(row, row + cells_, [](double p) { return p == 0; });
  return zero ? nullptr : row;
}

void DenseBelief::Store(size_t context, const double* row) {
  double* to = &values_[context * cells_];
  if (row == nullptr) {
    std::fill_n(to, cells_, 0.0);
  } else {
    std::copy_n(row, cells_, to);
  }
}

void DenseBelief::Scale(double factor, double floor) {
  for (double& value : values_) {
    value *= factor;
    if (value < floor) value = 0;
  }
}

SparseBelief::SparseBelief(const Prior& prior) : cells_(prior.cells) {
  entries_.reserve(prior.PossibleContexts() * cells_);
  for (size_t context = 0; context < prior.contexts; ++context) {
    if (!prior.Possible(context)) continue;
    for (size_t cell = 0; cell < cells_; ++cell) {
      entries_.push_back({context * cells_ + cell, prior.Probability()});
    }
  }
}

const double* SparseBelief::Row(size_t context, double* scratch) const {
  const uint64_t first = context * cells_;
  auto entry = std::lower_bound(
      entries_.begin(), entries_.end(), first,
      [](const Entry& a, uint64_t state) { return a.state < state; });
  if (entry == entries_.end() || entry->state >= first + cells_) return nullptr;
  std::fill_n(scratch, cells_, 0.0);
  for (; entry != entries_.end() && entry->state < first + cells_; ++entry) {
    scratch[entry->state - first] = entry->probability;
  }
  return scratch;
}

void SparseBelief::Store(size_t context, const double* row) {
  if (row == nullptr) return;
  // Most updates keep the number of entries: one allocation then.
  if (next_.capacity() == 0) next_.reserve(entries_.size());
  for (size_t cell = 0; cell < cells_; ++cell) {
    if (row[cell] != 0) next_.push_back({context * cells_ + cell, row[cell]});
  }
}

void SparseBelief::Commit() {
  decltype(next_)().swap(entries_);
  entries_.swap(next_);
}

void SparseBelief::Scale(double factor, double floor) {
  for (Entry& entry : entries_) {
    entry.probability *= factor;
    if (entry.probability < floor) entry.probability = 0;
  }
  std::erase_if(entries_,
                [](const Entry& entry) { return entry.probability == 0; });
  // Slack beyond a quarter goes back.
  if (entries_.capacity() > entries_.size() + entries_.size() / 4) {
    decltype(entries_)(entries_).swap(entries_);
  }
}

}  // namespace workloads::agent
