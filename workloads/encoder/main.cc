// encoder: a semantic-tree encoder with a glyph dictionary, and its decoder.
//
// Re-creates the system of the seed report 002, "WORKSTREAM C: Memory Profiling &
// Validation", and serves its tables:
//   2.1, 2.2 Scaling, Summary   --bytes 10 … 10000000 (compression_ratio in the
//   truth) 2.3 Efficiency              the same sizes 3 Success Criteria --bytes
//   100000000 --streaming (peak, memory freed) 5.2, 6.1 Optimizations
//   --pool=on|off, --streaming=on|off, --rounds N 6.2 Bottlenecks entities: tree,
//   dictionary, glyph buffers, models 6.3 Compression Efficiency  --input
//   text|code|random

#include "workloads/common/app.h"
#include "workloads/encoder/run.h"

int main(int argc, char** argv) {
  using namespace workloads;
  encoder::Config config;
  Flags flags;
  flags.Count("bytes", &config.bytes, 0, 1'000'000'000'000, "Size of the input");
  flags.Choice("input", &config.input, {"text", "code", "random"}, "What it is");
  flags.Count("rounds", &config.rounds, 1, 1'000'000,
              "Times to encode it, with one encoder");
  flags.Switch("pool", &config.pool, "Reuse glyph buffers");
  flags.Switch("streaming", &config.streaming,
               "Encode in segments; memory does not depend on the input then");
  flags.Count("segment", &config.segment, 16, 1'000'000'000, "Bytes of a segment");
  flags.Count("glyph-limit", &config.glyph_limit, 1, 1'000'000'000,
              "Glyphs after which the dictionary starts anew");
  encoder::EncoderLeaks leaks;
  LeakPlan plan({&leaks.glyph_buffer, &leaks.subtree, &leaks.stale_glyph});
  return AppMain({"encoder", "A semantic-tree encoder with a glyph dictionary.",
                  &flags, &plan, &config.seed,
                  [&](Phases& phases, Entities& entities, Json& json) {
                    return encoder::Run(config, &leaks, phases, entities, json);
                  }},
                 argc, argv);
}
