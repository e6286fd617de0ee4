// Ends of the encoder's and the decoder's streams.

#ifndef WORKLOADS_ENCODER_STREAMS_H_
#define WORKLOADS_ENCODER_STREAMS_H_

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "workloads/common/account.h"
#include "workloads/encoder/range_coder.h"
#include "workloads/encoder/source.h"

namespace workloads::encoder {

struct EncodedBytes {
  static constexpr const char* kName = "encoded_bytes";
};

class SourceInput : public Input {
 public:
  explicit SourceInput(Source* source) : source_(source) {}
  size_t Read(char* to, size_t size) override { return source_->Read(to, size); }

 private:
  Source* source_;
};

class BytesInput : public Input {
 public:
  explicit BytesInput(std::string_view bytes) : bytes_(bytes) {}
  size_t Read(char* to, size_t size) override {
    const size_t part = std::min(size, bytes_.size());
    if (part > 0) std::memcpy(to, bytes_.data(), part);
    bytes_.remove_prefix(part);
    return part;
  }

 private:
  std::string_view bytes_;
};

class BytesSink : public Sink {
 public:
  void Write(std::string_view bytes) override {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  std::string_view view() const { return {bytes_.data(), bytes_.size()}; }

 private:
  Array<char, EncodedBytes> bytes_;
};

// A temporary file without a name, unbuffered: writes come in pieces of 4 kB
// anyway. Written first, then read from the start.
class FileStream : public Sink, public Input {
 public:
  // False: the system refuses.
  bool Open() {
    file_ = std::tmpfile();
    return file_ != nullptr && std::setvbuf(file_, nullptr, _IONBF, 0) == 0;
  }
  ~FileStream() override {
    if (file_ != nullptr) std::fclose(file_);
  }
  void Write(std::string_view bytes) override {
    failed_ |= std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size();
    written_ += bytes.size();
  }
  size_t Read(char* to, size_t size) override {
    return std::fread(to, 1, size, file_);
  }
  void Rewind() { std::rewind(file_); }
  size_t written() const { return written_; }
  bool failed() const { return failed_; }

 private:
  std::FILE* file_ = nullptr;
  size_t written_ = 0;
  bool failed_ = false;
};

// Compares what is written with what the source says, keeping nothing.
class Comparison : public Sink {
 public:
  explicit Comparison(Source* expected) : expected_(expected) {}
  void Write(std::string_view bytes) override {
    char piece[512];
    while (!bytes.empty() && same_) {
      const size_t part = std::min(bytes.size(), sizeof piece);
      same_ = expected_->Read(piece, part) == part &&
              std::memcmp(piece, bytes.data(), part) == 0;
      bytes.remove_prefix(part);
    }
  }
  // Everything was the same, and nothing is missing. Reads on; call once.
  bool Complete() {
    char one;
    return same_ && expected_->Read(&one, 1) == 0;
  }

 private:
  Source* expected_;
  bool same_ = true;
};

}  // namespace workloads::encoder

#endif  // WORKLOADS_ENCODER_STREAMS_H_
