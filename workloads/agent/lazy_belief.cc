#include "workloads/agent/lazy_belief.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "workloads/agent/dense_belief.h"

namespace workloads::agent {

size_t Prior::PossibleContexts() const {
  const double share = (1 - sparsity) * static_cast<double>(contexts);
  return std::clamp<size_t>(static_cast<size_t>(std::llround(share)), 1, contexts);
}

bool Prior::Possible(size_t context) const {
  // One of every contexts / possible: the count up to here grows by one.
  const size_t possible = PossibleContexts();
  return (context + 1) * possible / contexts > context * possible / contexts;
}

double Prior::Probability() const {
  return 1.0 / static_cast<double>(PossibleContexts() * cells);
}

std::unique_ptr<Belief> MakeBelief(std::string_view kind, const Prior& prior) {
  if (kind == "sparse") return std::make_unique<SparseBelief>(prior);
  if (kind == "lazy") return std::make_unique<LazyBelief>(prior);
  return std::make_unique<DenseBelief>(prior);
}

LazyBelief::KeptRow LazyBelief::Compress(const double* row, size_t cells,
                                         size_t nonzero) {
  KeptRow kept;
  constexpr size_t kSparseBytes = sizeof(double) + sizeof(uint16_t);
  if (nonzero * kSparseBytes >= cells * sizeof(double)) {
    kept.values.assign(row, row + cells);
    return kept;
  }
  kept.values.reserve(nonzero);
  kept.cells.reserve(nonzero);
  for (size_t cell = 0; cell < cells; ++cell) {
    if (row[cell] == 0) continue;
    kept.values.push_back(row[cell]);
    kept.cells.push_back(static_cast<uint16_t>(cell));
  }
  return kept;
}

const double* LazyBelief::Row(size_t context, double* scratch) const {
  if (!materialised_) {
    if (!prior_.Possible(context)) return nullptr;
    std::fill_n(scratch, prior_.cells, prior_.Probability());
    return scratch;
  }
  const auto found = rows_.find(static_cast<uint32_t>(context));
  if (found == rows_.end()) return nullptr;
  const KeptRow& row = found->second;
  if (row.cells.empty()) return row.values.data();
  std::fill_n(scratch, prior_.cells, 0.0);
  for (size_t i = 0; i < row.cells.size(); ++i)
    scratch[row.cells[i]] = row.values[i];
  return scratch;
}

void LazyBelief::Store(size_t context, const double* row) {
  size_t nonzero = 0;
  if (row != nullptr) {
    nonzero = prior_.cells -
              static_cast<size_t>(std::count(row, row + prior_.cells, 0.0));
  }
  const auto key = static_cast<uint32_t>(context);
  if (nonzero == 0) {
    rows_.erase(key);
  } else {
    rows_[key] = Compress(row, prior_.cells, nonzero);
  }
}

void LazyBelief::Scale(double factor, double floor) {
  for (auto entry = rows_.begin(); entry != rows_.end();) {
    KeptRow& row = entry->second;
    size_t zeros = 0;
    for (double& value : row.values) {
      value *= factor;
      if (value < floor) value = 0;
      if (value == 0) ++zeros;
    }
    // A sparse row may keep a zero until the next update drops it.
    entry = zeros == row.values.size() ? rows_.erase(entry) : std::next(entry);
  }
}

int64_t LazyBelief::kept() const {
  size_t kept = 0;
  for (const auto& [context, row] : rows_) kept += row.values.size();
  return static_cast<int64_t>(kept);
}

}  // namespace workloads::agent
