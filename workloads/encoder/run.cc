#include "workloads/encoder/run.h"

#include <errno.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "workloads/encoder/decoder.h"
#include "workloads/encoder/source.h"
#include "workloads/encoder/streams.h"

namespace workloads::encoder {
namespace {

Source SourceOf(const Config& config) {
  return Source(config.input, static_cast<uint64_t>(config.seed),
                static_cast<uint64_t>(config.bytes));
}

void TakeTruth(const Encoder& encoder, Entities& entities) {
  const int64_t glyphs = encoder.dictionary().size();
  const int64_t ops = encoder.held_ops();
  const auto live = [](const Account& account) { return account.balance(); };
  const int64_t nodes = live(account_of<TreeNodes>).live_blocks;
  entities.Take(account_of<InputBuffer>, 1, encoder.stats().input_bytes);
  entities.Take(account_of<TreeNodes>, nodes,
                nodes * static_cast<int64_t>(sizeof(Node)));
  entities.Take(account_of<GlyphTexts>, glyphs,
                encoder.dictionary().PayloadBytes());
  entities.Take(account_of<GlyphTable>, glyphs,
                glyphs * static_cast<int64_t>(sizeof(Dictionary::Glyph)));
  entities.Take(account_of<GlyphBuffers>,
                live(account_of<GlyphBuffers>).live_blocks,
                ops * static_cast<int64_t>(sizeof(GlyphOp)));
  entities.Take(account_of<BufferLists>, 0, 0);
  entities.Take(account_of<CoderModels>, 1, static_cast<int64_t>(sizeof(Models)));
  entities.Take(account_of<EncodedBytes>, 0, 0);
  entities.Take(account_of<SourceText>, 0, 0);
}

// Decodes from `encoded` and compares.
std::string Verify(const Config& config, Input& encoded) {
  Source expected = SourceOf(config);
  Comparison comparison(&expected);
  Decoder decoder;
  const std::string error = decoder.Decode(encoded, comparison);
  if (!error.empty()) return error;
  return comparison.Complete() ? "" : "what was decoded is not what was encoded";
}

}  // namespace

std::string Run(const Config& config, EncoderLeaks* leaks, Phases& phases,
                Entities& entities, Json& json) {
  phases.Mark("baseline");
  EncoderOptions options;
  options.pool = config.pool;
  options.streaming = config.streaming;
  options.segment = static_cast<size_t>(config.segment);
  options.glyph_limit = static_cast<uint32_t>(config.glyph_limit);
  int64_t encoded_bytes = 0;
  {
    Encoder encoder(options, leaks);
    phases.Mark("ready");
    for (int64_t round = 1; round <= config.rounds; ++round) {
      const bool last = round == config.rounds;
      Source source = SourceOf(config);
      SourceInput input(&source);
      BytesSink bytes;
      FileStream file;
      if (config.streaming && !file.Open()) {
        return std::string("cannot make a temporary file: ") + std::strerror(errno);
      }
      Sink& sink = config.streaming ? static_cast<Sink&>(file) : bytes;
      encoder.Encode(input, sink, [&] {
        if (!last) return;
        phases.Mark("full");
        TakeTruth(encoder, entities);
      });
      if (file.failed()) return "the temporary file cannot be written";
      if (!last) continue;
      phases.Mark("encoded");
      encoded_bytes = static_cast<int64_t>(config.streaming ? file.written()
                                                            : bytes.view().size());
      BytesInput back(bytes.view());
      if (config.streaming) file.Rewind();
      const std::string error =
          Verify(config, config.streaming ? static_cast<Input&>(file) : back);
      if (!error.empty()) return error;
      phases.Mark("decoded");
    }
    const EncoderStats& stats = encoder.stats();
    json.Integer("input_bytes", stats.input_bytes);
    json.Integer("encoded_bytes", encoded_bytes);
    json.Real("compression_ratio",
              static_cast<double>(encoded_bytes) /
                  static_cast<double>(std::max<int64_t>(1, stats.input_bytes)));
    json.Boolean("round_trip", true);
    json.Integer("segments", stats.segments);
    json.Integer("tree_nodes", stats.tree_nodes);
    json.Integer("new_glyphs", stats.new_glyphs);
    json.Integer("glyph_ops", stats.glyph_ops);
    json.Integer("dictionary_resets", stats.resets);
    json.Integer("buffers_allocated", encoder.pool().allocated());
    json.Integer("buffers_reused", encoder.pool().reused());
  }
  phases.Mark("end");
  return "";
}

}  // namespace workloads::encoder
