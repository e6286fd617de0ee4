// One run of the encoder: make input, encode it (some rounds), decode and compare.
//
// Phases: baseline, ready (encoder made), full (all of the last round's tree and
// glyphs there), encoded (only the encoder and, without streaming, the result
// left), decoded (compared with the input), end. With streaming the result goes to
// a temporary file.

#ifndef WORKLOADS_ENCODER_RUN_H_
#define WORKLOADS_ENCODER_RUN_H_

#include <cstdint>
#include <string>

#include "workloads/common/json.h"
#include "workloads/common/truth.h"
#include "workloads/encoder/encoder.h"

namespace workloads::encoder {

struct Config {
  int64_t seed = 1;
  int64_t bytes = 100000;
  int64_t rounds = 1;
  int64_t segment = 65536;
  int64_t glyph_limit = 65536;
  std::string input = "text";  // "code", "random"
  bool pool = true;
  bool streaming = false;
};

// Returns what went wrong, empty when nothing did.
std::string Run(const Config& config, EncoderLeaks* leaks, Phases& phases,
                Entities& entities, Json& json);

}  // namespace workloads::encoder

#endif  // WORKLOADS_ENCODER_RUN_H_
