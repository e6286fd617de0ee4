// The dense and the sparse belief (belief.h); they start out from the whole prior.

#ifndef WORKLOADS_AGENT_DENSE_BELIEF_H_
#define WORKLOADS_AGENT_DENSE_BELIEF_H_

#include "workloads/agent/belief.h"

namespace workloads::agent {

class DenseBelief : public Belief {
 public:
  explicit DenseBelief(const Prior& prior);

  const double* Row(size_t context, double* scratch) const override;
  void Store(size_t context, const double* row) override;
  void Commit() override {}
  void Scale(double factor, double floor) override;
  int64_t kept() const override { return static_cast<int64_t>(values_.size()); }

 private:
  size_t cells_;
  Array<double, Beliefs> values_;
};

// Invariant: entries in ascending order of state, none of them zero.
class SparseBelief : public Belief {
 public:
  explicit SparseBelief(const Prior& prior);

  const double* Row(size_t context, double* scratch) const override;
  void Store(size_t context, const double* row) override;
  void Commit() override;
  void Scale(double factor, double floor) override;
  int64_t kept() const override { return static_cast<int64_t>(entries_.size()); }

 private:
  struct Entry {
    uint64_t state;
    double probability;
  };

  size_t cells_;
  Array<Entry, Beliefs> entries_;
  Array<Entry, Beliefs> next_;  // only between the first Store() and Commit()
};

}  // namespace workloads::agent

#endif  // WORKLOADS_AGENT_DENSE_BELIEF_H_
