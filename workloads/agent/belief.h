// What an agent believes: a probability for every state, a state being a context
// and a cell in it. Three representations with one meaning:
//   dense   every probability, 8 bytes each;
//   sparse  (state, probability) of the non-zero ones, 16 bytes each;
//   lazy    nothing until the first update; then one row a context that is not all
//           zero, dense or as (cell, probability) lists of 10 bytes a cell,
//           whichever is smaller.
//
// An update walks the contexts in ascending order: Row() then Store() for each,
// then Commit(); Scale() afterwards. All arithmetic is done on whole rows by the
// filter (filter.h), so that the representations agree to the last bit.

#ifndef WORKLOADS_AGENT_BELIEF_H_
#define WORKLOADS_AGENT_BELIEF_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "workloads/common/account.h"

namespace workloads::agent {

struct Beliefs {
  static constexpr const char* kName = "beliefs";
};

// The belief at the start: the same for every state of some contexts, zero for the
// others. `sparsity` is the share of the zeros; at least one context is possible,
// and the possible ones are spread evenly.
struct Prior {
  size_t contexts;
  size_t cells;
  double sparsity;

  size_t PossibleContexts() const;
  bool Possible(size_t context) const;
  double Probability() const;  // of a state that is possible
};

class Belief : public Accounted<Beliefs> {
 public:
  virtual ~Belief() = default;

  // The row of a context: a pointer into the belief or to `scratch` (of cells()
  // doubles); null when all of it is zero. Valid until the next call.
  virtual const double* Row(size_t context, double* scratch) const = 0;
  // The row of the next belief; null for all zero. REQUIRES: Row(context) of this
  // belief is not needed any more; ascending contexts, all of them.
  virtual void Store(size_t context, const double* row) = 0;
  virtual void Commit() = 0;
  // Multiplies all by `factor`; what is then below `floor` becomes zero.
  virtual void Scale(double factor, double floor) = 0;
  // Probabilities that are kept, zeros among them if the representation keeps
  // zeros.
  virtual int64_t kept() const = 0;
};

// `kind`: "dense", "sparse" or "lazy".
std::unique_ptr<Belief> MakeBelief(std::string_view kind, const Prior& prior);

}  // namespace workloads::agent

#endif  // WORKLOADS_AGENT_BELIEF_H_
