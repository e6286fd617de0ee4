// The encoder: what goes in comes out, for every kind and size of input, with and
// without pool and streaming; damaged streams are noticed, never trusted.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/workloads/run_check.h"
#include "workloads/encoder/decoder.h"
#include "workloads/encoder/run.h"
#include "workloads/encoder/source.h"
#include "workloads/encoder/streams.h"

namespace workloads::encoder {
namespace {

class StringSink : public Sink {
 public:
  void Write(std::string_view bytes) override { text += bytes; }
  std::string text;
};

std::string Encode(std::string_view plain, const EncoderOptions& options = {}) {
  EncoderLeaks leaks;
  Encoder encoder(options, &leaks);
  BytesInput input(plain);
  StringSink sink;
  encoder.Encode(input, sink, [] {});
  EXPECT_EQ(encoder.stats().input_bytes, static_cast<int64_t>(plain.size()));
  return sink.text;
}

std::string Decode(std::string_view coded, std::string* error) {
  Decoder decoder;
  BytesInput input(coded);
  StringSink sink;
  *error = decoder.Decode(input, sink);
  return sink.text;
}

void ExpectRoundTrip(const std::string& plain, const EncoderOptions& options = {}) {
  std::string error;
  const std::string back = Decode(Encode(plain, options), &error);
  ASSERT_EQ(error, "") << plain.size();
  ASSERT_TRUE(back == plain) << plain.size();
}

std::string Make(const char* kind, uint64_t seed, size_t bytes) {
  Source source(kind, seed, bytes);
  std::string text(bytes, 0);
  EXPECT_EQ(source.Read(text.data(), bytes), bytes);
  char more;
  EXPECT_EQ(source.Read(&more, 1), 0u);
  return text;
}

EncoderOptions Streaming(size_t segment, uint32_t glyph_limit = 65536) {
  EncoderOptions options;
  options.streaming = true;
  options.segment = segment;
  options.glyph_limit = glyph_limit;
  return options;
}

TEST(Source, IsTheSameHoweverItIsRead) {
  for (const char* kind : {"text", "code", "random"}) {
    const std::string whole = Make(kind, 5, 20000);
    Source pieces(kind, 5, 20000);
    Random random(1);
    std::string text;
    char piece[100];
    while (const size_t got = pieces.Read(piece, 1 + random.Below(100))) {
      text.append(piece, got);
    }
    EXPECT_TRUE(text == whole);
    EXPECT_NE(Make(kind, 6, 20000), whole);
  }
}

TEST(RoundTrip, EverySizeOfRandomBytes) {
  Random random(1);
  for (size_t size = 0; size <= 300; ++size) {
    std::string any, few, text;
    for (size_t i = 0; i < size; ++i) {
      any += static_cast<char>(random.Below(256));
      few += "ab \n(]{}9\xff"[random.Below(10)];
      text += "the cat sat. "[random.Below(13)];
    }
    for (const std::string& plain : {any, few, text}) {
      ExpectRoundTrip(plain);
      ExpectRoundTrip(plain, Streaming(16, 3));
    }
  }
}

TEST(RoundTrip, TextCodeAndRandom) {
  for (const char* kind : {"text", "code", "random"}) {
    for (size_t size : {1000, 4095, 4096, 4097, 60000, 100000}) {
      const std::string plain = Make(kind, size, size);
      ExpectRoundTrip(plain);
      ExpectRoundTrip(plain, Streaming(1000));
      ExpectRoundTrip(plain, Streaming(65536, 100));
    }
  }
}

TEST(RoundTrip, AwkwardShapes) {
  ExpectRoundTrip(std::string(20000, '('));
  ExpectRoundTrip(std::string(20000, '\n'));
  ExpectRoundTrip(std::string(20000, ' '));
  ExpectRoundTrip(std::string(20000, 'a'));
  ExpectRoundTrip(std::string(20000, '7'));
  ExpectRoundTrip(std::string(20000, '\0'));
  ExpectRoundTrip(std::string(20000, '\xff'));
  std::string nested, mixed;
  for (int i = 0; i < 3000; ++i) nested += "({["[i % 3];
  for (int i = 0; i < 3000; ++i) nested += "]})"[i % 3];
  ExpectRoundTrip(nested);
  for (int i = 0; i < 40; ++i) {
    mixed += Make("code", 1, 700) + Make("random", static_cast<uint64_t>(i), 900);
  }
  ExpectRoundTrip(mixed);
  ExpectRoundTrip(mixed, Streaming(512, 50));
}

TEST(Tree, IsTheInputInOrder) {
  const std::string plain = Make("code", 3, 5000) + Make("random", 3, 600);
  Tree tree(plain);
  std::string leaves;
  int64_t nodes = 0;
  const std::function<void(const Node*, size_t)> walk = [&](const Node* node,
                                                            size_t depth) {
    ASSERT_LE(depth, kDeepest + 4);
    ++nodes;
    leaves += node->text;
    uint32_t children = 0;
    for (const Node* child = node->first; child != nullptr; child = child->next) {
      walk(child, depth + 1);
      ++children;
    }
    ASSERT_EQ(children, node->children);
  };
  walk(tree.root(), 0);
  EXPECT_TRUE(leaves == plain);
  EXPECT_EQ(nodes, tree.nodes());
}

TEST(Compression, IsWhatTheInputAllows) {
  const auto ratio = [](const std::string& plain) {
    return static_cast<double>(Encode(plain).size()) /
           static_cast<double>(plain.size());
  };
  EXPECT_LT(ratio(Make("text", 1, 300000)), 0.27);
  EXPECT_LT(ratio(Make("code", 1, 300000)), 0.21);
  EXPECT_LT(ratio(Make("random", 1, 300000)), 1.02);
  EXPECT_GT(ratio(Make("random", 1, 300000)), 1.0);
  EXPECT_LT(ratio(std::string(300000, 'a')), 0.001);
}

TEST(Damage, IsNoticed) {
  const std::string plain = Make("code", 4, 3000);
  const std::string coded = Encode(plain);
  std::string error;
  // Every cut but that of the flush at the end, which holds no information.
  for (size_t size = 0; size + 4 < coded.size(); ++size) {
    Decode(coded.substr(0, size), &error);
    ASSERT_NE(error, "") << size;
  }
  Random random(1);
  int noticed = 0;
  for (int i = 0; i < 800; ++i) {
    std::string bad = coded;
    const size_t at = random.Below(bad.size() - 4);
    bad[at] = static_cast<char>(bad[at] ^ (1 << random.Below(8)));
    const std::string back = Decode(bad, &error);
    ASSERT_TRUE(error != "" || back == plain);
    noticed += error != "" ? 1 : 0;
  }
  EXPECT_EQ(noticed, 800);
  for (int i = 0; i < 500; ++i) {
    Decode(Make("random", static_cast<uint64_t>(i), 200), &error);
    ASSERT_NE(error, "");
  }
}

RunFunction RunOf(const Config& config, EncoderLeaks* leaks) {
  return [config, leaks](Phases& phases, Entities& entities, Json& json) {
    return Run(config, leaks, phases, entities, json);
  };
}

Config SmallConfig() {
  Config config;
  config.bytes = 40000;
  config.segment = 8192;
  return config;
}

TEST(EncoderRun, LeavesNothingAndRepeats) {
  for (const char* input : {"text", "code", "random"}) {
    for (bool pool : {false, true}) {
      for (bool streaming : {false, true}) {
        Config config = SmallConfig();
        config.input = input;
        config.pool = pool;
        config.streaming = streaming;
        config.rounds = 2;
        EncoderLeaks leaks;
        ExpectClean(RunOf(config, &leaks));
        const std::string truth = RunOnce(RunOf(config, &leaks)).truth;
        EXPECT_EQ(RunOnce(RunOf(config, &leaks)).truth, truth);
        const bool reused =
            truth.find("\"buffers_reused\": 0") == std::string::npos;
        EXPECT_EQ(reused, pool);
      }
    }
  }
}

TEST(EncoderRun, StreamingDoesNotGrow) {
  int64_t growth[2];
  for (int streaming = 0; streaming < 2; ++streaming) {
    int64_t full[2];
    for (int large = 0; large < 2; ++large) {
      Config config = SmallConfig();
      config.bytes = large == 1 ? 400000 : 100000;
      config.streaming = streaming == 1;
      config.input = "random";  // no dictionary, whose growth is bounded otherwise
      EncoderLeaks leaks;
      Phases phases(false);
      Entities entities;
      Json json;
      ASSERT_EQ(RunOf(config, &leaks)(phases, entities, json), "");
      full[large] = phases.At("full").live_bytes - phases.At("baseline").live_bytes;
    }
    growth[streaming] = full[1] - full[0];
  }
  EXPECT_GT(growth[0], 300000);
  EXPECT_LT(std::abs(growth[1]), 65536);
}

TEST(EncoderRun, CountsItsLeaks) {
  for (const char* rate : {"1", "0.4"}) {
    EncoderLeaks leaks;
    ExpectLeak(RunOf(SmallConfig(), &leaks), &leaks.glyph_buffer, rate);
    EncoderLeaks more;
    ExpectLeak(RunOf(SmallConfig(), &more), &more.subtree, rate);
    EncoderLeaks most;
    ExpectLeak(RunOf(SmallConfig(), &most), &most.stale_glyph, rate);
  }
}

}  // namespace
}  // namespace workloads::encoder
