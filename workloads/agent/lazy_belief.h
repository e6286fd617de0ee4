// The lazy belief (belief.h): no memory before the first update, and afterwards
// rows only for contexts that are still possible.
//
// Invariant of a row: sparse (cells beside values) or dense (no cells, all values),
// whichever takes fewer bytes; at least one value is not zero.

#ifndef WORKLOADS_AGENT_LAZY_BELIEF_H_
#define WORKLOADS_AGENT_LAZY_BELIEF_H_

#include "workloads/agent/belief.h"

namespace workloads::agent {

class LazyBelief : public Belief {
 public:
  explicit LazyBelief(const Prior& prior) : prior_(prior) {}

  const double* Row(size_t context, double* scratch) const override;
  void Store(size_t context, const double* row) override;
  void Commit() override { materialised_ = true; }
  void Scale(double factor, double floor) override;
  int64_t kept() const override;

  bool materialised() const { return materialised_; }

 private:
  struct KeptRow {
    Array<double, Beliefs> values;
    Array<uint16_t, Beliefs> cells;
  };

  static KeptRow Compress(const double* row, size_t cells, size_t nonzero);

  Prior prior_;
  bool materialised_ = false;
  HashMap<uint32_t, KeptRow, Beliefs> rows_;
};

}  // namespace workloads::agent

#endif  // WORKLOADS_AGENT_LAZY_BELIEF_H_
