// Which class, and how sure: Akaike weights of the classes, and whether the verdict
// survives the loss of any one size.
#pragma once

#include "analyzer/fit/family.h"
#include "analyzer/fit/growth.h"
#include "analyzer/fit/sample.h"

namespace mallogram::fit {

struct Verdict {
  Growth growth = Growth::kUndetermined;
  Word word = Word::kUndetermined;
  // The group, where the class itself is too close to call: `group_word` then
  // says how sure the group is. Otherwise the group of `growth`, with its word.
  Group group = Group::kConstant;
  Word group_word = Word::kUndetermined;

  Growth leading = Growth::kConstant;  // of the greatest weight
  Growth second = Growth::kConstant;
  double stability = 0;         // share of leave-one-out refits with the same class
  bool largest_agrees = false;  // the refit without the largest size is one of them
};

// Class weights of every leave-one-out refit; the last is without the largest size.
using Refits = std::vector<GrowthWeights>;

// At most this many refits: of a long series only some sizes, evenly spread, and
// always the largest, are left out.
inline constexpr size_t kMaxRefits = 8;

// REQUIRES: at least 4 sizes.
Refits RefitWithoutOne(const Sample& sample);

Verdict Judge(const Sample& sample, const Family& family, const Refits& refits);

}  // namespace mallogram::fit
