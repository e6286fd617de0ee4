// How operations become bits: the models of the entropy coder, the same for both
// directions. With Coder = RangeEncoder a value goes in and comes back; with
// RangeDecoder what goes in is ignored.
//
// References are coded as differences first (the delta stage): nothing at all when
// the glyph is the one that followed its predecessor last time, a small signed step
// when it is close to the predecessor, and its number otherwise.

#ifndef WORKLOADS_ENCODER_MODELS_H_
#define WORKLOADS_ENCODER_MODELS_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "workloads/common/account.h"
#include "workloads/encoder/range_coder.h"
#include "workloads/encoder/tree.h"

namespace workloads::encoder {

struct CoderModels {
  static constexpr const char* kName = "coder_models";
};

// Symbols of kBits bits, most significant first, each prefix with its own model.
template <int kBits>
class BitTree {
 public:
  template <typename Coder>
  uint32_t Code(Coder& coder, uint32_t symbol) {
    uint32_t node = 1;
    for (int i = kBits - 1; i >= 0; --i) {
      const int bit = static_cast<int>((symbol >> i) & 1);
      node = node * 2 + static_cast<uint32_t>(coder.Bit(models_[node], bit));
    }
    return node - (1u << kBits);
  }

 private:
  std::array<BitModel, 1u << kBits> models_;
};

// Numbers of up to 32 bits: the length first, then the bits behind the leading one,
// the first kModelled of them with models: small numbers that come often are cheap.
template <int kModelled>
class NumberModel {
 public:
  template <typename Coder>
  uint32_t Code(Coder& coder, uint32_t number) {
    const uint64_t value = uint64_t{number} + 1;
    const int length = static_cast<int>(
        lengths_.Code(coder, static_cast<uint32_t>(std::bit_width(value))));
    if (length == 0 || length > 33) return 0;  // a damaged stream
    uint64_t result = 1;
    uint32_t node = 1;
    for (int i = length - 2; i >= 0; --i) {
      int bit = static_cast<int>((value >> i) & 1);
      if (length - 2 - i < kModelled) {
        BitModel& model = bits_[static_cast<size_t>(length)][node];
        bit = coder.Bit(model, bit);
        node = node * 2 + static_cast<uint32_t>(bit);
      } else {
        bit = coder.Even(bit);
      }
      result = result * 2 + static_cast<uint64_t>(bit);
    }
    return static_cast<uint32_t>(result - 1);
  }

 private:
  BitTree<6> lengths_;
  std::array<std::array<BitModel, 1u << kModelled>, 34> bits_;
};

enum Symbol : uint32_t {
  kFollows,
  kNear,
  kNumber,
  kNewToken,
  kNewRaw,
  kNewComposite,
  kResetAll,
  kFinish
};
inline constexpr int kNearest = 8;  // |step| of kNear

struct Models {
  std::array<BitTree<3>, 64> symbols;  // after the two symbols before
  NumberModel<11> references;
  BitTree<4> steps;
  BitTree<3> kinds;
  std::array<NumberModel<6>, kNodeKinds> children;
  NumberModel<6> token_sizes;
  std::array<BitTree<8>, 256> token_bytes;  // after the byte before
  NumberModel<6> raw_sizes;
  BitTree<8> raw_bytes;
};

// What both ends remember of the glyphs so far.
class Delta {
 public:
  uint32_t previous() const { return previous_; }
  // kNoGlyph when there is no prediction.
  uint32_t predicted() const {
    return previous_ < followers_.size() ? followers_[previous_] : kNoGlyph;
  }
  void Saw(uint32_t glyph) {
    if (previous_ != kNoGlyph) {
      if (previous_ >= followers_.size())
        followers_.resize(previous_ + 1, kNoGlyph);
      followers_[previous_] = glyph;
    }
    previous_ = glyph;
  }
  void Reset() {
    previous_ = kNoGlyph;
    decltype(followers_)().swap(followers_);
  }

 private:
  uint32_t previous_ = kNoGlyph;
  Array<uint32_t, CoderModels> followers_;
};

// The state of the symbol context.
class SymbolContext {
 public:
  template <typename Coder>
  Symbol Code(Coder& coder, Models& models, Symbol symbol) {
    const uint32_t coded = models.symbols[last_two_].Code(coder, symbol);
    last_two_ = (last_two_ * 8 + coded) % 64;
    return static_cast<Symbol>(coded);
  }

 private:
  uint32_t last_two_ = 0;
};

template <typename Coder>
uint32_t Code32(Coder& coder, uint32_t value) {
  uint32_t result = 0;
  for (int i = 31; i >= 0; --i) {
    result = result * 2 +
             static_cast<uint32_t>(coder.Even(static_cast<int>((value >> i) & 1)));
  }
  return result;
}

// Checksum of the plain bytes, at the end of a stream.
class Checksum {
 public:
  void Add(std::string_view bytes) {
    for (const char c : bytes) sum_ = (sum_ ^ static_cast<uint8_t>(c)) * 16777619u;
  }
  uint32_t value() const { return sum_; }

 private:
  uint32_t sum_ = 2166136261u;
};

}  // namespace workloads::encoder

#endif  // WORKLOADS_ENCODER_MODELS_H_
