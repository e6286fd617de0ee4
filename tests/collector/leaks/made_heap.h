// A heap that tests make up: blocks and roots in memory that is nobody's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "preload/collector/leaks/leak_scan.h"

namespace mallogram::leaks {

class MadeMemory final : public Memory {
 public:
  void Add(uint64_t start, uint64_t bytes) { segments_[start].resize(bytes); }
  void Put(uint64_t address, uint64_t word) { PutBytes(address, &word, 8); }
  void PutBytes(uint64_t address, const void* bytes, size_t count) {
    auto segment = std::prev(segments_.upper_bound(address));
    std::memcpy(segment->second.data() + (address - segment->first), bytes, count);
  }
  void ReadPieces(Piece* pieces, size_t count) override {
    ++calls;
    for (size_t i = 0; i < count; ++i) {
      Piece& piece = pieces[i];
      piece.got = 0;
      while (piece.got < piece.bytes) {
        const uint64_t at = piece.address + piece.got;
        auto segment = segments_.upper_bound(at);
        if (segment == segments_.begin()) break;
        --segment;
        const uint64_t offset = at - segment->first;
        if (offset >= segment->second.size()) break;
        const size_t n = std::min<size_t>(piece.bytes - piece.got,
                                          segment->second.size() - offset);
        std::memcpy(piece.out + piece.got, segment->second.data() + offset, n);
        piece.got += n;
      }
    }
  }
  bool NextPresent(uint64_t start, uint64_t end, uint64_t* from,
                   uint64_t* to) override {
    auto segment = segments_.upper_bound(start);
    if (segment != segments_.begin()) --segment;
    for (; segment != segments_.end() && segment->first < end; ++segment) {
      *from = std::max(start, segment->first);
      *to = std::min<uint64_t>(end, segment->first + segment->second.size());
      if (*from < *to) return true;
    }
    return false;
  }
  uint64_t calls = 0;

 private:
  std::map<uint64_t, std::string> segments_;
};

// Constant data and code are where the test says.
class MadeFacts final : public ProgramFacts {
 public:
  MadeByArrayNew ArrayNew(uint32_t) const override { return array_new; }
  bool IsConstant(uint64_t address) const override {
    return address >= constant_start && address < constant_end;
  }
  bool IsCode(uint64_t address) const override {
    return address >= code_start && address < code_end;
  }
  MadeByArrayNew array_new = MadeByArrayNew::kUnknown;
  uint64_t constant_start = 0, constant_end = 0, code_start = 0, code_end = 0;
};

struct MadeHeap {
  static constexpr uint64_t kRoots = 0x10000;
  static constexpr uint64_t kRootBytes = 0x2000;

  MadeHeap() {
    memory.Add(kRoots, kRootBytes);
    input.live = &live;
    input.model = &model;
    input.memory = &memory;
    input.facts = &facts;
    input.ranges = {{kRoots, kRoots + kRootBytes, RootKind::kGlobal, 7, 0x8000, 0}};
  }
  // The slot of a new block; its memory must exist.
  uint32_t Add(uint64_t address, uint64_t size, uint32_t stack = 4) {
    const uint32_t slot = model.Allocate(1, stack, size, ++time);
    *live.Insert(address) = slot;
    return slot;
  }
  // With memory of its own.
  uint32_t AddBlock(uint64_t address, uint64_t size, uint32_t stack = 4) {
    memory.Add(address, size);
    return Add(address, size, stack);
  }
  void Root(int number, uint64_t word) {
    memory.Put(kRoots + 8 * static_cast<uint64_t>(number), word);
  }

  MadeMemory memory;
  MadeFacts facts;
  LiveMap live;
  HeapModel model;
  ScanInput input;
  uint64_t time = 0;
};

}  // namespace mallogram::leaks
