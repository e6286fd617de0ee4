#include "workloads/agent/history.h"

#include <zlib.h>

#include <cstdlib>
#include <cstring>

namespace workloads::agent {
// zlib gives no sizes when it frees, so a header keeps them. In no anonymous
// namespace, so that stacks show the whole names.
struct ZlibHooks {
  static constexpr size_t kHead = 16;

  static void* Allocate(void*, unsigned items, unsigned size) {
    const size_t bytes = size_t{items} * size + kHead;
    auto* block = static_cast<char*>(std::malloc(bytes));
    if (block == nullptr) return nullptr;
    std::memcpy(block, &bytes, sizeof bytes);
    account_of<ZlibState>.Add(bytes);
    return block + kHead;
  }
  static void Free(void*, void* memory) {
    char* block = static_cast<char*>(memory) - kHead;
    size_t bytes;
    std::memcpy(&bytes, block, sizeof bytes);
    account_of<ZlibState>.Remove(bytes);
    std::free(block);
  }
};

namespace {

using Buffer = Array<char, Histories>;

class UnboundedHistory : public History {
 public:
  void Append(const Record& record) override { records_.push_back(record); }
  int64_t size() const override { return static_cast<int64_t>(records_.size()); }
  Record Read(int64_t number) const override {
    return records_[static_cast<size_t>(number)];
  }

 private:
  Array<Record, Histories> records_;
};

class RingHistory : public History {
 public:
  explicit RingHistory(size_t capacity) : capacity_(capacity) {
    records_.reserve(capacity);
  }

  void Append(const Record& record) override {
    if (records_.size() < capacity_) {
      records_.push_back(record);
      return;
    }
    // Assignment: the slot keeps its list.
    records_[oldest_] = record;
    oldest_ = (oldest_ + 1) % capacity_;
  }
  int64_t size() const override { return static_cast<int64_t>(records_.size()); }
  Record Read(int64_t number) const override {
    return records_[(oldest_ + static_cast<size_t>(number)) % records_.size()];
  }

 private:
  size_t capacity_;
  size_t oldest_ = 0;
  Array<Record, Histories> records_;
};

z_stream StreamOver(const char* in, size_t in_size, char* out, size_t out_size) {
  z_stream stream = {};
  stream.zalloc = ZlibHooks::Allocate;
  stream.zfree = ZlibHooks::Free;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in));
  stream.avail_in = static_cast<uInt>(in_size);
  stream.next_out = reinterpret_cast<Bytef*>(out);
  stream.avail_out = static_cast<uInt>(out_size);
  return stream;
}

// Only lack of memory makes zlib fail here; that is what operator new throws too.
void Check(bool well) {
  if (!well) throw std::bad_alloc();
}

Buffer Compress(const Buffer& plain) {
  // A small window is enough: records of some kB repeat each other.
  constexpr int kWindowBits = 13;
  constexpr int kMemoryLevel = 5;
  z_stream bound = StreamOver(nullptr, 0, nullptr, 0);
  Check(deflateInit2(&bound, 6, Z_DEFLATED, kWindowBits, kMemoryLevel,
                     Z_DEFAULT_STRATEGY) == Z_OK);
  Buffer packed(deflateBound(&bound, plain.size()));
  bound.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  bound.avail_in = static_cast<uInt>(plain.size());
  bound.next_out = reinterpret_cast<Bytef*>(packed.data());
  bound.avail_out = static_cast<uInt>(packed.size());
  const bool well = deflate(&bound, Z_FINISH) == Z_STREAM_END;
  const size_t size = bound.total_out;
  deflateEnd(&bound);
  Check(well);
  return Buffer(packed.begin(), packed.begin() + static_cast<ptrdiff_t>(size));
}

void Expand(const Buffer& packed, Buffer* plain) {
  z_stream stream =
      StreamOver(packed.data(), packed.size(), plain->data(), plain->size());
  Check(inflateInit(&stream) == Z_OK);
  const bool well = inflate(&stream, Z_FINISH) == Z_STREAM_END;
  inflateEnd(&stream);
  Check(well);
}

class ZlibHistory : public History {
 public:
  static constexpr size_t kBlock = 32;

  void Append(const Record& record) override {
    policies_ = record.policies.size();
    if (pending_.capacity() == 0) pending_.reserve(kBlock * RecordBytes());
    const char head[kRecordHead] = {};
    const size_t at = pending_.size();
    pending_.insert(pending_.end(), head, head + kRecordHead);
    std::memcpy(&pending_[at], &record.step, 4);
    pending_[at + 4] = static_cast<char>(record.action);
    pending_[at + 5] = static_cast<char>(record.seen);
    const char* weights = reinterpret_cast<const char*>(record.policies.data());
    pending_.insert(pending_.end(), weights, weights + policies_ * sizeof(float));
    ++size_;
    if (pending_.size() < kBlock * RecordBytes()) return;
    blocks_.push_back(Compress(pending_));
    pending_.clear();
  }

  int64_t size() const override { return size_; }

  Record Read(int64_t number) const override {
    const size_t block = static_cast<size_t>(number) / kBlock;
    const size_t at = static_cast<size_t>(number) % kBlock * RecordBytes();
    if (block == blocks_.size()) return Parse(&pending_[at]);
    Buffer plain(kBlock * RecordBytes());
    Expand(blocks_[block], &plain);
    return Parse(&plain[at]);
  }

 private:
  static constexpr size_t kRecordHead = 8;

  size_t RecordBytes() const { return kRecordHead + policies_ * sizeof(float); }

  Record Parse(const char* from) const {
    Record record;
    std::memcpy(&record.step, from, 4);
    record.action = static_cast<uint8_t>(from[4]);
    record.seen = static_cast<uint8_t>(from[5]);
    record.policies.resize(policies_);
    if (policies_ > 0) {
      std::memcpy(record.policies.data(), from + kRecordHead,
                  policies_ * sizeof(float));
    }
    return record;
  }

  size_t policies_ = 0;
  int64_t size_ = 0;
  Buffer pending_;
  Array<Buffer, Histories> blocks_;
};

}  // namespace

std::unique_ptr<History> MakeHistory(std::string_view kind, size_t capacity) {
  if (kind == "ring") return std::make_unique<RingHistory>(capacity);
  if (kind == "zlib") return std::make_unique<ZlibHistory>();
  return std::make_unique<UnboundedHistory>();
}

}  // namespace workloads::agent
