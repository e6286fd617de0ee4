// Input to encode: English text, code, or random bytes, made piece by piece. The
// same kind, seed and size give the same bytes, however they are read; so a
// decoder's output is checked against a second source, without keeping the input.

#ifndef WORKLOADS_ENCODER_SOURCE_H_
#define WORKLOADS_ENCODER_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "workloads/common/account.h"
#include "workloads/common/random.h"

namespace workloads::encoder {

struct SourceText {
  static constexpr const char* kName = "source_text";
};

class Source {
 public:
  // `kind`: "text", "code" or "random".
  Source(std::string_view kind, uint64_t seed, uint64_t bytes)
      : kind_(kind == "text"   ? Kind::kText
              : kind == "code" ? Kind::kCode
                               : Kind::kRandom),
        random_(seed),
        left_(bytes) {}

  // Writes up to `size` bytes; fewer only at the end. Returns how many.
  size_t Read(char* to, size_t size);

 private:
  enum class Kind { kText, kCode, kRandom };

  void Refill();
  void Sentence(Random random);
  void Statement(Random random);

  Kind kind_;
  Random random_;
  uint64_t left_;
  Text<SourceText> piece_;  // a sentence, a line or a few bytes, partly handed out
  size_t used_ = 0;
  uint64_t pieces_ = 0;
  size_t indent_ = 0;
};

}  // namespace workloads::encoder

#endif  // WORKLOADS_ENCODER_SOURCE_H_
