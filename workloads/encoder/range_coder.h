// An adaptive binary range coder: every bit is coded with a probability that
// follows the bits seen before it in the same place (carries are resolved by
// holding back the last byte and a run of 0xff).
//
// Encoder and Decoder have the same three operations, so that a model is written
// once for both (models.h): Bit(model, bit) returns the bit, coded or decoded.

#ifndef WORKLOADS_ENCODER_RANGE_CODER_H_
#define WORKLOADS_ENCODER_RANGE_CODER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace workloads::encoder {

// Where bytes go to; where they come from.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void Write(std::string_view bytes) = 0;
};
class Input {
 public:
  virtual ~Input() = default;
  // Up to `size` bytes; 0 at the end only.
  virtual size_t Read(char* to, size_t size) = 0;
};

// The probability of a zero, in 4096ths; moves 1/32 of the way at every bit.
struct BitModel {
  static constexpr int kBits = 12;
  uint16_t zero = 1 << (kBits - 1);

  void Saw(int bit) {
    if (bit == 0) {
      zero = static_cast<uint16_t>(zero + (((1 << kBits) - zero) >> 5));
    } else {
      zero = static_cast<uint16_t>(zero - (zero >> 5));
    }
  }
};

class RangeEncoder {
 public:
  explicit RangeEncoder(Sink* sink) : sink_(sink) {}

  int Bit(BitModel& model, int bit) {
    const uint32_t bound = (range_ >> BitModel::kBits) * model.zero;
    if (bit == 0) {
      range_ = bound;
    } else {
      low_ += bound;
      range_ -= bound;
    }
    model.Saw(bit);
    while (range_ < (1u << 24)) ShiftByte();
    return bit;
  }
  // A bit without a model.
  int Even(int bit) {
    range_ >>= 1;
    if (bit != 0) low_ += range_;
    while (range_ < (1u << 24)) ShiftByte();
    return bit;
  }
  // Nothing may be coded after it.
  void Finish() {
    for (int i = 0; i < 5; ++i) ShiftByte();
    FlushOut();
  }

 private:
  void ShiftByte() {
    if (static_cast<uint32_t>(low_) < 0xff000000u || low_ >> 32 != 0) {
      const auto carry = static_cast<uint8_t>(low_ >> 32);
      // The very first byte held back is no byte of ours.
      if (!first_) Put(static_cast<uint8_t>(held_ + carry));
      first_ = false;
      for (; held_ff_ > 0; --held_ff_) Put(static_cast<uint8_t>(0xff + carry));
      held_ = static_cast<uint8_t>(low_ >> 24);
    } else {
      ++held_ff_;
    }
    low_ = (low_ & 0x00ffffff) << 8;
    range_ <<= 8;
  }
  void Put(uint8_t byte) {
    out_[out_size_++] = static_cast<char>(byte);
    if (out_size_ == out_.size()) FlushOut();
  }
  void FlushOut() {
    sink_->Write({out_.data(), out_size_});
    out_size_ = 0;
  }

  Sink* sink_;
  uint64_t low_ = 0;
  uint32_t range_ = 0xffffffff;
  uint64_t held_ff_ = 0;
  uint8_t held_ = 0;
  bool first_ = true;
  size_t out_size_ = 0;
  std::array<char, 4096> out_;
};

class RangeDecoder {
 public:
  explicit RangeDecoder(Input* input) : input_(input) {
    for (int i = 0; i < 4; ++i) code_ = (code_ << 8) | Get();
  }

  int Bit(BitModel& model, int = 0) {
    const uint32_t bound = (range_ >> BitModel::kBits) * model.zero;
    const int bit = code_ < bound ? 0 : 1;
    if (bit == 0) {
      range_ = bound;
    } else {
      code_ -= bound;
      range_ -= bound;
    }
    model.Saw(bit);
    Fill();
    return bit;
  }
  int Even(int = 0) {
    range_ >>= 1;
    const int bit = code_ < range_ ? 0 : 1;
    if (bit != 0) code_ -= range_;
    Fill();
    return bit;
  }
  // Bytes wanted beyond the end, which were read as zeros: a cut stream.
  size_t missing() const { return missing_; }

 private:
  void Fill() {
    while (range_ < (1u << 24)) {
      range_ <<= 8;
      code_ = (code_ << 8) | Get();
    }
  }
  uint8_t Get() {
    if (at_ == size_) {
      size_ = input_->Read(in_.data(), in_.size());
      at_ = 0;
      if (size_ == 0) {
        ++missing_;
        return 0;
      }
    }
    return static_cast<uint8_t>(in_[at_++]);
  }

  Input* input_;
  uint32_t code_ = 0;
  uint32_t range_ = 0xffffffff;
  size_t at_ = 0;
  size_t size_ = 0;
  size_t missing_ = 0;
  std::array<char, 4096> in_;
};

}  // namespace workloads::encoder

#endif  // WORKLOADS_ENCODER_RANGE_CODER_H_
